"""Background tasks that the app owns: each has a name and a strong reference, and is awaited at the end."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def undisturbed(running: asyncio.Future[T]) -> T:
    """The result of what runs, which goes on also where whoever waits for it is stopped."""
    # Where nobody waits any longer, nobody else asks for its failure.
    running.add_done_callback(lambda done: done.cancelled() or done.exception())
    return await asyncio.shield(running)


class Tasks:
    """Starts tasks, keeps them until they end, and ends them all on `close`."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def start(self, work: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
        """Run `work` on the running loop; its result or failure is for whoever awaits it."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def see_through(self, work: Coroutine[Any, Any, T], *, name: str) -> T:
        """Do all of `work`, also where whoever waits for it is stopped meanwhile."""
        return await undisturbed(self.start(work, name=name))

    async def finish(self) -> None:
        """Wait until what runs has ended by itself."""
        await asyncio.gather(*self._running, return_exceptions=True)

    async def close(self) -> None:
        """Cancel what still runs and wait until it has ended."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

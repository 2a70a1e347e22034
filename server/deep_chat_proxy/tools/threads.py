"""Threads for sync tools.

A thread cannot be killed. So a call that is given up (timeout, stop) leaves its thread behind: the
thread is counted as lost and gives its place to the next call at once, so functions that hang do not
block the others. How many may be lost is bounded too; at that bound calls are refused until one ends.

The threads are daemons, one for each call. A ThreadPoolExecutor would not do: the interpreter waits for
its threads at exit, so one function that hangs would keep the server from ending.
"""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import TypeVar

from msgspec import Struct

T = TypeVar("T")


class NoThreadError(Exception):
    """A call cannot be made: too many earlier ones hang, or the tools are closed."""


class _Outcome(Struct, frozen=True):
    # A value also where the function failed: a Future takes no StopIteration as its exception.
    result: object = None
    fault: BaseException | None = None


class ToolThreads:
    """Runs functions in threads: `limit` at once, up to `lost_limit` of those given up still running beside."""

    def __init__(self, limit: int, lost_limit: int) -> None:
        self._places = asyncio.Semaphore(limit)
        self._lost_limit = lost_limit
        self._running: set[asyncio.Future[_Outcome]] = set()
        self._lost: set[asyncio.Future[_Outcome]] = set()
        self._closed = False

    @property
    def lost(self) -> int:
        """How many threads still run a call that was given up."""
        return len(self._lost)

    async def run(self, work: Callable[[], T], *, name: str) -> T:
        """What `work` returns or raises, with the caller's context variables; waits for a free place first.

        Cancelling it gives the call up. Raises NoThreadError where the call cannot be made.
        """
        async with self._places:
            if self._closed:
                raise NoThreadError("the tools are closed")
            if len(self._lost) >= self._lost_limit:
                raise NoThreadError(f"{self.lost} earlier calls still hang")
            ended = self._start(work, name)
            try:
                await asyncio.wait({ended})
            finally:
                if not ended.done():
                    self._lost.add(ended)
        outcome = ended.result()
        if outcome.fault is not None:
            raise outcome.fault
        return outcome.result  # type: ignore[return-value]  # what `work` returned

    def _start(self, work: Callable[[], object], name: str) -> asyncio.Future[_Outcome]:
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[_Outcome] = loop.create_future()
        context = contextvars.copy_context()

        def body() -> None:
            try:
                outcome = _Outcome(result=context.run(work))
            except BaseException as fault:  # noqa: BLE001 - whatever it is, it is raised where the caller waits
                outcome = _Outcome(fault=fault)
            try:
                loop.call_soon_threadsafe(self._end, ended, outcome)
            except RuntimeError:
                return  # the loop was closed: nobody waits any more

        threading.Thread(target=body, name=name, daemon=True).start()
        self._running.add(ended)
        return ended

    def _end(self, ended: asyncio.Future[_Outcome], outcome: _Outcome) -> None:
        self._running.discard(ended)
        self._lost.discard(ended)
        ended.set_result(outcome)

    async def close(self, wait: float) -> int:
        """Refuse further calls and wait up to `wait` seconds for those that run; returns how many still do."""
        self._closed = True
        if self._running:
            await asyncio.wait(self._running, timeout=wait)
        return len(self._running)

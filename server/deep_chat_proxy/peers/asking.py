"""Asking the other processes about the turns that they play."""

import asyncio
import logging
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from deep_chat_proxy.errors import TURN_ACTIVE, ChatError
from deep_chat_proxy.peers.remote import FollowedTurn
from deep_chat_proxy.peers.socket_file import reachable
from deep_chat_proxy.peers.wire import (
    Answer,
    Busy,
    End,
    Follow,
    Found,
    Over,
    Request,
    Stop,
    Take,
    framed,
    read_answer,
)
from deep_chat_proxy.tasks import Tasks
from deep_chat_proxy.turn.others import RemoteTurn, Waited

logger = logging.getLogger("deep_chat_proxy.peers")

# Seconds in which a process that lives answers, beside what it waits for.
_ANSWER = 5.0
# As long as a process waits for a turn to be cleared away.
_CLEARING = 15.0

Address = Callable[[str], Path | None]


class Peers:
    """Implements the turn's `Others`; `address` is where a process with a name listens."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._tasks = Tasks()
        self._closed = False

    async def follow(self, process: str, thread_id: str) -> RemoteTurn | None:
        """As in `Others`."""
        answer = await self._ask(process, Follow(thread_id))
        return answer if isinstance(answer, FollowedTurn) else None

    async def take(
        self, process: str, thread_id: str, fingerprint: str, within: float
    ) -> RemoteTurn | Waited:
        """As in `Others`."""
        wanted = Take(thread_id, fingerprint, within)
        answer = await self._ask(process, wanted, patience=within + _CLEARING + _ANSWER)
        if isinstance(answer, FollowedTurn):
            return answer
        return _over(answer)

    async def stop(self, process: str, thread_id: str) -> bool:
        """As in `Others`."""
        return isinstance(await self._ask(process, Stop(thread_id)), Over)

    async def end(self, process: str, thread_id: str) -> None:
        """As in `Others`."""
        _over(await self._ask(process, End(thread_id), patience=_CLEARING + _ANSWER))

    async def close(self, within: float) -> None:
        """As in `Others`."""
        self._closed = True
        try:
            async with asyncio.timeout(within):
                await self._tasks.finish()
        except TimeoutError:
            await self._tasks.close()

    async def _ask(
        self, process: str, request: Request, patience: float = _ANSWER
    ) -> Answer | FollowedTurn | None:
        """The first answer, where it is a turn the turn itself; None where there is none."""
        path = self._address(process)
        if path is None or self._closed:
            return None
        try:
            async with asyncio.timeout(patience), _connection(path) as (reader, writer):
                writer.write(framed(request))
                answer = await read_answer(reader)
                if isinstance(answer, Found) and not self._closed:
                    # From here on the connection is the turn's.
                    return FollowedTurn(answer, reader, writer, self._tasks)
                writer.close()
                return answer
        except (OSError, EOFError, ValueError) as fault:
            # It may just be ending, or may be of a version that says it in other words.
            logger.info("another process does not answer: %s", type(fault).__name__)
            return None


def _over(answer: Answer | FollowedTurn | None) -> Waited:
    if isinstance(answer, Busy):
        raise ChatError(TURN_ACTIVE, "another process has a turn on this thread")
    return Waited.OVER if isinstance(answer, Over) else Waited.UNKNOWN


@asynccontextmanager
async def _connection(path: Path) -> AsyncIterator[tuple[StreamReader, StreamWriter]]:
    """A connection to whoever listens at `path`, closed where something goes wrong with it."""
    with reachable(path) as address:
        reader, writer = await asyncio.open_unix_connection(address)
    try:
        yield reader, writer
    except BaseException:
        writer.close()
        raise

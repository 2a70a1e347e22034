"""Answering the other processes that share the store: they may follow, wait for and end the turns of this one."""

import asyncio
import logging
from asyncio import StreamReader, StreamWriter
from collections.abc import Coroutine
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self

from deep_chat_proxy.errors import ChatError
from deep_chat_proxy.peers.socket_file import listening_at, reachable
from deep_chat_proxy.peers.wire import (
    Added,
    Anew,
    Busy,
    End,
    Follow,
    Found,
    Over,
    Request,
    Silent,
    Stop,
    Take,
    Unknown,
    framed,
    read_request,
)
from deep_chat_proxy.tasks import Tasks
from deep_chat_proxy.turn.live import LiveTurn
from deep_chat_proxy.turn.log import LogCopy, TurnLog
from deep_chat_proxy.turn.turns import LiveTurns

logger = logging.getLogger("deep_chat_proxy.peers")

# Between two reports that a turn which is followed is alive, in seconds.
_REPORT = 5.0
# For a process that asks to say what, and for the last words of turns to leave, in seconds.
_REQUEST = 5.0
_LAST_WORDS = 1.0


class PeerServer:
    """Answers on a socket for as long as it is open."""

    def __init__(self, turns: LiveTurns) -> None:
        self._turns = turns
        self._tasks = Tasks()
        self._server: asyncio.Server | None = None
        self._address = ExitStack()

    @classmethod
    async def open(cls, path: Path | None, turns: LiveTurns) -> Self:
        """Answer at `path`, on `turns`. Where it is None, or no socket can be there, nobody is answered; then each process
        goes on by itself, and waits for those of others as for strangers.
        """
        opened = cls(turns)
        if path is None:
            return opened
        try:
            # Python looks at the address again, when it begins to listen and when it ends.
            address = opened._address.enter_context(reachable(path))
            listening = await asyncio.to_thread(listening_at, address)
            opened._server = await asyncio.start_unix_server(opened._connected, sock=listening)
        except OSError as fault:
            logger.warning(
                "other processes with this store cannot follow or stop turns of this one: %s", fault
            )
        return opened

    async def close(self) -> None:
        """Answer nobody any more; what turns have come to is still told."""
        if self._server is not None:
            self._server.close()
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_WORDS):
                    await self._tasks.finish()
            await self._tasks.close()
        self._address.close()

    async def _connected(self, reader: StreamReader, writer: StreamWriter) -> None:
        answering = self._tasks.start(_Asked(self._turns, reader, writer).answer(), name="answer a process")
        await asyncio.wait([answering])


class _Asked:
    """One connection: what is asked on it, and what is said to that."""

    def __init__(self, turns: LiveTurns, reader: StreamReader, writer: StreamWriter) -> None:
        self._turns = turns
        self._reader = reader
        self._writer = writer
        self._tasks = Tasks()

    async def answer(self) -> None:
        """Answer for as long as the other side wants to know."""
        try:
            async with asyncio.timeout(_REQUEST):
                request = await read_request(self._reader)
            working = self._tasks.start(self._work(request), name="answer a request")
            # Nothing else is asked, so this ends with the connection.
            leaving = self._tasks.start(self._reader.read(1), name="wait for who asked to leave")
            done, _ = await asyncio.wait([working, leaving], return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
        except (ConnectionError, EOFError):
            # It has left, or did not know what it wanted.
            return
        except Exception as fault:  # noqa: BLE001 - it may be of another version, and must not harm this one
            logger.warning("another process is not answered: %s", type(fault).__name__)
        finally:
            await self._tasks.close()
            self._writer.close()

    async def _work(self, request: Request) -> None:
        turn = await self._turns.entered(request.thread_id)
        match request:
            case End():
                await self._say_whether_over(self._turns.end_here(request.thread_id))
            case _ if turn is None or turn.left:
                await self._say(Unknown())
            case Follow():
                await self._tell(turn)
            case Stop():
                await self._say(Over() if turn.stop() else Unknown())
            case Take(_, fingerprint) if turn.answers(fingerprint):
                await self._tell(turn)
            case Take(within=within):
                deadline = asyncio.get_running_loop().time() + within
                await self._say_whether_over(self._turns.wait_for(turn, deadline))

    async def _say_whether_over(self, waiting: Coroutine[Any, Any, None]) -> None:
        try:
            await waiting
        except ChatError:
            await self._say(Busy())
        else:
            await self._say(Over())

    async def _tell(self, turn: LiveTurn) -> None:
        """All of a turn, as it comes; whoever follows it from there follows it here."""
        with turn.attached() as log:
            self._tasks.start(self._report(log), name=f"report on {turn.turn_id}")
            begun = False
            async for part in log.copied():
                if not isinstance(part, LogCopy):
                    await self._say(Added(tuple(part)))
                elif begun:
                    await self._say(Anew(part))
                else:
                    await self._say(Found(turn.turn_id, turn.log_id, part))
                begun = True

    async def _report(self, log: TurnLog) -> None:
        while True:
            await asyncio.sleep(_REPORT)
            await self._say(Silent(log.silent_for))

    async def _say(self, answer: Any) -> None:
        self._writer.write(framed(answer))
        await self._writer.drain()

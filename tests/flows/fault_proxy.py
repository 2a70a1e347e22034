"""A proxy that stands before a server, the back end or our own, and lets faults happen to its connections.

    async with FaultProxy.to(port) as proxy:
        plan = proxy.fail(Cut(Events(3)), on("POST", "/v1/threads/*/runs"), nth=2)
        ...
        await plan.happened.wait()

Each request goes on over a connection of its own, which ends with the answer, or with the client.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import Self

from yarl import URL

from deep_chat_proxy.tasks import Tasks
from flows.faults import (
    Cut,
    Fault,
    Moment,
    Passed,
    Plan,
    Point,
    Refuse,
    Repeat,
    Reset,
    Seen,
    Slow,
    Split,
    Stall,
    When,
    always,
)
from flows.framing import Head, Incoming, Outgoing, body_of, read_head

_NO_LINGER = struct.pack("ii", 1, 0)


class FaultProxy:
    """Listens at `port` of 127.0.0.1; `requests` are those that came, and `passed` what was whole, in their order."""

    def __init__(self, server_port: int) -> None:
        self.port = 0
        self.requests: list[Seen] = []
        self.passed: list[Passed] = []
        self._server_port = server_port
        self._plans: list[Plan] = []
        self._tasks = Tasks()
        self._broken: list[Exception] = []

    @classmethod
    @asynccontextmanager
    async def to(cls, port: int) -> AsyncIterator[Self]:
        """In front of the server at `port`. What goes wrong in the proxy itself is raised at its end."""
        proxy = cls(port)
        server = await asyncio.get_running_loop().create_server(
            lambda: asyncio.StreamReaderProtocol(Incoming(), proxy._connected), "127.0.0.1", 0
        )
        proxy.port = server.sockets[0].getsockname()[1]
        try:
            yield proxy
        finally:
            server.close()
            await proxy._tasks.close()
        if proxy._broken:
            raise ExceptionGroup("the proxy failed", proxy._broken)

    @classmethod
    def before(cls, base_url: str) -> AbstractAsyncContextManager[Self]:
        """In front of a back end, at the same path of its own `base_url`."""
        return cls.to(URL(base_url).port or 80)

    @property
    def base_url(self) -> str:
        """Of a back end behind it."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def connections(self) -> int:
        """How many connections of clients are open."""
        return len(self._tasks)

    def fail(self, fault: Fault, when: When = always, *, nth: int = 1, times: float = 1) -> Plan:
        """Let it happen to the nth of the matching requests that are yet to come, and to so many from there on.

        Where several are to happen to one request, the one that was planned first does.
        """
        plan = Plan(fault, when, nth, nth + times - 1)
        self._plans.append(plan)
        return plan

    def lift(self) -> None:
        """Let everything through from now on."""
        while self._plans:
            self._plans.pop().lift()

    def forget(self) -> None:
        """Let go of the requests so far, of which there would be more and more."""
        self.requests.clear()
        self.passed.clear()

    def _connected(self, client: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert isinstance(client, Incoming)
        self._tasks.start(self._serve(client, writer), name="a connection through a fault proxy")

    async def _serve(self, client: Incoming, writer: asyncio.StreamWriter) -> None:
        try:
            goes_on = True
            while goes_on and (head := await read_head(client)) is not None and not client.gone:
                body = b"".join([piece async for piece in body_of(head, client)])
                client.busy = asyncio.current_task()
                goes_on = await self._exchange(head, body, writer)
                client.busy = None
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except Exception as fault:
            self._broken.append(fault)
            raise
        except asyncio.CancelledError:
            # Nobody reads what may still wait to be written.
            writer.transport.abort()
            raise
        finally:
            writer.close()

    async def _exchange(self, head: Head, body: bytes, client: asyncio.StreamWriter) -> bool:
        """Pass a request on and its answer back; returns whether the client's connection goes on.

        Raises ConnectionError where it broke.
        """
        method, target, _ = head.first.split(" ")
        seen = Seen(method, target.partition("?")[0])
        self.requests.append(seen)
        plan = next(iter([plan for plan in self._plans if plan.takes(seen)]), None)
        passage = Passage(plan, client)
        if plan is not None and isinstance(plan.fault, Refuse):
            plan.hit()
            await _send(
                client, Head.answer(plan.fault.status, plan.fault.headers, plan.fault.body), plan.fault.body
            )
            return True
        await passage.reach(Moment.BEFORE)
        reader, server = await asyncio.open_connection("127.0.0.1", self._server_port)
        try:
            await _send(server, head, body)
            answer = await read_head(reader)
            if answer is None:
                return False
            await passage.reach(Moment.DONE)
            passed_on = await passage.answer(answer, body_of(answer, reader, to=method))
            self.passed.append(Passed(seen, passed_on))
            return answer.keeps_alive and head.keeps_alive
        finally:
            server.transport.abort()


class Passage:
    """The way of one answer back to a client, and what `plan` lets happen to it there."""

    def __init__(self, plan: Plan | None, client: asyncio.StreamWriter) -> None:
        self._plan = plan
        self._client = client

    async def reach(self, point: Point) -> None:
        """Be there. Raises ConnectionAbortedError where that is the end of the connection."""
        if self._plan is not None and self._plan.fault.at is point:
            await self._strike(self._plan)

    async def answer(self, head: Head, pieces: AsyncGenerator[bytes]) -> bytes:
        """Pass an answer on; returns its body. Raises as `reach` does."""
        plan, out = self._plan, Outgoing(self._client)
        match plan and plan.fault:
            case (Split() | Slow()) as pace if plan:
                plan.hit()
                out = Outgoing(self._client, pace.size, pace.delay)
            case Repeat():
                head = head.in_chunks()
        await out.head(head)
        body, place = b"", None
        async with aclosing(pieces):
            async for piece in pieces:
                before, body = len(body), body + piece
                if plan is not None and place is None and (place := plan.place(body)) is not None:
                    await out.piece(body[before:place])
                    await out.piece(await self._strike(plan, body[:place]))
                    before = place
                await out.piece(body[before:])
        await out.end()
        return body

    async def _strike(self, plan: Plan, body: bytes = b"") -> bytes:
        """Let it happen; returns what is to be sent besides."""
        plan.hit()
        match plan.fault:
            case Stall():
                await plan.lifted.wait()
            case Repeat(start):
                return body[start.place(body) :]
            case Reset():
                self._client.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER
                )
                self._client.transport.abort()
                raise ConnectionAbortedError
            case Cut():
                raise ConnectionAbortedError
        return b""


async def _send(writer: asyncio.StreamWriter, head: Head, body: bytes) -> None:
    out = Outgoing(writer)
    await out.head(head)
    await out.piece(body)
    await out.end()

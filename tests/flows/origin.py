"""A server of events that has no notion of faults, and what a client gets of them on a bare socket."""

import asyncio
from typing import NamedTuple

from aiohttp import web

from flows.raw import connection

EVENTS = [
    b"data: one\n\n",
    b"event: x\r\ndata: two\r\n\r\n",
    b": a comment\ndata: three\n\n",
    b"data: four\n\n",
]
WHOLE = b"".join(EVENTS)


class Origin:
    """A server that sends events and sends back what it gets; `asked` counts those that it has taken in,
    `hangs` and `left` tell of one that hangs and of its client.
    """

    def __init__(self) -> None:
        self.asked = 0
        self.hangs = asyncio.Event()
        self.left = asyncio.Event()
        self.app = web.Application()
        self.app.router.add_get("/events", self._events)
        self.app.router.add_get("/hang/{id}", self._hang)
        self.app.router.add_post("/back", self._back)
        self.app.router.add_get("/nothing", self._nothing)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        # Chunks that end where no event does.
        for start in range(0, len(WHOLE), 7):
            await response.write(WHOLE[start : start + 7])
        return response

    async def _hang(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(EVENTS[0])
        self.hangs.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.left.set()
        return response

    async def _back(self, request: web.Request) -> web.Response:
        self.asked += 1
        return web.Response(body=await request.read())

    async def _nothing(self, _: web.Request) -> web.Response:
        return web.Response(status=204)


class Got(NamedTuple):
    """What came on a socket: the body without frames, whether it came to its end, and the sizes of the reads."""

    body: bytes
    whole: bool
    broke: bool
    reads: list[int]


async def ask(port: int) -> Got:
    """Ask for the events and read until the connection ends."""
    raw, reads, broke = b"", [], False
    async with asyncio.timeout(5), connection(port) as (reader, writer):
        writer.write(b"GET /events HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        try:
            while piece := await reader.read(2**16):
                raw += piece
                reads.append(len(piece))
        except ConnectionResetError:
            broke = True
    body, rest, size = b"", raw.partition(b"\r\n\r\n")[2], -1
    while rest:
        line, _, rest = rest.partition(b"\r\n")
        size = int(line, 16)
        body, rest = body + rest[:size], rest[size + 2 :]
    return Got(body, size == 0, broke, reads)

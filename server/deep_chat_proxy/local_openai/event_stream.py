"""A row of server-sent events on its way to one client."""

import asyncio
from enum import Enum, auto

from aiohttp import web


class End(Enum):
    """How a stream ends."""

    DONE = auto()
    """Properly, with what the protocol says last."""
    WITHOUT_DONE = auto()
    """Properly, but after an error, which is the last that is said."""
    CUT = auto()
    """In the middle: the connection breaks."""


class Listener:
    """One stream: frames to be sent, then its end. It holds no more than the events of one answer."""

    def __init__(self) -> None:
        self.frames: asyncio.Queue[bytes | End] = asyncio.Queue()


async def send(request: web.Request, listener: Listener, *, done: bytes) -> web.StreamResponse:
    """Sends what the listener gets until it ends or the client is gone, and `done` after a proper end."""
    response = web.StreamResponse(headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
    response.content_type = "text/event-stream"
    response.charset = "utf-8"
    try:
        await response.prepare(request)
        while not isinstance(frame := await listener.frames.get(), End):
            await response.write(frame)
        if frame is End.DONE and done:
            await response.write(done)
        if frame is not End.CUT:
            await response.write_eof()
    except ConnectionResetError:
        # The client is gone; there is nobody to tell.
        return response
    if frame is End.CUT:
        cut(request)
    return response


def cut(request: web.Request) -> None:
    """Break the connection of a request."""
    if request.transport is not None:
        request.transport.abort()

"""The bytes of a request as they arrive, never more than was agreed."""

import asyncio

from aiohttp import web

from deep_chat_proxy.browser.memory import Share
from deep_chat_proxy.errors import ChatError, refused


class RequestBody:
    """Reads a request's body in the pieces it comes in, decompressed.

    The next piece is waited for `max_pause` seconds at most. Until `limit` was called only `beginning` may be
    read. Reading raises ChatError: 400 where the body is cut off or damaged, 408 after such a pause, and what
    `limit` was told.
    """

    def __init__(self, request: web.Request, max_pause: float) -> None:
        self._max_pause = max_pause
        self._content = request.content
        self._declared = request.content_length
        self._ahead = b""
        self._left = 0
        self._excess = refused(413, "The request is too large.")

    async def beginning(self, size: int) -> bytes:
        """At least `size` bytes from the start, or all there are; `chunk` gives them again."""
        while len(self._ahead) < size and (data := await self._read()):
            self._ahead += data
        return self._ahead

    def limit(self, most: int, excess: ChatError) -> None:
        """Raise `excess` as soon as there are more than `most` bytes: now, where Content-Length says so."""
        self._left = most
        self._excess = excess
        if self._declared is not None and self._declared > most:
            raise excess

    async def chunk(self) -> bytes:
        """The next bytes; empty at the end."""
        data, self._ahead = self._ahead, b""
        data = data or await self._read()
        self._left -= len(data)
        if self._left < 0:
            raise self._excess
        return data

    async def rest(self, share: Share | None = None) -> bytes:
        """All that is left, joined, which `share` holds meanwhile. Raises ChatError, as that does."""
        parts = bytearray()
        while data := await self.chunk():
            if share is not None:
                share.hold(len(data))
            parts += data
        return bytes(parts)

    async def _read(self) -> bytes:
        # aiohttp waits without end for a body that stops coming, and so it does behind a broken chunk header.
        try:
            async with asyncio.timeout(self._max_pause):
                return await self._content.readany()
        except TimeoutError as fault:
            raise refused(408, "The message did not arrive in time. Please send it again.") from fault
        except (web.RequestPayloadError, OSError) as fault:
            # The body does not match its Content-Encoding, or the connection ended in the middle.
            raise refused(400, "The message did not arrive completely. Please send it again.") from fault

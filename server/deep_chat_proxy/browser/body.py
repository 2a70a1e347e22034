"""The bytes of a request as they arrive, never more than was agreed."""

from aiohttp import web

from deep_chat_proxy.errors import ChatError, refused


class RequestBody:
    """Reads a request's body in the pieces it comes in, decompressed.

    Until `limit` was called only `beginning` may be read.
    """

    def __init__(self, request: web.Request) -> None:
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
        """The next bytes; empty at the end. Raises ChatError (400) where the body is cut off or damaged."""
        data, self._ahead = self._ahead, b""
        data = data or await self._read()
        self._left -= len(data)
        if self._left < 0:
            raise self._excess
        return data

    async def rest(self) -> bytes:
        """All that is left, joined; raises as `chunk` does."""
        parts = bytearray()
        while data := await self.chunk():
            parts += data
        return bytes(parts)

    async def _read(self) -> bytes:
        try:
            return await self._content.readany()
        except (web.RequestPayloadError, OSError) as fault:
            # A wrong Content-Encoding or chunk header, or the connection ended in the middle.
            raise refused(400, "The message did not arrive completely. Please send it again.") from fault

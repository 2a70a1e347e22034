"""HTTP/1.1 messages on a stream: their heads, and their bodies without the frames around them."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import NamedTuple

_MOST_AT_ONCE = 64 * 1024
_EMPTY = frozenset({204, 304})


class Head(NamedTuple):
    """A request or status line, and the header lines as they came."""

    first: str
    lines: tuple[str, ...]

    @classmethod
    def answer(cls, status: int, headers: Mapping[str, str], body: bytes) -> "Head":
        """The head of an answer in JSON."""
        lines = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
        return cls(f"HTTP/1.1 {status} Status", tuple(f"{name}: {value}" for name, value in lines.items()))

    @property
    def wire(self) -> bytes:
        return "\r\n".join((self.first, *self.lines, "", "")).encode("latin-1")

    @property
    def chunked(self) -> bool:
        return self.get("Transfer-Encoding").lower() == "chunked"

    @property
    def keeps_alive(self) -> bool:
        """Whether another message may follow on the connection."""
        ends = (
            self.status and not self.chunked and not self.get("Content-Length") and self.status not in _EMPTY
        )
        return "HTTP/1.1" in self.first and self.get("Connection").lower() != "close" and not ends

    @property
    def status(self) -> int:
        """Of an answer; 0 of a request."""
        return int(self.first.split(" ")[1]) if self.first.startswith("HTTP/") else 0

    def get(self, name: str) -> str:
        """The value of a header, "" where it is not there."""
        values = (
            line.partition(":")[2] for line in self.lines if line.lower().startswith(f"{name.lower()}:")
        )
        return next(values, "").strip()

    def in_chunks(self) -> "Head":
        """The same, for a body whose length is not known."""
        kept = (line for line in self.lines if not line.lower().startswith("content-length:"))
        return self if self.chunked else Head(self.first, (*kept, "Transfer-Encoding: chunked"))


class Incoming(asyncio.StreamReader):
    """Tells at once that the peer has gone, also while nobody reads: `busy` is cancelled then."""

    def __init__(self) -> None:
        super().__init__()
        self.gone = False
        self.busy: asyncio.Task[object] | None = None

    def feed_eof(self) -> None:
        super().feed_eof()
        self._end()

    def set_exception(self, exc: Exception) -> None:
        super().set_exception(exc)
        self._end()

    def _end(self) -> None:
        self.gone = True
        if self.busy is not None:
            self.busy.cancel()


class Outgoing:
    """Writes a message, at most `size` bytes at a time with `delay` seconds between them (`size` 0: at once)."""

    def __init__(self, writer: asyncio.StreamWriter, size: int = 0, delay: float = 0) -> None:
        # What was drained is on its way, so that a reset afterwards does not take it back.
        writer.transport.set_write_buffer_limits(high=0)
        self._writer = writer
        self._size = size
        self._delay = delay
        self._chunked = False

    async def head(self, head: Head) -> None:
        self._chunked = head.chunked
        await self._write(head.wire)

    async def piece(self, piece: bytes) -> None:
        """A part of the body; b"" is none."""
        if piece:
            await self._write(b"%x\r\n%s\r\n" % (len(piece), piece) if self._chunked else piece)

    async def end(self) -> None:
        if self._chunked:
            await self._write(b"0\r\n\r\n")

    async def _write(self, data: bytes) -> None:
        size = self._size or len(data)
        for start in range(0, len(data), size):
            self._writer.write(data[start : start + size])
            await self._writer.drain()
            if self._size:
                # A delay of 0 lets the peer read, where it shares the loop, before the next ones come.
                await asyncio.sleep(self._delay)


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """The next head; None where the peer ends the connection instead."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as fault:
        if fault.partial:
            raise
        return None
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    return Head(first, tuple(lines))


def body_of(head: Head, reader: asyncio.StreamReader, *, to: str = "") -> AsyncGenerator[bytes]:
    """The body of a message, in pieces as they come; `to` is the method of a request that is answered.

    Raises IncompleteReadError where it breaks off.
    """
    if to == "HEAD" or head.status in _EMPTY:
        return _counted(reader, 0)
    if head.chunked:
        return _chunks(reader)
    if head.status and not head.get("Content-Length"):
        return _rest(reader)
    return _counted(reader, int(head.get("Content-Length") or 0))


async def _chunks(reader: asyncio.StreamReader) -> AsyncGenerator[bytes]:
    while size := int((await reader.readuntil(b"\n")).partition(b";")[0], 16):
        async for piece in _counted(reader, size):
            yield piece
        await reader.readexactly(2)
    while (await reader.readuntil(b"\n")).strip():
        # Trailers are not passed on.
        continue


async def _counted(reader: asyncio.StreamReader, size: int) -> AsyncGenerator[bytes]:
    while size:
        piece = await reader.read(min(size, _MOST_AT_ONCE))
        if not piece:
            raise asyncio.IncompleteReadError(b"", size)
        size -= len(piece)
        yield piece


async def _rest(reader: asyncio.StreamReader) -> AsyncGenerator[bytes]:
    while piece := await reader.read(_MOST_AT_ONCE):
        yield piece

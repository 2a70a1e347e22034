"""Bytes to a server's socket as they are, and the answer as it came."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from multidict import CIMultiDict, CIMultiDictProxy

from captured import Capture
from flows.visitor import WAIT, Answer


def addressed(capture: Capture, port: int, *, path: str | None = None, origin: str | None = None) -> bytes:
    """A captured request as the same page would send it to 127.0.0.1:`port`.

    The page is the server's own, or one of `origin`; `path` replaces the path. Keep-alive becomes close.
    """
    host = f"127.0.0.1:{port}"
    page = (origin or f"http://{host}").encode()
    head = capture.head
    for name, value in (
        (b"Host", host.encode()),
        (b"Origin", page),
        (b"Referer", page + b"/"),
        (b"Connection", b"close"),
    ):
        head = re.sub(rb"(?im)^%s:[^\r\n]*" % name, b"%s: %s" % (name, value), head)
    if path is not None:
        method, _, rest = head.split(b" ", 2)
        head = b" ".join((method, path.encode(), rest))
    return head + b"\r\n\r\n" + capture.body


async def exchange(port: int, *pieces: bytes) -> Answer | None:
    """Send a request in these pieces and read its answer; None where the server closes without one.

    The request asks for the connection to be closed, so that has to follow.
    """
    async with asyncio.timeout(WAIT), connection(port) as (reader, writer):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            # Lets the server read it before the next one comes.
            await asyncio.sleep(0)
        answer = await read_answer(reader, has_body=not pieces[0].startswith(b"HEAD "))
        if answer is not None:
            assert not await reader.read(), "the connection goes on"
        return answer


@asynccontextmanager
async def connection(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def read_answer(reader: asyncio.StreamReader, *, has_body: bool = True) -> Answer | None:
    """The answer to one request; None where the server closes without one."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"HTTP/1.1 100 "):
            head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionResetError) as fault:
        if getattr(fault, "partial", b""):
            raise
        return None
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    headers: CIMultiDict[str] = CIMultiDict()
    for line in lines:
        name, _, value = line.partition(": ")
        headers.add(name, value)
    body = await _read_body(reader, headers) if has_body else b""
    return Answer(int(first.split(" ")[1]), CIMultiDictProxy(headers), body)


async def _read_body(reader: asyncio.StreamReader, headers: CIMultiDict[str]) -> bytes:
    """The body, decoded where it comes in chunks; it must be as long as it says."""
    if headers.get("Transfer-Encoding") != "chunked":
        return await reader.readexactly(int(headers.get("Content-Length", "0")))
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        assert await reader.readexactly(2) == b"\r\n"
    assert await reader.readexactly(2) == b"\r\n"
    return body

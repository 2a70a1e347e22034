"""Requests of the real Deep Chat, recorded byte for byte, and a way to send bytes as they are."""

import asyncio
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent / "captures"


class Capture(NamedTuple):
    """One recorded request: the head without its last blank line, and the body."""

    head: bytes
    body: bytes

    @property
    def method(self) -> str:
        return self.head.split(b" ", 1)[0].decode()

    @property
    def raw(self) -> bytes:
        """The request as it was sent, but to another server that closes the connection after it."""
        head = re.sub(rb"(?im)^Host:.*$", b"Host: 127.0.0.1", self.head.replace(b"\r\n", b"\n"))
        head = re.sub(rb"(?im)^Connection:.*$", b"Connection: close", head)
        return head.replace(b"\n", b"\r\n") + b"\r\n\r\n" + self.body


def capture(name: str) -> Capture:
    head, _, body = (FOLDER / f"{name}.http").read_bytes().partition(b"\r\n\r\n")
    return Capture(head, body)


def capture_names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.http"))


def post(body: bytes, *headers: str, path: str = "/api/chat", length: int | None = None) -> bytes:
    """A POST with these header lines; `length` is declared instead of the body's own where given."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Connection: close",
        f"Content-Length: {len(body) if length is None else length}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Answer(NamedTuple):
    status: int
    content: Any


async def exchange(port: int, pieces: Iterable[bytes]) -> Answer:
    """Send the pieces one by one and read the JSON answer, within 5 seconds.

    A server that refuses a request before its end leaves the connection open for a while, so the answer's own
    length is what ends it.
    """
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\nContent-Length: (\d+)", head)
            assert length is not None, head
            body = await reader.readexactly(int(length[1]))
        finally:
            writer.close()
        return Answer(int(head.split(b" ", 2)[1]), json.loads(body))

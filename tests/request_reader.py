"""A server that does nothing but read chat requests and tell what it understood."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

import captured
from captured import Answer
from deep_chat_proxy.browser.limits import RequestLimits
from deep_chat_proxy.browser.request import ChatRequest, read_chat_request
from deep_chat_proxy.errors import ChatError

BOUNDARY = "----WebKitFormBoundaryvGGM8uhiBdcN5DT2"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(32)


class RequestReader:
    """`ask` and `send` answer with what was read; `folder` holds the spooled files while it is told."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port

    async def send(self, pieces: Iterable[bytes]) -> Answer:
        return await captured.exchange(self.port, pieces)

    async def ask(self, raw: bytes) -> Answer:
        return await self.send([raw])

    def left_over(self) -> list[Path]:
        return list(self.folder.iterdir())


@asynccontextmanager
async def request_reader(folder: Path, limits: RequestLimits | None = None) -> AsyncIterator[RequestReader]:
    """Run such a server; a ChatError is answered as the real one does, anything else is a 500."""
    app = web.Application()
    app.router.add_post("/{path:.*}", _handler(folder, limits or RequestLimits()))
    server = TestServer(app)
    await server.start_server()
    try:
        yield RequestReader(folder, server.port or 0)
    finally:
        await server.close()


def _handler(folder: Path, limits: RequestLimits) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        try:
            chat = await read_chat_request(request, limits, folder)
        except ChatError as fault:
            return web.json_response({"error": fault.problem.sentence}, status=fault.problem.status)
        told = _told(chat)
        await chat.discard()
        return web.json_response(told)

    return handle


def _told(chat: ChatRequest) -> dict[str, Any]:
    return {
        "text": chat.text,
        "files": [
            {
                "name": upload.name,
                "media_type": upload.media_type,
                "kind": upload.kind,
                "size": upload.size,
                "sha256": upload.sha256,
                "on_disk": upload.path.stat().st_size,
            }
            for upload in chat.uploads
        ],
        "thread_id": chat.thread.thread_id,
        "session_ids": list(chat.thread.session_ids),
        "stream": chat.stream,
    }


def part(name: str, content: bytes, filename: str | None = None) -> bytes:
    """One part of a form, as Chromium writes it."""
    disposition = f'Content-Disposition: form-data; name="{name}"'
    if filename is not None:
        escaped = filename.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
        disposition += f'; filename="{escaped}"\r\nContent-Type: application/octet-stream'
    return f"--{BOUNDARY}\r\n{disposition}\r\n\r\n".encode() + content + b"\r\n"


def form(*parts: bytes, content_type: str = f"multipart/form-data; boundary={BOUNDARY}") -> bytes:
    """A whole request with such a body."""
    return captured.post(form_body(*parts), f"Content-Type: {content_type}")


def form_body(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def json_post(body: bytes | str, *headers: str) -> bytes:
    """A whole request with a JSON body."""
    data = body.encode() if isinstance(body, str) else body
    return captured.post(data, "Content-Type: application/json", *headers)

"""A file on its way to the browser: the whole or a part of it, never more of it in memory than a piece."""

import asyncio
from collections.abc import AsyncGenerator

from aiohttp import web

from deep_chat_proxy.browser.files_out.headers import HEAD, file_headers, names_an_image
from deep_chat_proxy.browser.files_out.ranges import Part, Span
from deep_chat_proxy.browser.json_answer import json_answer
from deep_chat_proxy.errors import CUT_OFF, ChatError
from deep_chat_proxy.upstream.files import Content

# How long a browser may read nothing of a file, in seconds.
_SEND_TIMEOUT = 60.0


async def send_file(
    request: web.Request, content: Content, name: str, part: Part | None
) -> web.StreamResponse:
    """Answer with a file called `name`, or with a part of it; `content` begins at the part, or before it.

    A part of a file whose size nobody knows is the whole. Raises ChatError where the file ends too early; after the
    beginning of the answer, that has to close the connection.
    """
    first = await _beginning(content.chunks) if names_an_image(name) else b""
    span = None
    if content.size is not None:
        span = Span(0, content.size) if part is None else part.of(content.size)
        if span is None:
            return _not_there(content.size)
    response = _response(name, first, content.size, span, partial=part is not None)
    await response.prepare(request)
    if request.method != "HEAD":
        sending = _Sending(response, span, content.start)
        await sending.take(first)
        await sending.take_all(content.chunks)
    return response


def _response(
    name: str, first: bytes, size: int | None, span: Span | None, *, partial: bool
) -> web.StreamResponse:
    response = web.StreamResponse(headers=file_headers(name, first[:HEAD]))
    if span is None:
        return response
    response.headers["Accept-Ranges"] = "bytes"
    response.content_length = span.stop - span.start
    if partial:
        response.set_status(206)
        response.headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{size}"
    return response


def _not_there(size: int) -> web.Response:
    answer = json_answer({"error": "The file has no such part."}, status=416)
    answer.headers.update({"Accept-Ranges": "bytes", "Content-Range": f"bytes */{size}"})
    return answer


async def _beginning(chunks: AsyncGenerator[bytes]) -> bytes:
    beginning = b""
    while len(beginning) < HEAD:
        try:
            beginning += await anext(chunks)
        except StopAsyncIteration:
            break
    return beginning


class _Sending:
    """Writes what of a file is in the span, all of it where there is none; the bytes come from `start` of the file on."""

    def __init__(self, response: web.StreamResponse, span: Span | None, start: int) -> None:
        self._response = response
        self._skip = 0 if span is None else span.start - start
        self._left = None if span is None else span.stop - span.start

    async def take(self, chunk: bytes) -> None:
        """The next bytes of the file."""
        skipped = min(self._skip, len(chunk))
        self._skip -= skipped
        stop = None if self._left is None else skipped + self._left
        wanted = chunk[skipped:stop]
        if self._left is not None:
            self._left -= len(wanted)
        if wanted:
            async with asyncio.timeout(_SEND_TIMEOUT):
                await self._response.write(wanted)

    async def take_all(self, chunks: AsyncGenerator[bytes]) -> None:
        """The rest of the file, until nothing more is wanted. Raises ChatError where it ends before."""
        while self._left != 0:
            try:
                chunk = await anext(chunks)
            except StopAsyncIteration:
                break
            await self.take(chunk)
        if self._left:
            raise ChatError(CUT_OFF, f"a file ended {self._left} bytes too early")

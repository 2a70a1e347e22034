"""Files that the assistant made and that visitors sent, passed on from the back end or the shelf to whose they are."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path

from aiohttp import web

from deep_chat_proxy.browser.files_out.download import send_file
from deep_chat_proxy.browser.files_out.headers import names_an_image
from deep_chat_proxy.browser.files_out.ranges import Part, wanted_part
from deep_chat_proxy.browser.keys import CHAT, Chat
from deep_chat_proxy.browser.ownership import own_file
from deep_chat_proxy.errors import CUT_OFF, FAILED, FILE_NOT_FOUND, ChatError
from deep_chat_proxy.middleware.session import SESSION
from deep_chat_proxy.store.records import FileRecord
from deep_chat_proxy.store.shelf import Shelf
from deep_chat_proxy.upstream.failures import UpstreamError
from deep_chat_proxy.upstream.files import Content, Files

# Bytes of a file that are read at once.
_PIECE = 262_144


async def get_file(request: web.Request) -> web.StreamResponse:
    """GET /api/files/{id}/{name}: the file as an attachment, images inline; a part of it where `Range` asks for one.

    The name in the address is for show.
    """
    chat = request.app[CHAT]
    file = await own_file(chat.store, request[SESSION], request.match_info["file_id"])
    part = wanted_part(request)
    async with _opened(chat, file, part) as content, aclosing(content.chunks):
        return await send_file(request, content, file.name, part)


@asynccontextmanager
async def _opened(chat: Chat, file: FileRecord, part: Part | None) -> AsyncIterator[Content]:
    """The file wherever it is, from its beginning or from where the part begins. Raises ChatError."""
    async with AsyncExitStack() as stack:
        if file.key is not None:
            content = await _on_shelf(chat.shelf, file, file.key, part)
        else:
            content = await _at_back_end(stack, chat.files, file, part)
        yield content


async def _at_back_end(stack: AsyncExitStack, files: Files, file: FileRecord, part: Part | None) -> Content:
    try:
        # Whether it is an image is seen at its beginning.
        if part is not None and not names_an_image(file.name):
            content = await _part(stack, files, file.upstream_id, part)
            if content is not None:
                return content
        content = await stack.enter_async_context(files.content(file.upstream_id))
    except UpstreamError as fault:
        if fault.status != 404:
            raise
        raise ChatError(FILE_NOT_FOUND, "the back end no longer has the file") from fault
    if content.stop is not None:
        raise ChatError(FAILED, "the back end gave a part of a file that it was asked for as a whole")
    return content


async def _part(stack: AsyncExitStack, files: Files, upstream_id: str, part: Part) -> Content | None:
    """The part or the whole, as the back end likes; None where it gives neither."""
    try:
        content = await stack.enter_async_context(files.content(upstream_id, part.header))
    except UpstreamError as fault:
        if fault.status != 416:
            raise
        return None
    span = part.of(content.size or 0)
    right = span is not None and (span.start, span.stop) == (content.start, content.stop)
    return content if right or content.stop is None else None


async def _on_shelf(shelf: Shelf, file: FileRecord, key: str, part: Part | None) -> Content:
    path = await shelf.find(key)
    size = None if path is None else await asyncio.to_thread(_size, path)
    if path is None or size is None:
        raise ChatError(FILE_NOT_FOUND, "the file had to make room for newer ones")
    span = None if part is None or names_an_image(file.name) else part.of(size)
    start = 0 if span is None else span.start
    return Content(size, _pieces(path, start), start)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


async def _pieces(path: Path, at: int) -> AsyncGenerator[bytes]:
    while piece := await asyncio.to_thread(_piece, path, at):
        at += len(piece)
        yield piece


def _piece(path: Path, at: int) -> bytes:
    """Some bytes of a file, which is opened for each: whoever waits for it may be stopped, and nothing stays open."""
    try:
        with path.open("rb") as file:
            file.seek(at)
            return file.read(_PIECE)
    except FileNotFoundError as fault:
        raise ChatError(CUT_OFF, "the file had to make room for newer ones while it was read") from fault

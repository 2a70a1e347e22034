"""Files of the assistant, passed on from the back end to the visitor they were made for."""

import asyncio
from contextlib import aclosing
from pathlib import PurePosixPath
from urllib.parse import quote

from aiohttp import web

from deep_chat_proxy.browser.keys import CHAT
from deep_chat_proxy.browser.ownership import own_file
from deep_chat_proxy.errors import FILE_NOT_FOUND, ChatError
from deep_chat_proxy.middleware.session import SESSION
from deep_chat_proxy.store.shelf import Shelf
from deep_chat_proxy.upstream.failures import UpstreamError
from deep_chat_proxy.upstream.files import Content

# The kinds a browser shows without running anything; all others are attachments of no stated type, so that
# what a model wrote is never a page of ours.
_SHOWN = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
}
# How long a browser may read nothing of a file, in seconds.
_SEND_TIMEOUT = 60.0
_PASSED = {".csv": "text/csv", ".txt": "text/plain", ".pdf": "application/pdf", ".json": "application/json"}


async def get_file(request: web.Request) -> web.StreamResponse:
    """GET /api/files/{id}/{name}: the file as an attachment, images inline. The name in the address is for show."""
    chat = request.app[CHAT]
    file = await own_file(chat.store, request[SESSION], request.match_info["file_id"])
    if file.key is not None:
        return await _from_shelf(chat.shelf, file.key, file.name)
    try:
        async with chat.files.content(file.upstream_id) as content:
            return await _pass_on(request, content, file.name)
    except UpstreamError as fault:
        if fault.status != 404:
            raise
        raise ChatError(FILE_NOT_FOUND, "the back end no longer has the file") from fault


async def _from_shelf(shelf: Shelf, key: str, name: str) -> web.StreamResponse:
    path = await shelf.find(key)
    if path is None:
        raise ChatError(FILE_NOT_FOUND, "the file had to make room for newer ones")
    return web.FileResponse(path, headers=file_headers(name))


async def _pass_on(request: web.Request, content: Content, name: str) -> web.StreamResponse:
    response = web.StreamResponse(headers=file_headers(name))
    if content.size is not None:
        response.content_length = content.size
    await response.prepare(request)
    if request.method != "HEAD":
        async with aclosing(content.chunks) as chunks:
            async for chunk in chunks:
                async with asyncio.timeout(_SEND_TIMEOUT):
                    await response.write(chunk)
    return response


def file_headers(name: str) -> dict[str, str]:
    """Headers under which a file called `name` can do no harm."""
    suffix = PurePosixPath(name).suffix.lower()
    shown = suffix in _SHOWN
    media_type = _SHOWN.get(suffix) or _PASSED.get(suffix, "application/octet-stream")
    return {
        "Content-Type": media_type,
        "Content-Disposition": f"{'inline' if shown else 'attachment'}; filename*=UTF-8''{quote(name, safe='')}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "private, max-age=3600",
    }

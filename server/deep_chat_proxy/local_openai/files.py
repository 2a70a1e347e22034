"""The files API: uploads, lists, contents."""

import time
from urllib.parse import quote

from aiohttp import web

from deep_chat_proxy.local_openai import body, errors, form, paging
from deep_chat_proxy.local_openai.errors import ApiError
from deep_chat_proxy.local_openai.objects import OUTPUT, FileObject, KeptFile
from deep_chat_proxy.local_openai.state import STATE

PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
DOWNLOADABLE = frozenset({"vision", OUTPUT, "batch", "fine-tune"})
"""Purposes whose files can be had back; what was given to an assistant cannot."""
EXPIRY = (3_600, 2_592_000)
"""Seconds that a file may be told to live: an hour to 30 days."""


async def upload(request: web.Request) -> web.Response:
    sent = await form.read(request, "'file' and 'purpose'")
    purpose = sent.needed("purpose")
    if purpose not in PURPOSES:
        raise ApiError(
            400,
            f"'{purpose}' is not one of {list(PURPOSES)} - 'purpose'",
            param="purpose",
            code="invalid_value",
        )
    stored = request.app[STATE].add_file(sent.name, sent.file, purpose, lives=_lives(sent.fields))
    return body.answer(stored)


def _lives(fields: dict[str, str]) -> int | None:
    seconds = fields.get("expires_after[seconds]")
    if seconds is None:
        return None
    shortest, longest = EXPIRY
    if not (
        seconds.isascii() and seconds.isdigit() and len(seconds) < 10 and shortest <= int(seconds) <= longest
    ):
        raise errors.invalid_value("expires_after.seconds", f"expected {shortest} to {longest}.")
    return int(seconds)


def _find(request: web.Request) -> KeptFile:
    file_id = request.match_info["file_id"]
    kept = request.app[STATE].files.get(file_id)
    if kept is None or (kept.file.expires_at is not None and kept.file.expires_at <= time.time()):
        raise ApiError(404, f"No such File object: {file_id}", param="id")
    return kept


async def list_files(request: web.Request) -> web.Response:
    purpose = request.query.get("purpose")
    files = [
        kept.file for kept in request.app[STATE].files.values() if purpose in {None, "", kept.file.purpose}
    ]
    asked = paging.query(request, default=10_000, most=10_000)
    chosen, has_more = paging.page(files, asked, what="file", id_of=_id_of)
    return body.answer(paging.list_object(chosen, [file.id for file in chosen], has_more=has_more))


def _id_of(file: FileObject) -> str:
    return file.id


async def retrieve(request: web.Request) -> web.Response:
    return body.answer(_find(request).file)


async def delete(request: web.Request) -> web.Response:
    file = _find(request).file
    del request.app[STATE].files[file.id]
    return body.answer({"id": file.id, "object": "file", "deleted": True})


async def content(request: web.Request) -> web.Response:
    kept = _find(request)
    if kept.file.purpose not in DOWNLOADABLE:
        raise errors.not_downloadable(kept.file.purpose)
    disposition = f"attachment; filename*=UTF-8''{quote(kept.file.filename, errors='replace')}"
    return web.Response(
        body=kept.data, content_type="application/octet-stream", headers={"Content-Disposition": disposition}
    )

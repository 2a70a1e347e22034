"""The files API: uploads, lists, contents."""

import time
from urllib.parse import quote

from aiohttp import BodyPartReader, MultipartReader, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from deep_chat_proxy.local_openai import body, errors, paging
from deep_chat_proxy.local_openai.errors import ApiError, missing, too_large
from deep_chat_proxy.local_openai.objects import OUTPUT, FileObject, KeptFile
from deep_chat_proxy.local_openai.state import STATE

PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
DOWNLOADABLE = frozenset({"vision", OUTPUT, "batch", "fine-tune"})
"""Purposes whose files can be had back; what was given to an assistant cannot."""
MOST_FIELDS = 20
LONGEST_FIELD = 10_000
LONGEST_NAME = 255
EXPIRY = (3_600, 2_592_000)
"""Seconds that a file may be told to live: an hour to 30 days."""


async def upload(request: web.Request) -> web.Response:
    name, data, fields = await _read_form(request)
    purpose = fields.get("purpose")
    if not purpose:
        raise missing("purpose")
    if purpose not in PURPOSES:
        raise ApiError(
            400,
            f"'{purpose}' is not one of {list(PURPOSES)} - 'purpose'",
            param="purpose",
            code="invalid_value",
        )
    if data is None:
        raise missing("file")
    return body.answer(request.app[STATE].add_file(name, data, purpose, lives=_lives(fields)))


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


async def _read_form(request: web.Request) -> tuple[str, bytes | None, dict[str, str]]:
    """File name, bytes and the other fields of a multipart body. Raises ApiError (400, 413)."""
    if not request.content_type.startswith("multipart/"):
        raise ApiError(400, "Expected a multipart/form-data body with the fields 'file' and 'purpose'.")
    try:
        return await _read_parts(await request.multipart(), request.app[STATE].options.max_upload)
    except (HttpProcessingError, ValueError, AssertionError, RuntimeError, EOFError) as error:
        raise ApiError(400, "Could not parse multipart form") from error


async def _read_parts(reader: MultipartReader, largest: int) -> tuple[str, bytes | None, dict[str, str]]:
    name, data = "", None
    fields: dict[str, str] = {}
    count = 0
    async for part in reader:
        count += 1
        if not isinstance(part, BodyPartReader) or count > MOST_FIELDS:
            raise ApiError(400, "Could not parse multipart form")
        if part.name == "file":
            name = _safe_name(part.filename)
            data = await _read_part(part, largest)
        elif part.name:
            fields[part.name] = (await _read_part(part, LONGEST_FIELD)).decode(errors="replace")
    return name, data, fields


async def _read_part(part: BodyPartReader, largest: int) -> bytes:
    data = bytearray()
    while chunk := await part.read_chunk():
        data += chunk
        if len(data) > largest:
            raise too_large(largest)
    return bytes(part.decode(data)) if hdrs.CONTENT_TRANSFER_ENCODING in part.headers else bytes(data)


def _safe_name(name: str | None) -> str:
    plain = (name or "file").replace("\\", "/").rpartition("/")[2]
    return "".join(sign for sign in plain if sign.isprintable())[:LONGEST_NAME] or "file"


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

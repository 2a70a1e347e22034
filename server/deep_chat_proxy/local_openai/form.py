"""Multipart bodies: one file and some fields."""

from aiohttp import BodyPartReader, MultipartReader, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from msgspec import Struct

from deep_chat_proxy.local_openai.errors import ApiError, missing, too_large
from deep_chat_proxy.local_openai.state import STATE

MOST_FIELDS = 20
LONGEST_FIELD = 10_000
LONGEST_NAME = 255


class Form(Struct, frozen=True):
    """`data` is None where no file came, `name` is that of the file."""

    name: str
    data: bytes | None
    fields: dict[str, str]

    def needed(self, field: str) -> str:
        """A field that must be there. Raises ApiError (400)."""
        value = self.fields.get(field)
        if not value:
            raise missing(field)
        return value

    @property
    def file(self) -> bytes:
        """The file, which must be there. Raises ApiError (400)."""
        if self.data is None:
            raise missing("file")
        return self.data


async def read(request: web.Request, expected: str) -> Form:
    """The body; `expected` names the fields to whoever sends another one. Raises ApiError (400, 413)."""
    if not request.content_type.startswith("multipart/"):
        raise ApiError(400, f"Expected a multipart/form-data body with the fields {expected}.")
    try:
        return await _read_parts(await request.multipart(), request.app[STATE].options.max_upload)
    except (HttpProcessingError, ValueError, AssertionError, RuntimeError, EOFError) as error:
        raise ApiError(400, "Could not parse multipart form") from error


async def _read_parts(reader: MultipartReader, largest: int) -> Form:
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
    return Form(name, data, fields)


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

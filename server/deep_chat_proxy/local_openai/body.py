"""JSON in and out."""

import re
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from deep_chat_proxy.local_openai.errors import ApiError, invalid_type, missing, too_large, too_long

T = TypeVar("T")
MISSING = re.compile(r"Object missing required field `(\w+)`(?: - at `\$\.?(.*)`)?")
UNKNOWN = re.compile(r"Object contains unknown field `(.*)`(?: - at `\$\.?(.*)`)?", re.DOTALL)
TOO_LONG = re.compile(r"Expected `str` of length <= (\d+) - at `\$\.?(.*)`", re.DOTALL)
PLACED = re.compile(r"(.*) - at `\$\.?(.*)`", re.DOTALL)


async def read(request: web.Request, shape: type[T]) -> T:
    """The body as `shape`; no body is an empty object, as for OpenAI. Raises ApiError (400, 413)."""
    try:
        raw = await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise too_large(request.client_max_size) from error
    return decode(raw or b"{}", shape)


def decode(raw: bytes, shape: type[T]) -> T:
    """`raw` JSON as `shape`. Raises ApiError (400) that names the field where one is wrong."""
    try:
        return msgspec.json.decode(raw, type=shape)
    except msgspec.ValidationError as error:
        raise explained(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(
            400, "We could not parse the JSON body of your request. The API expects a JSON payload."
        ) from error


def explained(text: str, *, within: str = "") -> ApiError:
    """A sentence of msgspec in OpenAI's words; `within` is where the checked value stands in the body."""
    if found := MISSING.match(text):
        return missing(_joined(within, found[2], found[1]))
    if found := UNKNOWN.match(text):
        param = _joined(within, found[2], found[1])
        return ApiError(400, f"Unknown parameter: '{param}'.", param=param, code="unknown_parameter")
    if found := TOO_LONG.match(text):
        return too_long(_joined(within, found[2]), found[1])
    if found := PLACED.match(text):
        return invalid_type(_joined(within, found[2]) or "body", found[1])
    return invalid_type(within or "body", text)


def _joined(*places: str | None) -> str:
    """One path out of the parts of one."""
    return ".".join(place for place in places if place)


def answer(content: Any, *, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(body=msgspec.json.encode(content), status=status, content_type="application/json")

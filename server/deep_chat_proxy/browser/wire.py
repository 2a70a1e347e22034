"""Deep Chat's request JSON, of which only what is used gets built.

Fields are `Raw`: views of the body, decoded when somebody asks. Messages of earlier turns repeat every
image as base64 and may have any shape at all, so they are stepped over rather than decoded.
"""

import re
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct, field

from deep_chat_proxy.errors import refused

T = TypeVar("T")

# A `Raw` costs many times the two bytes of a `1,` in the body; this keeps a list in proportion to the body.
_MOST_COMMAS = 250_000
_MOST_MENDED = 1_000

# A JavaScript string may be cut within a surrogate pair; JSON.stringify writes the half as an escape, which
# is JSON all the same but no Unicode text. An even number of backslashes before it is text, not an escape.
_LONE_SURROGATE = re.compile(
    rb"(?<!\\)((?:\\\\)*+)(?:"
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})|"
    rb"(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2})"
)


class WireBody(Struct, frozen=True):
    """A JSON request; `additionalBodyProps` stand beside these two."""

    messages: Raw = Raw()
    thread_id: Raw = Raw()


class WireMessage(Struct, frozen=True):
    """One of Deep Chat's MessageContent objects; an absent field is empty."""

    role: Raw = Raw()
    text: Raw = Raw()
    html: Raw = Raw()
    files: Raw = Raw()
    session_id: Raw = field(default=Raw(), name="_sessionId")


class WireFile(Struct, frozen=True):
    """A file within a message. `src` is a data URL where there are bytes at all."""

    src: Raw = Raw()
    name: Raw = Raw()


def decoded(data: bytes | Raw, type_: type[T]) -> T | None:
    """`data` as JSON of that type; None where it is other JSON, or none at all."""
    try:
        return msgspec.json.decode(data, type=type_)
    except (msgspec.ValidationError, RecursionError):
        return None
    except (msgspec.DecodeError, UnicodeDecodeError):
        mended = _LONE_SURROGATE.sub(rb"\1\\ufffd", bytes(data), count=_MOST_MENDED)
    try:
        return msgspec.json.decode(mended, type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def items(data: Raw) -> list[Raw] | None:
    """The items of a JSON array; None where it is none. Raises ChatError (413) for one with too many."""
    if bytes(data).count(b",") > _MOST_COMMAS:
        raise refused(413, "This conversation has become too long to send. Please start a new one.")
    return decoded(data, list[Raw])


def is_null(data: Raw) -> bool:
    """Whether a field is absent, or null."""
    return not data or (len(data) == len(b"null") and bytes(data) == b"null")

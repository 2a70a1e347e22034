"""Which part of a file a request asks for (RFC 9110, 14). One part is given; what asks for more gets the whole."""

import re

from aiohttp import web
from msgspec import Struct

_RANGE = re.compile(r"\s*bytes\s*=\s*(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))\s*", re.IGNORECASE)


class Span(Struct, frozen=True):
    """The bytes from `start` to before `stop` of a file."""

    start: int
    stop: int


class Part(Struct, frozen=True):
    """The bytes from `first` to `last`, to the end without a `last`; without a `first` the `last` bytes of the file."""

    first: int | None
    last: int | None

    @property
    def header(self) -> str:
        """The part as a `Range`."""
        return f"bytes={'' if self.first is None else self.first}-{'' if self.last is None else self.last}"

    def of(self, size: int) -> Span | None:
        """Where that is in a file of `size` bytes; None where the file has none of it."""
        if self.first is None:
            span = Span(max(0, size - (self.last or 0)), size)
        else:
            span = Span(self.first, size if self.last is None else min(self.last + 1, size))
        return span if span.start < span.stop else None


def wanted_part(request: web.Request) -> Part | None:
    """The part that a request asks for; None where it asks for the whole file.

    Only GET has ranges. Our files have no validators, so no `If-Range` can match.
    """
    if request.method != "GET" or "If-Range" in request.headers:
        return None
    found = _RANGE.fullmatch(",".join(request.headers.getall("Range", ())))
    if found is None:
        return None
    if found[3] is not None:
        return Part(None, int(found[3]))
    part = Part(int(found[1]), int(found[2]) if found[2] else None)
    backwards = part.last is not None and part.last < int(found[1])
    return None if backwards else part

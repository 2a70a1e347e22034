"""Cookies as answers set them; `SimpleCookie` would drop one whose attributes it does not know."""

from typing import NamedTuple

from multidict import CIMultiDictProxy


class SetCookie(NamedTuple):
    """One `Set-Cookie`; the names of attributes in lower case, "" where one has no value."""

    name: str
    value: str
    attributes: dict[str, str]


def cookie_in(headers: CIMultiDictProxy[str]) -> SetCookie | None:
    """The only cookie that an answer sets."""
    found = [read(header) for header in headers.getall("Set-Cookie", [])]
    assert len(found) <= 1
    return found[0] if found else None


def read(header: str) -> SetCookie:
    """The parts of a header."""
    parts = [part.partition("=") for part in header.split("; ")]
    (name, _, value), *attributes = parts
    return SetCookie(name, value, {name.lower(): value for name, _, value in attributes})

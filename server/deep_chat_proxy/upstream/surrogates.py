"""Halves of characters: servers that cut text by UTF-16 units send an emoji as two escapes in two events."""

import re

_HALF = re.compile("[\ud800-\udfff]")


def ends_in_half(text: str) -> bool:
    """Whether the last character is the first half of one."""
    return "\ud800" <= text[-1:] <= "\udbff"


def joined(text: str) -> str:
    """The text with halves that belong together made one character, and lone ones replaced by U+FFFD."""
    if text.isascii() or not _HALF.search(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def mended(value: object, pieces: frozenset[str] = frozenset(), name: str = "") -> object:
    """JSON in which no string holds halves but those called one of `pieces`, whose other halves may be yet to come."""
    match value:
        case str():
            return value if name in pieces else joined(value)
        case dict():
            return {joined(key): mended(each, pieces, key) for key, each in value.items()}
        case list():
            return [mended(each, pieces) for each in value]
        case _:
            return value

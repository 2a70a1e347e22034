"""Links, pictures and definitions of links, and which targets they may have.

A target is allowed by its literal beginning, so that nothing needs to be decoded: entities, escapes, spaces and control
characters in it can only make it forbidden.
"""

import re
from typing import NamedTuple

from deep_chat_proxy.turn.answer.buffer import Buffer

ALLOWED = ("https://", "http://", "mailto:")

_BEFORE_TARGET = re.compile(r"[ ]{0,3}+<?")
_PICTURE = re.compile(r"!\[(?P<alt>[^\[\]\n`\\]{0,150}+)(?:\](?:\((?P<target>[^()\n`\\]{0,300}+)\)?)?)?")
_LABEL = re.compile(r"(?:[^\[\]\n\\`]|\\[^\n]|`[^`\n\[\]]*+`)*+")
_HALF_CODE = re.compile(r"`[^`\n\[\]]*+")
_LONGEST_LABEL = 300
_INNER = re.compile(r"(?:[^()\n\\]|\\[^\n]|\((?:[^()\n\\]|\\[^\n])*+\))*+")
_HALF_PAIR = re.compile(r"\((?:[^()\n\\]|\\[^\n])*+\\?+")
_LONGEST_INNER = 400
# What Markdown takes for a target, with or without a title behind it. Remarkable knows the no-break space as a space.
_LINK_LIKE = re.compile(
    r"[\s\u00a0]*+(?:<[^<>]*+>|sandbox:.*|[^\s\u00a0]*+)(?:[\s\u00a0]++(?:\"[^\"]*+\"|'[^']*+'|\([^()]*+\)))?[\s\u00a0]*+"
)
_TITLE = re.compile(r"\s+(?:\"[^\"]*\"|'[^']*')\s*\Z")
_HOST = re.compile(r"[^\s/?#()<>\[\]\\\"'`!【】|&*_]{0,100}+")
_BEFORE_DEFINED = re.compile(r"[ \t\n\u00a0]{0,64}+")
_NOTE = re.compile(r"[ \t]{1,8}+(?P<word>[^\s:<>&\\%/`\[\]]{0,64}+)(?P<gap>[ ]{0,8}+)")
_SCHEME = re.compile(r"<(?:[A-Za-z.\-][A-Za-z0-9+.\-]{0,40}+)?")
_ADDRESS = re.compile(r"<[^\s<>`\\\[\]()!|【\ue200]{0,500}+")
_AUTOLINKED = ("https:", "http:", "mailto:")


class Link(NamedTuple):
    """A link as a whole, with a target that is forbidden, up to `end`."""

    target: str
    end: int


class _Enclosed(NamedTuple):
    """What stands between an opening and a `closing` character, in no more characters than `longest`.

    `half` takes what `inner` would take if its end were there; an answer may break off in one that is `open_ended`.
    """

    inner: re.Pattern[str]
    half: re.Pattern[str]
    longest: int
    closing: str
    open_ended: bool

    def end(self, buffer: Buffer, position: int) -> int | None:
        """Where `closing` stands; None where it does not. Raises UnfinishedError."""
        text, limit = buffer.text, position + self.longest
        found = self.inner.match(text, position, limit)
        end = position if found is None else found.end()
        if text[end : end + 1] == "\\":
            reached = min(end + 2, len(text))
        else:
            begun = self.half.match(text, end, limit)
            reached = end if begun is None else begun.end()
        if reached >= limit:
            return None
        buffer.require(reached)
        if reached >= len(text):
            return reached if self.open_ended else None
        return end if text[end] == self.closing else None


_IN_BRACKETS = _Enclosed(_LABEL, _HALF_CODE, _LONGEST_LABEL, "]", open_ended=False)
_IN_PARENTHESES = _Enclosed(_INNER, _HALF_PAIR, _LONGEST_INNER, ")", open_ended=True)


def allowed_at(buffer: Buffer, position: int) -> int | None:
    """Where the allowed beginning of a target ends; None for one that is forbidden. Raises UnfinishedError."""
    start = buffer.end_of(_BEFORE_TARGET, position)
    beginning = buffer.starts(start, ALLOWED)
    return start + len(beginning) if beginning else None


def host_at(buffer: Buffer, position: int) -> str:
    """The host of a URL whose scheme ends at `position`. Raises UnfinishedError."""
    return buffer.text[position : buffer.end_of(_HOST, position)]


def label_end(buffer: Buffer, position: int) -> int | None:
    """Where the label that begins behind a [ has its ]; None where it is no label. Raises UnfinishedError.

    A label holds no brackets but those of one picture that is all of it.
    """
    picture = buffer.match(_PICTURE, position)
    if picture is not None:
        return picture.end() if picture["target"] is not None and buffer.at(picture.end()) == "]" else None
    return _IN_BRACKETS.end(buffer, position)


def alternative(label: str) -> str | None:
    """The words for the picture that a label is, its host where it has none; None where the label is no picture."""
    picture = _PICTURE.fullmatch(label)
    if picture is None:
        return None
    target = Buffer(picture["target"], last=True)
    beginning = allowed_at(target, 0)
    return picture["alt"] or ("" if beginning is None else host_at(target, beginning))


def forbidden_at(buffer: Buffer, position: int) -> Link | None:
    """The target, from behind its ( on; None where that is not one link to its ), or to the end of an answer that
    breaks off. Raises UnfinishedError.
    """
    end = _IN_PARENTHESES.end(buffer, position)
    if end is None:
        return None
    inner = buffer.text[position:end]
    if not _LINK_LIKE.fullmatch(inner):
        return None
    return Link(_TITLE.sub("", inner).strip().strip("<>"), min(end + 1, len(buffer.text)))


def definition_at(buffer: Buffer, position: int) -> bool:
    """Whether what stands behind a : is an allowed target, or the words of a footnote. Raises UnfinishedError."""
    start = buffer.end_of(_BEFORE_DEFINED, position)
    if allowed_at(buffer, start) is not None:
        return True
    found = buffer.match(_NOTE, position)
    # Where more than one word follows, nobody takes the first for the target of a link.
    return (
        found is not None
        and bool(found["word"] and found["gap"])
        and buffer.at(found.end()) not in "\n\r\"'("
    )


def address_at(buffer: Buffer, position: int, *, nested: bool) -> tuple[int, bool]:
    """What begins with the < at `position`: where it ends (`position` for something that must not become a link), and
    whether all readers agree on where that is. Raises UnfinishedError.
    """
    scheme_end = buffer.end_of(_SCHEME, position)
    behind = buffer.at(scheme_end)
    if behind == ":":
        if not buffer.starts(position + 1, _AUTOLINKED):
            return position, True
    elif scheme_end > position + 1 and (behind in _MARKING or (nested and not behind)):
        return position, True
    end = buffer.end_of(_ADDRESS, position)
    behind = buffer.at(end)
    if behind == ">":
        return end + 1, True
    return position + 1, behind in {"", " ", "\n", "\r", "\t"}


_MARKING = frozenset("[!【\ue200")

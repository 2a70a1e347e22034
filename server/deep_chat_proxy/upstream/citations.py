"""Where in an answer's text a source is cited: in place of a marker, or behind some words. No I/O.

Servers count characters of the text, which may not all be there yet; and not all of them count right. So a place that
cannot be one is looked for once the whole text is there, and no place is better than a wrong one.
"""

import re
from functools import lru_cache
from pathlib import PurePosixPath
from typing import TypeVar
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Struct

T = TypeVar("T")

# Characters in front of a place that are enough to find it by.
_MOST_AFTER = 48
_TARGET = r"\((?P<{}>(?:[^()\s]|\([^()\s]*\)){{1,2000}})\)"
_LABEL = r"\[(?:[^\[\]\n]|\[[^\[\]\n]*\]){0,300}\]"
# A Markdown link, in brackets of its own or not; an address in brackets; a marker such as 【4:0†source】, or OpenAI's
# own between characters of private use.
_MARKER = re.compile(
    rf"\(\s*{_LABEL}{_TARGET.format('enclosed')}\s*\)"
    rf"|{_LABEL}{_TARGET.format('linked')}"
    r"|\((?P<bare>https?://(?:[^()\s]|\([^()\s]*\)){1,2000})\)"
    r"|【[^【】\n]{1,300}】|\ue200[^\ue200\ue201\n]{1,300}\ue201"
)
# What only stands in a part of a marker.
_IN_MARKERS = re.compile(r"\]\(|://|[【】†\ue200-\ue202]")
# A path within a link may hold spaces.
_SANDBOX = re.compile(
    r"(?<=\]\()sandbox:/(?:[^()\[\]<>\n]|\([^()\n]{0,100}\)){1,300}(?=\))|sandbox:/[^\s()\[\]<>\"'`]{1,300}"
)


# An address that goes on to where one looks from.
_NO_SPACE = re.compile(r"(?:\]\(|://)\S*\Z")
_MOST_ADDRESS = 300


class Place(Struct, frozen=True):
    """As in `Cited`: `marker` stands for a source, or it belongs behind `after`; both are "" where it has no place."""

    marker: str = ""
    after: str = ""


NOWHERE = Place()


def annotations_in(raw: object, kind: type[T]) -> list[T]:
    """The annotations in a list; what is none is passed over, as an answer is whole without it."""
    found: list[T] = []
    for each in raw if isinstance(raw, list) else ():
        try:
            found.append(msgspec.convert(each, kind))
        except msgspec.ValidationError:
            continue
    return found


def place_of_span(text: str, start: object, end: object, url: str, *, whole: bool) -> Place | None:
    """The place of a citation of `url` that covers text[start:end]; None where more of the text has to be there to tell,
    which is never so for the `whole` of it.
    """
    given = _span(start, end)
    if given is not None and given[1] <= len(text):
        covered = text[given[0] : given[1]].strip()
        if _MARKER.fullmatch(covered):
            return Place(marker=covered)
        told = whole or given[1] < len(text)
        if told and not _IN_MARKERS.search(covered) and not _within(text, given[1]):
            return _behind(text, given[1])
    return _link_to(text, url, given[0] if given is not None else 0) if whole else None


def place_at(text: str, index: object, *, whole: bool) -> Place | None:
    """The place of a citation at text[index], or at the text's end where there is none such; None as above.

    By OpenAI's document `index` is that of the file in a list, by what its servers send it is a position.
    """
    if isinstance(index, int) and 0 < index <= len(text) and (whole or index < len(text)):
        if not _within(text, index):
            return _behind(text, index)
    elif isinstance(index, int) and index > 0 and not whole:
        return None
    return _behind(text, len(text)) if whole else None


def sandbox_path(text: str, start: object, end: object, name: str, *, whole: bool) -> str | None:
    """The path that stands for a file called `name` in text[start:end], or else anywhere in it; "" where there is none,
    None as above. What covers nothing, as for pictures, stands nowhere.
    """
    if isinstance(start, int) and start == end:
        return ""
    given = _span(start, end)
    covered = text[given[0] : given[1]].strip() if given is not None and given[1] <= len(text) else ""
    if covered.startswith("sandbox:/") and name_in(covered) == name:
        return covered
    if paths := sandbox_paths(covered):
        return paths[0]
    if not whole:
        return None
    return next((path for path in sandbox_paths(text) if name_in(path) == name), "")


@lru_cache(maxsize=8)
def sandbox_paths(text: str) -> tuple[str, ...]:
    """All paths of files in a text, each once and in their order."""
    return tuple(dict.fromkeys(found[0].rstrip(".,;:!?") for found in _SANDBOX.finditer(text)))


def name_in(path: str) -> str:
    """The name of the file at a sandbox path; "" where it has none."""
    return PurePosixPath(unquote(path)).name


def enough_for(end: object, length: int) -> float:
    """How many characters of a text have to be there for a place that ends at `end`, where `length` were not enough: a
    marker is told with its last one, other places with the one behind.
    """
    if not isinstance(end, int) or end <= 0:
        return float("inf")
    return next((enough for enough in (end, end + 1) if enough > length), float("inf"))


def host_of(url: str) -> str:
    """What a page is called by that has no title."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""
    return host.removeprefix("www.") or url


def _span(start: object, end: object) -> tuple[int, int] | None:
    if isinstance(start, int) and isinstance(end, int) and 0 <= start < end:
        return start, end
    return None


def _behind(text: str, index: int) -> Place:
    return Place(after=text[max(0, index - _MOST_AFTER) : index])


def _within(text: str, index: int) -> bool:
    """Whether a place is in the middle of a word, a label or an address."""
    # Only of scripts that have letters of two cases is it known that they put spaces between words.
    if 0 < index < len(text) and all(
        letter.isdecimal() or letter.lower() != letter.upper() for letter in text[index - 1 : index + 1]
    ):
        return True
    if text.startswith("]", index) or text.startswith("](", index - 1):
        return True
    before = _NO_SPACE.search(text, max(0, index - _MOST_ADDRESS), index)
    return before is not None and before[0].count("(") > before[0].count(")")


def _link_to(text: str, url: str, near: int) -> Place:
    """The link to that page which begins nearest to a place."""
    wanted = _plain(url)
    found = [(abs(start - near), marker) for start, marker, linked in _links(text) if linked == wanted]
    return Place(marker=min(found)[1]) if found else NOWHERE


@lru_cache(maxsize=8)
def _links(text: str) -> tuple[tuple[int, str, str], ...]:
    """Where each link begins, its text, and where it leads to."""
    return tuple(
        (link.start(), link[0], _plain(link["enclosed"] or link["linked"] or link["bare"] or ""))
        for link in _MARKER.finditer(text)
    )


def _plain(url: str) -> str:
    # OpenAI's web search adds this to the addresses that it gives, in one of the two places or in both.
    return re.sub(r"[?&]utm_source=[\w.-]*", "", url).rstrip("/")

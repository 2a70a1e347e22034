"""The sources of an answer: what is known of each, which number it has, and the list at the answer's end."""

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from deep_chat_proxy.turn.answer.own_files import own_target
from deep_chat_proxy.turn.events import ChatFile, Cited, FileMade, Source
from deep_chat_proxy.turn.filenames import printable

_HEAD = "\n\n**Sources**\n\n"
_WEB = re.compile(r"https?://[^\s<>]+", re.IGNORECASE)
# What would end a label or a link in Markdown before its end, or begin something else.
_SPECIAL = re.compile(r"([\\`*_\[\]<>!|])")
_SPECIAL_IN_URL = re.compile(r"[()\\`\"|\[\]!【】†]")
# What would begin a heading, a list, a rule or a block of code where it stands first.
_BLOCK = re.compile(r"^(\d*)([#+\-~=.)])")
_MOST = 50
# A source may be cited at many places, each of which a back end tells of.
_MOST_CITATIONS = 500
_LONGEST_TITLE = 200
_LONGEST_URL = 2_000


class Citation(Struct, frozen=True):
    """A place that an annotation tells of: its `marker`, or what the text `after` which it comes, and whose it is."""

    marker: str
    after: str
    key: str


class _Known(Struct, frozen=True):
    title: str
    url: str | None = None
    upstream_id: str = ""
    file: ChatFile | None = None


class Sources:
    """Gathers what an answer cites, each once and in the order in which it was told of, and the files it made."""

    def __init__(self) -> None:
        self.citations: dict[Citation, None] = {}
        self._known: dict[str, _Known] = {}
        self._by_marker: dict[str, list[str]] = {}
        self._by_title: dict[str, str] = {}
        self._made: dict[str, ChatFile] = {}
        self._by_upstream_id: dict[str, ChatFile] = {}

    def add(self, cited: Cited, file: ChatFile | None = None) -> None:
        """A source, and the visitor's `file` where it is one; one of which nothing can be shown is passed over, as one
        that is one too many is.
        """
        title = _printable(cited.title)
        if cited.upstream_id and title.startswith(cited.upstream_id):
            # A back end's id is nobody else's business.
            title = "File"
        key = cited.url or cited.upstream_id or title
        if not title or not _usable(cited.url) or (key not in self._known and len(self._known) >= _MOST):
            return
        self._known.setdefault(key, _Known(title, cited.url, cited.upstream_id, file))
        if cited.url is None:
            self._by_title.setdefault(title, key)
        if len(self.citations) < _MOST_CITATIONS:
            self.citations[Citation(cited.marker, cited.after, key)] = None
            keys = self._by_marker.setdefault(cited.marker, []) if cited.marker else [key]
            if key not in keys:
                keys.append(key)

    def add_file(self, made: FileMade, file: ChatFile) -> None:
        """A file that the answer made."""
        if made.upstream_id:
            self._by_upstream_id.setdefault(made.upstream_id, file)
        if made.marker and len(self._made) < _MOST_CITATIONS:
            self._made.setdefault(made.marker, file)

    def made(self, marker: str) -> ChatFile | None:
        """The file that `marker` stands for."""
        return self._made.get(marker) or self._made.get(marker.replace("%20", " "))

    def key(self, marker: str, name: str, before: int) -> str | None:
        """Which source `marker` stands for: one that was told of, or else the file that it names itself.

        Some servers write the same marker for several sources; then it is each of them in turn, and it stood `before`
        so many times.
        """
        if keys := self._by_marker.get(marker):
            return keys[min(before, len(keys) - 1)]
        return self._by_title.get(_printable(name), name) if name else None

    def source(self, key: str, number: int) -> Source:
        """The source of that key, under its number."""
        known = self._known.get(key) or _Known(_printable(key))
        file = known.file or self._by_upstream_id.get(known.upstream_id)
        return Source(number, known.title, known.url, file)

    def numbers(self) -> "Numbers":
        """Numbers of their own for the sources of a text."""
        return Numbers(self, self._known)


class Numbers:
    """The numbers of sources, by their first places in a text."""

    def __init__(self, sources: Sources, known: dict[str, _Known]) -> None:
        self._sources = sources
        self._known = known
        self._numbers: dict[str, int] = {}

    def link(self, key: str, *, bare: bool) -> str:
        """What stands for a source in the text, as a link where there is something to fetch and it is not `bare`; ""
        where it is one too many.
        """
        if key not in self._numbers and len(self._numbers) >= _MOST:
            return ""
        number = self._numbers.setdefault(key, len(self._numbers) + 1)
        target = None if bare else _target(self._sources.source(key, number))
        return rf"\[{number}\]" if target is None else rf"[\[{number}\]]({target})"

    def all(self) -> tuple[Source, ...]:
        """The sources in the order of their numbers, those without a place last."""
        keys = dict.fromkeys([*self._numbers, *self._known])
        return tuple(self._sources.source(key, number) for number, key in enumerate(keys, 1))[:_MOST]


def listed(sources: Sequence[Source]) -> str:
    """What comes behind the answer; nothing where nothing was cited."""
    return _HEAD + "\n".join(_lines(sources)) if sources else ""


def _lines(sources: Sequence[Source]) -> Iterator[str]:
    for source in sources:
        title = _SPECIAL.sub(r"\\\1", source.title)
        target = _target(source)
        line = _BLOCK.sub(r"\1\\\2", title) if target is None else f"[{title}]({target})"
        yield f"{source.number}. {line}"


def _target(source: Source) -> str | None:
    if source.url is not None:
        return _SPECIAL_IN_URL.sub(_percent, source.url)
    return None if source.file is None else own_target(source.file)


def _percent(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode())


def _usable(url: str | None) -> bool:
    # What cannot be printed could turn the text behind it around.
    return url is None or bool(_WEB.fullmatch(url) and url.isprintable() and len(url) <= _LONGEST_URL)


def _printable(title: str) -> str:
    return printable(title[:_LONGEST_TITLE])

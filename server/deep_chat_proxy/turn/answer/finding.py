"""Places that only annotations tell of: by words that are no marker of their own, or by what they stand behind."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence

from deep_chat_proxy.turn.answer.marks import Code, Mark, Place
from deep_chat_proxy.turn.sources import Citation

# Words that may go where their source gets a number: links, such as `([site](https://site/page))`.
_LINK = re.compile(
    r"\(?\[[^\[\]\n`\\]+\]\(https?://[^\s()`\\]*(?:\([^\s()`\\]*\)[^\s()`\\]*)*\)\)?", re.IGNORECASE
)
_IN_TARGET = re.compile(r"\]\([^()\s]{0,2000}\Z|<[^\s<>]{0,2000}\Z|\]:[ \t\n]*\S{0,2000}\Z")
_TARGET_END = re.compile(r"[)>\s]|\Z")
_LETTER = re.compile(r"[^\W_]")
# Behind one of these a number could become something else.
_OPEN = frozenset("\\[(<&")
_RUNS = frozenset("`~")
_LONGEST_TARGET = 2_100


class Finder:
    """Finds places in `words`, apart from what is marked already."""

    def __init__(self, words: str, marks: Sequence[Mark]) -> None:
        self._words = words
        self._marks = [mark for mark in marks if mark.end > mark.start]
        self._ends = [mark.end for mark in self._marks]
        self._marked = {mark.marker for mark in marks if isinstance(mark, Place)}

    def find(self, citations: Iterable[Citation]) -> list[Place]:
        """The places of `citations`, in the order of the text; none of them in the middle of another."""
        found: list[Place] = []
        for citation in citations:
            if citation.marker and citation.marker in self._marked:
                continue
            if _LINK.fullmatch(citation.marker):
                found += self._links(citation)
            elif place := self._behind(citation.marker, citation) or self._behind(citation.after, citation):
                found.append(place)
        return _apart(found)

    def _links(self, citation: Citation) -> Iterable[Place]:
        marker = citation.marker
        start = self._words.find(marker)
        while start >= 0:
            end = start + len(marker)
            if not self._overlaps(start, end):
                yield Place(
                    start, end, marker=marker, name=citation.key, following=self._words[end : end + 1]
                )
            start = self._words.find(marker, end)

    def _overlaps(self, start: int, end: int) -> bool:
        index = bisect_left(self._ends, start + 1)
        return index < len(self._marks) and self._marks[index].start < end

    def _behind(self, wanted: str, citation: Citation) -> Place | None:
        start = self._words.find(wanted) if wanted else -1
        position = None if start < 0 else self._clear(start + len(wanted))
        if position is None:
            return None
        following = self._words[position : position + 1]
        return Place(position, position, marker=citation.marker, name=citation.key, following=following)

    def _clear(self, position: int) -> int | None:
        """The next place from `position` on where a number breaks nothing; None for none."""
        before = self._words[max(0, position - _LONGEST_TARGET) : position]
        if target := _IN_TARGET.search(before):
            if target[0].startswith("]:"):
                return None
            end = _TARGET_END.search(self._words, position)
            position = len(self._words) if end is None else end.start() + (end[0] in {")", ">"})
        index = bisect_left(self._ends, position + 1)
        if index < len(self._marks) and self._marks[index].start < position:
            position = self._marks[index].end
        if self._in_code_block(position):
            return None
        line = self._words[self._words.rfind("\n", 0, position) + 1 : position]
        if not _LETTER.search(line):
            # At the beginning of a line it could be taken for the beginning of something.
            return self._before_line(position - len(line))
        return None if self._is_open(position) else position

    def _is_open(self, position: int) -> bool:
        before, behind = self._words[position - 1], self._words[position : position + 1]
        return before in _OPEN or (before in _RUNS and before == behind)

    def _before_line(self, line_start: int) -> int | None:
        position = len(self._words[:line_start].rstrip())
        line = self._words[self._words.rfind("\n", 0, position) + 1 : position]
        possible = _LETTER.search(line) and not self._in_code_block(position)
        return position if possible and not self._is_open(position) else None

    def _in_code_block(self, position: int) -> bool:
        index = bisect_left(self._ends, position)
        if index >= len(self._marks):
            return False
        mark = self._marks[index]
        code = self._words[mark.start : mark.end] if isinstance(mark, Code) and mark.start < position else ""
        return "\n" in code or code.startswith(("```", "~~~"))


def _apart(places: Iterable[Place]) -> list[Place]:
    """The places in the order of the text, of those that overlap the first."""
    apart: list[Place] = []
    for place in sorted(places, key=lambda place: place.start):
        if not apart or place.start >= apart[-1].end:
            apart.append(place)
    return apart

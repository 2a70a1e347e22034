"""Reads the words of a model as they come: lines, code and the text between what is special in it.

How the words are divided makes no difference: what only the next words decide waits for them, within bounds.
"""

import re
from abc import ABC, abstractmethod
from copy import copy

from deep_chat_proxy.turn.answer import markers
from deep_chat_proxy.turn.answer.buffer import Buffer, UnfinishedError
from deep_chat_proxy.turn.answer.lines import ODD_BREAKS, Lines
from deep_chat_proxy.turn.answer.marks import APART, Code, Mark, add, moved

# Where something begins that may have to be marked, or that ends a line. A class of characters is searched for fast.
_NEXT = re.compile(rf"[\n\r{ODD_BREAKS}\\`\[\]<|!:【\ue200]")
_PATH = "sandbox:"
_PATH_BEGINS = re.compile(r"(?<![A-Za-z0-9])sandbox:(?:/|\Z)")
_PATH_BEGUN = re.compile(r"(?<![A-Za-z0-9])s(?:a(?:n(?:d(?:b(?:ox?)?)?)?)?)?\Z")
_NEXT_IN_CODE = re.compile(rf"[\n\r{ODD_BREAKS}【]")
LINE_END = re.compile(rf"[\n\r{ODD_BREAKS}]")
_LETTER = re.compile(r"[^\W\d_]")
# The part of a target in which nothing can begin.
_TARGET = re.compile(r"[^\s()<>\[\]`\\!|【\ue200]*+")


class Reader(ABC):
    """Takes words and gives them back with marks; `nested`: they are the label of a link and all of it."""

    def __init__(self, *, nested: bool = False) -> None:
        self.lines = Lines()
        self._nested = nested
        self._held = ""
        self._before = ""
        self._at_beginning = not nested
        # Whether all readers agree on which backticks of the paragraph are pairs.
        self._agreed = not nested
        self._worded = nested
        self._opened = False
        self._in_target = False
        self._bare = 0
        self._marks: list[Mark] = []

    def take(self, words: str, *, last: bool = False) -> tuple[str, list[Mark]]:
        """Take more; returns what is read now and what is marked of it, with places counted from its beginning.

        `last`: nothing follows.
        """
        if self._is_plain(words, last=last):
            self._see(words)
            self._before = words[-1]
            self._bare = max(0, self._bare - len(words))
            return words, []
        start = len(self._before)
        buffer = Buffer(self._before + self._held + words, last=last)
        self._marks = []
        position = start
        try:
            while position < len(buffer.text):
                position = self._step(buffer, position)
        except UnfinishedError:
            pass
        self._held = buffer.text[position:]
        self._before = buffer.text[max(0, position - 1) : position]
        self._bare = max(0, self._bare - position + len(self._before))
        return buffer.text[start:position], [moved(mark, -start) for mark in self._marks]

    def _is_plain(self, words: str, *, last: bool) -> bool:
        """Whether there is nothing special in these words, wherever they end, in the middle of a line."""
        return not (
            last
            or self._held
            or not self._before
            or self._at_beginning
            or self._in_target
            or self.lines.code
            or not words
            or _NEXT.search(words)
            or _PATH_BEGUN.search(self._before + words[-len(_PATH) :])
        )

    def divide(self) -> None:
        """All that was taken has been read, and a blank line follows."""
        self.lines.divide()
        self._end_line()
        self._begin_paragraph()

    def _step(self, buffer: Buffer, position: int) -> int:
        """Read what comes next; returns where it ends. Raises UnfinishedError, with nothing changed."""
        if self._at_beginning:
            return self._begin_line(buffer, position)
        if self.lines.code:
            return self._read_code(buffer, position)
        if self._in_target:
            return self._read_target(buffer, position)
        end = _next_special(buffer.text, position)
        if end > position:
            self._see(buffer.text[position:end])
            return end
        return (
            self._break_line(buffer, position)
            if LINE_END.match(buffer.text, position)
            else self._special(buffer, position)
        )

    def _see(self, words: str) -> None:
        self._worded = self._worded or _LETTER.search(words) is not None

    def _begin_line(self, buffer: Buffer, position: int) -> int:
        lines = copy(self.lines)
        start = lines.begin(buffer, position)
        self.lines = lines
        self._at_beginning = False
        if self.lines.blank:
            self._begin_paragraph()
        if self.lines.lost:
            self._agreed = False
        if self.lines.code:
            self._mark(Code(position, start))
        return start

    def _begin_paragraph(self) -> None:
        self._agreed = not self.lines.lost
        self._opened = False
        self._in_target = False

    def _end_line(self) -> None:
        self._at_beginning = True
        self._worded = False

    def _read_code(self, buffer: Buffer, position: int) -> int:
        found = _NEXT_IN_CODE.search(buffer.text, position)
        end = len(buffer.text) if found is None else found.start()
        if end > position:
            self._worded = self._worded or not buffer.text[position:end].isspace()
            self._mark(Code(position, end))
            return end
        if buffer.text[position] != "【":
            end = self._break_line(buffer, position)
            self._mark(Code(position, end))
            return end
        marker_end = markers.in_code_at(buffer, position)
        end = position + 1 if marker_end is None else marker_end
        apart = self.lines.fence_like or not self._worded
        self._mark(Code(position, end) if marker_end is None else Mark(position, end, APART if apart else ""))
        self._worded = True
        return end

    def _break_line(self, buffer: Buffer, position: int) -> int:
        end = position + 1
        if buffer.text[position] == "\r" and buffer.at(end) == "\n":
            end += 1
        elif buffer.text[position] != "\n":
            self.lines.lose()
            self._agreed = False
        self._end_line()
        return end

    def _read_target(self, buffer: Buffer, position: int) -> int:
        """The rest of an allowed target; where it may go on in any other way, readers may not agree on its end."""
        found = _TARGET.match(buffer.text, position)
        end = position if found is None else found.end()
        if end == len(buffer.text):
            return end
        self._in_target = False
        if buffer.text[end] != ")":
            self._agreed = False
        return end

    @abstractmethod
    def _special(self, buffer: Buffer, position: int) -> int:
        """Read what begins with a special character. Raises UnfinishedError, with nothing changed."""

    def _mark(self, mark: Mark) -> None:
        add(mark, self._marks)


def _next_special(text: str, position: int) -> int:
    """Where something special begins, or may have begun; the end of the text where nothing does."""
    for found in _NEXT.finditer(text, position):
        if found[0] != ":":
            return found.start()
        start = found.end() - len(_PATH)
        if start >= position and _PATH_BEGINS.match(text, start):
            return start
    begun = _PATH_BEGUN.search(text, max(position, len(text) - len(_PATH)))
    return len(text) if begun is None else begun.start()

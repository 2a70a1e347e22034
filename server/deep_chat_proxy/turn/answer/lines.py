"""Which lines of an answer are code, for every reader of Markdown alike.

Only what is certain counts: where Remarkable, which Deep Chat uses, and CommonMark differ, or where it takes more than
this to know, the reader is lost, and nothing is code from there on. To take code for text changes how it looks; to
take text for code would leave what is in it unchecked.
"""

import re

from deep_chat_proxy.turn.answer.buffer import Buffer

# Remarkable takes some of these for ends of lines and CommonMark others; a no-break space is a space to one of them.
ODD_BREAKS = "\u0085\u2028\u2424"
_ODD = re.compile(f"[\r\u00a0{ODD_BREAKS}|]")
_LONGEST = 200
# Of each no more is held back than this; whoever writes more is not understood.
_SPACES = re.compile(rf"[ \t]{{0,{_LONGEST}}}+")
_RUN = re.compile(rf"`{{1,{_LONGEST}}}+|~{{1,{_LONGEST}}}+")
_INFO = re.compile(r"[^\n]{0,300}+")
_LONGEST_INFO = 300
_NOT_AS_IT_IS = re.compile(r"[\[\]<!\\【\ue200]|sandbox:")
_MARKER = re.compile(r"(?:[-*+]|(?P<number>\d{1,9}+)(?P<dot>[.)]?))(?P<space>[ \t]{0,20}+)")
_RULES = {mark: re.compile(rf"(?:[{mark}][ \t]{{0,20}}+){{1,{_LONGEST}}}+") for mark in "-*"}
_OTHER_BLOCKS = frozenset("[>-*+0123456789")
# A page renders no deeper than 20 levels, two for each list.
_DEEPEST = 6


class Lines:
    """Takes the beginning of each line; `code` says then whether the line is code.

    `blank` says that it ended a paragraph, `fence_like` that it would open or close a fence but for what else is in it.
    """

    def __init__(self) -> None:
        self.code = self.blank = self.fence_like = self.lost = False
        self.bar = False
        """Set from outside: the paragraph has a bar, so it may be a table."""
        self._fence: tuple[str, int, int] | None = None
        # Columns at which the contents of the open list items begin.
        self._items: tuple[int, ...] = ()
        self._flat = True
        self._blanks = 0
        self._paragraph = False

    @property
    def fence(self) -> str:
        """What closes the code that is open; "" where none is."""
        return "" if self._fence is None else " " * self._fence[2] + self._fence[0] * self._fence[1]

    def lose(self) -> None:
        """What is code can no longer be told."""
        self.lost = True
        self.code = False
        self._fence = None
        self._items = ()

    def divide(self) -> None:
        """A blank line comes between two parts."""
        self.bar = self._paragraph = False
        self._items = ()
        self._blanks = 1

    def begin(self, buffer: Buffer, position: int) -> int:
        """Take the beginning of a line; returns where its text begins. Raises UnfinishedError."""
        spaces = _SPACES.match(buffer.text, position)
        start = position if spaces is None else spaces.end()
        if start - position == _LONGEST:
            self.lose()
        first = buffer.at(start)
        blank = first in {"", "\n"} or (first == "\r" and buffer.at(start + 1) == "\n")
        column = len(buffer.text[position:start].expandtabs(4))
        self.code, self.blank, self.fence_like = False, blank, False
        if first == "\u00a0":
            self.lose()
        if self.lost:
            return start
        if self._fence is not None:
            self._in_fence(buffer, start, column, blank=blank)
        elif blank:
            self._end_paragraph()
        else:
            start = self._outside(buffer, start, column)
        return start

    def _end_paragraph(self) -> None:
        self._blanks += 1
        self._paragraph = self.bar = False
        if self._blanks > 1:
            # Two end a list for Remarkable, not for CommonMark.
            self._items = ()

    def _in_fence(self, buffer: Buffer, start: int, column: int, *, blank: bool) -> None:
        mark, length, opened = self._fence or ("", 0, 0)
        self.code = True
        if blank:
            return
        if not self._flat and column < opened:
            # Its list may end here, and the fence with it.
            self.lose()
            return
        run = buffer.match(_RUN, start)
        if run is None:
            return
        self.fence_like = len(run[0]) >= 3
        if len(run[0]) == _LONGEST:
            self.lose()
        if self.lost or run[0][0] != mark or len(run[0]) < length:
            return
        end = buffer.match(_SPACES, run.end())
        behind = buffer.at(run.end() if end is None else end.end())
        if behind in {"", "\n", "\r"}:
            self._close(column, opened)
        elif behind in {" ", "\t"} or (_ODD.match(behind) and behind != "|"):
            self.lose()

    def _close(self, column: int, opened: int) -> None:
        certain = column < 4 if self._flat else column == opened
        if certain:
            self._fence = None
            self._paragraph = False
        elif not self._flat and column <= opened + 3:
            self.lose()

    def _outside(self, buffer: Buffer, start: int, column: int) -> int:
        after_blank, self._blanks = self._blanks > 0, 0
        open_items = len(self._items)
        self._items = tuple(item for item in self._items if item <= column)
        sibling = len(self._items) < open_items
        if after_blank and not column and buffer.text[start] not in _OTHER_BLOCKS:
            # Behind a blank line nothing goes on that it is not indented for.
            self._flat = True
        while True:
            run = buffer.match(_RUN, start)
            if run is not None and len(run[0]) >= 3 and self._opens(buffer, run, column):
                return start
            if self.lost:
                return start
            if column >= 4 and self._flat and not self._paragraph:
                self.code = True
                return start
            item = self._item(buffer, start, column, sibling=sibling or after_blank)
            if item is None:
                return start
            start, column = item

    def _opens(self, buffer: Buffer, run: re.Match[str], column: int) -> bool:
        self.fence_like = True
        found = buffer.match(_INFO, run.end())
        info = "" if found is None else found[0].removesuffix("\r")
        too_long = len(info) >= _LONGEST_INFO or len(run[0]) == _LONGEST
        if "`" in info and run[0][0] == "`" and not too_long:
            # No fence, but for a backtick that stands in what is not shown as it is here.
            if _NOT_AS_IT_IS.search(info):
                self.lose()
            return False
        if "`" in info or _ODD.search(info) or too_long:
            self.lose()
            return False
        if column >= 4 and not (self._items and column - self._items[-1] < 4):
            if not self._flat:
                self.lose()
            return False
        self._fence = (run[0][0], len(run[0]), column)
        self.code = True
        self._paragraph = False
        return True

    def _item(self, buffer: Buffer, start: int, column: int, *, sibling: bool) -> tuple[int, int] | None:
        """Where the content of a list item begins, and at which column; None where the line is text from here on."""
        found = buffer.match(_MARKER, start)
        first = buffer.text[start : start + 1]
        paragraph, self._paragraph = self._paragraph, True
        if found is None or not found["space"] or found["dot"] == "":
            # Footnotes, quotations, and what only one of the readers takes for a list.
            self._flat = self._flat and first not in _OTHER_BLOCKS
            return None
        self._flat = False
        if column - (self._items[-1] if self._items else 0) >= 4:
            return None
        width = len((" " * column + found[0]).expandtabs(4)) - column
        gap = width - (found.end() - start - len(found["space"]))
        # Only a list that begins with 1 may follow a paragraph at once.
        late = found["number"] is not None and int(found["number"]) != 1 and paragraph and not sibling
        empty = buffer.at(found.end()) in {"", "\n", "\r"}
        if gap > 4 or late or empty or self.bar or len(self._items) >= _DEEPEST or self._rule(buffer, start):
            self._items = ()
            return None
        self._paragraph = False
        self._items = (*self._items, column + width)
        return found.end(), column + width

    @staticmethod
    def _rule(buffer: Buffer, start: int) -> bool:
        """Whether nothing but marks of one kind is on the line."""
        pattern = _RULES.get(buffer.text[start])
        found = None if pattern is None else buffer.match(pattern, start)
        return found is not None and (len(found[0]) >= _LONGEST or buffer.at(found.end()) in {"", "\n", "\r"})

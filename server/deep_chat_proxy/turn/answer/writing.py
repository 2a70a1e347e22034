"""Writes words and marks as they are shown.

What a mark changes has two sides that never stood together in the model's words. Where they would make something of
Markdown together, a word joiner keeps them apart.
"""

from collections.abc import Callable, Sequence

from deep_chat_proxy.turn.answer.marks import APART, Break, Code, Mark, Place

Show = Callable[[Place], str]
"""What is shown at a place, as Markdown; "" for nothing."""

_OPENING = frozenset("`~\\][<&{}^【†】\ue200\ue201\ue202")
_CLOSING = frozenset("([:`~†】")
_NEVER_APART = frozenset({"\\<", "]\\(", "]\\:", "[", "!\\["})


class Writing:
    """Text under way. Writing it in other pieces gives the same text."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self._out: list[str] = []
        self._last = ""
        self._seam = False
        self._break_due = False

    def taken(self) -> str:
        """What was written since this was asked last."""
        text = "".join(self._out)
        self._out.clear()
        return text

    def write(self, words: str, marks: Sequence[Mark]) -> None:
        """Write words with the marks that belong to them."""
        position = 0
        for mark in marks:
            self._put(words[position : mark.start])
            self._mark(mark, words)
            position = mark.end
        self._put(words[position:])

    def _mark(self, mark: Mark, words: str) -> None:
        match mark:
            case Break():
                self._break_due = bool(self._last)
            case Place():
                self._place(mark)
            case Code():
                self._put(words[mark.start : mark.end])
            case _:
                self._changed(mark.text, apart=mark.text not in _NEVER_APART)

    def _place(self, place: Place) -> None:
        if shown := self._show(place):
            self._changed(shown, apart=True)
        elif place.first or _would_join(self._last, place.following):
            self._changed(APART, apart=False)

    def _changed(self, text: str, *, apart: bool) -> None:
        self._seam = True
        self._put(text)
        self._seam = apart

    def _put(self, text: str) -> None:
        if not text:
            return
        if self._break_due:
            self._out.append("\n\n")
            self._break_due = self._seam = False
        if self._seam and _joined(self._last, text[0]):
            self._out.append(APART)
        self._seam = False
        self._out.append(text)
        self._last = text[-1]


def written(words: str, marks: Sequence[Mark]) -> str:
    """Words and marks as they are shown where nothing is known of any place."""
    writing = Writing(lambda place: place.text)
    writing.write(words, marks)
    return writing.taken()


def _would_join(before: str, behind: str) -> bool:
    """Whether these two may mean something together, where nothing is left of what stood between them."""
    if before in _OPENING or behind in _CLOSING:
        return bool(behind)
    if before == "!":
        return behind == "["
    return before.isascii() and before.isalnum() and behind.isascii() and behind.isalnum()


def _joined(before: str, behind: str) -> bool:
    """Whether these two mean something together on the two sides of a change."""
    match before:
        case "!":
            return behind == "["
        case "]":
            return behind in "([:"
        case "`" | "~":
            return behind == before
        case "\\":
            return behind.isascii() and not behind.isalnum()
        case "<":
            return behind.isalnum() or behind in ".-"
        case _:
            return False

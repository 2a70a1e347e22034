"""The text of one answer: what the model wrote, as a visitor is to read it.

What it wrote is shown as it comes, sources by the numbers that they have then. What its text is in the end depends on
all of its words and all that was told of its sources, and on nothing else.
"""

from bisect import insort
from collections import Counter

from deep_chat_proxy.errors import FAILED, ChatError
from deep_chat_proxy.turn.answer.finding import Finder
from deep_chat_proxy.turn.answer.marks import APART, Break, Mark, Place, add, moved
from deep_chat_proxy.turn.answer.own_files import own_target
from deep_chat_proxy.turn.answer.scanner import Scanner
from deep_chat_proxy.turn.answer.writing import Writing
from deep_chat_proxy.turn.events import SourcesListed
from deep_chat_proxy.turn.sources import Numbers, Sources, listed

_MAX_WORDS = 1_000_000


class AnswerText:
    """Joins the parts of an answer with blank lines and makes what cannot be shown readable.

    `max_words` bounds what the model may write, in characters.
    """

    def __init__(self, sources: Sources | None = None, *, max_words: int = _MAX_WORDS) -> None:
        self._sources = Sources() if sources is None else sources
        self._max_words = max_words
        self._begin()

    def _begin(self) -> None:
        self._scanner = Scanner()
        self._words: list[str] = []
        self._length = 0
        self._marks: list[Mark] = []
        self._shown: list[str] = []
        self._ended = False
        self._numbers = self._sources.numbers()
        self._writing = self._written_with(self._numbers)

    @property
    def any_shown(self) -> bool:
        """Whether there is anything to read."""
        return any(not text.replace(APART, "").isspace() for text in self._shown if text.strip(APART))

    def add(self, text: str) -> str:
        """Take more of the model's text; returns what of it can be shown now. Raises ChatError where it is too much."""
        if self._ended and text:
            self._break()
        return self._take(text)

    def start_part(self) -> str:
        """A new part or message begins; returns what was still held of the one before."""
        return self.finish()

    def finish(self) -> str:
        """The part ends; returns what was still held."""
        self._ended = True
        return self._take("", last=True)

    def replace(self, text: str) -> str:
        """The whole text anew, from its beginning; returns what of it can be shown now."""
        self._begin()
        return self.add(text)

    def settled(self) -> str | None:
        """The whole text with what is known now, where it differs from what was shown; it counts as shown then."""
        if not self._sources.citations and not any(isinstance(mark, Place) for mark in self._marks):
            return None
        words = "".join(self._words)
        marks = list(self._marks)
        for place in Finder(words, marks).find(self._sources.citations):
            insort(marks, place, key=_order)
        self._numbers = self._sources.numbers()
        self._writing = self._written_with(self._numbers)
        self._writing.write(words, marks)
        text = self._writing.taken()
        if text == "".join(self._shown):
            return None
        self._shown = [text]
        return text

    def sources(self) -> SourcesListed | None:
        """The list behind the text that was settled; None where nothing was cited."""
        sources = self._numbers.all()
        # In code that never ended, the list would be code too.
        fence = f"\n{self._scanner.lines.fence}" if self._scanner.lines.fence else ""
        return SourcesListed(fence + listed(sources), sources) if sources else None

    def _written_with(self, numbers: Numbers) -> Writing:
        seen: Counter[str] = Counter()

        def show(place: Place) -> str:
            file = self._sources.made(place.marker)
            if file is not None:
                return place.text if place.bare else f"[{place.text or file.name}]({own_target(file)})"
            if place.is_link or place.text:
                return place.text
            key = self._sources.key(place.marker, place.name, seen[place.marker])
            seen[place.marker] += 1
            return "" if key is None else numbers.link(key, bare=place.bare)

        return Writing(show)

    def _break(self) -> None:
        self._ended = False
        if self._length:
            self._scanner.divide()
            add(Break(self._length, self._length), self._marks)
            self._writing.write("", [Break(0, 0)])

    def _take(self, text: str, *, last: bool = False) -> str:
        words, marks = self._scanner.take(text, last=last)
        if self._length + len(words) > self._max_words:
            raise ChatError(FAILED, f"the model wrote more than {self._max_words} characters")
        self._writing.write(words, marks)
        for mark in marks:
            add(moved(mark, self._length), self._marks)
        self._words.append(words)
        self._length += len(words)
        shown = self._writing.taken()
        if shown:
            self._shown.append(shown)
        return shown


def _order(mark: Mark) -> tuple[int, int, bool]:
    """A number behind words comes before what begins there, a new part too."""
    return mark.start, mark.end, isinstance(mark, Break)

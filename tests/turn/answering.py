"""Plays the words and annotations of an answer into its text, and tells what a visitor has in front of them."""

from collections.abc import Iterable, Sequence

from deep_chat_proxy.turn.events import ChatFile, Cited, FileMade, Source
from deep_chat_proxy.turn.sources import Sources
from deep_chat_proxy.turn.text import AnswerText

Said = str | None | Cited | FileMade
"""More words, the beginning of a new part (None), or an annotation."""


class Answer:
    """An answer under way: `seen` is the text that a visitor has, `all_seen` each that they had."""

    def __init__(self) -> None:
        self._sources = Sources()
        self._text = AnswerText(self._sources)
        self._made = 0
        self.seen = ""
        self.all_seen: list[str] = []

    def say(self, said: Said) -> None:
        match said:
            case None:
                self.seen += self._text.start_part()
            case str():
                self.seen += self._text.add(said)
            case Cited():
                self._sources.add(said)
            case FileMade():
                self._made += 1
                self._sources.add_file(said, ChatFile(f"file-{self._made}", said.name or "file", said.kind))
        self.all_seen.append(self.seen)

    def end(self) -> tuple[Source, ...]:
        """The answer ends; returns its sources."""
        self.seen += self._text.finish()
        self.all_seen.append(self.seen)
        whole = self._text.settled()
        if whole is not None:
            self.seen = whole
        self.all_seen.append(self.seen)
        assert self._text.settled() is None
        listed = self._text.sources()
        return listed.sources if listed else ()


def answered(said: Iterable[Said]) -> tuple[str, tuple[Source, ...]]:
    """The text of an answer in the end, and its sources."""
    answer = Answer()
    for each in said:
        answer.say(each)
    sources = answer.end()
    return answer.seen, sources


def in_parts(parts: Sequence[str]) -> list[Said]:
    """The words of these parts, with the beginnings of the later ones between them."""
    said: list[Said] = []
    for part in parts:
        said += [None, part]
    return said[1:]

"""What was said is told once; where it was lost and comes anew, what is in view ends as what came anew."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from deep_chat_proxy.turn.events import Completed, PartStarted, TextDelta, TextReplaced
from deep_chat_proxy.turn.text import AnswerText
from deep_chat_proxy.upstream.chat_completions.translate import Translator as ChatTranslator
from deep_chat_proxy.upstream.responses.translate import Translator as ResponsesTranslator
from deep_chat_proxy.upstream.said import Said
from deep_chat_proxy.upstream.sse import ServerEvent
from upstream import chat_recording as chat
from upstream import responses_recording as rec
from upstream.mutating import as_json, quick

NOTICE = "This is a new conversation."


class Say(Struct, frozen=True):
    """More of a part, or all of it."""

    part: int
    text: str
    whole: bool = False


class View:
    """What a visitor has in front of them, event by event."""

    def __init__(self) -> None:
        self.text = ""
        self.replaced = 0
        self._answer = AnswerText()

    def take(self, events: Sequence[object]) -> None:
        for event in events:
            match event:
                case PartStarted():
                    self.text += self._answer.start_part()
                case TextDelta(text):
                    self.text += self._answer.add(text)
                case TextReplaced(text):
                    self.text = self._answer.replace(text)
                    self.replaced += 1
                case _:
                    pass


class Telling:
    """An answer under way; each try has keys of its own."""

    def __init__(self, before: str, *, notice: bool) -> None:
        self.said = Said()
        self.view = View()
        self._try = 0
        if notice:
            self.view.take(self.said.notice(NOTICE))
        self._before = [NOTICE] if notice else []
        if before:
            self._tell(Say(-1, before), key="before")
            self._before.append(before)
        self._parts: dict[object, str] = {}

    def _tell(self, what: Say, key: object) -> None:
        out: list[Any] = []
        if what.whole:
            self.said.settle(key, what.text, out)
        else:
            self.said.say(key, what.text, out)
        self.view.take(out)

    def tell(self, what: Say) -> None:
        key = (self._try, what.part)
        self._tell(what, key)
        if what.text:
            self._parts[key] = what.text if what.whole else self._parts.get(key, "") + what.text

    def lose(self) -> None:
        self.said.lose(list(self._parts))
        self._parts = {}
        self._try += 1

    def end(self) -> None:
        out: list[Any] = []
        self.said.caught_up(out)
        self.view.take(out)

    @property
    def wanted(self) -> str:
        return "\n\n".join([*self._before, *self._parts.values()])


texts = st.text(alphabet="ab", min_size=1, max_size=3)
# Parts are said one after the other; all of one may be said again later.
pieces_of_parts = st.lists(st.builds(Say, st.integers(0, 2), texts), max_size=6).map(
    lambda said: sorted(said, key=lambda what: what.part)
)
whole_parts = st.lists(
    st.builds(Say, st.integers(0, 2), st.text(alphabet="ab", max_size=5), st.just(True)), max_size=2
)
sayings = st.tuples(pieces_of_parts, whole_parts).map(lambda said: [*said[0], *said[1]])


@quick
@given(st.sampled_from(["", "Let me see."]), st.booleans(), st.lists(sayings, max_size=3), sayings)
def test_whatever_was_lost_and_whatever_comes_anew_the_new_answer_is_in_view_at_the_end(
    before: str, notice: bool, lost: list[list[Say]], anew: list[Say]
) -> None:
    telling = Telling(before, notice=notice)
    for one_try in lost:
        for what in one_try:
            telling.tell(what)
        telling.lose()
    for what in anew:
        telling.tell(what)
    telling.end()

    assert telling.view.text == telling.wanted


@quick
@given(st.lists(texts, min_size=1, max_size=4), st.integers(0, 20), st.data())
def test_an_answer_that_comes_anew_as_it_was_is_never_taken_back_and_never_shorter(
    pieces: list[str], lost_at: int, data: st.DataObject
) -> None:
    whole = "".join(pieces)
    telling = Telling("Let me see.", notice=False)
    if first := whole[:lost_at]:
        telling.tell(Say(0, first))
    telling.lose()
    seen = telling.view.text
    for piece in pieces:
        telling.tell(Say(0, piece))
        assert len(telling.view.text) >= len(seen)
        seen = telling.view.text
    if data.draw(st.booleans()):
        telling.tell(Say(0, whole, whole=True))
    telling.end()

    assert (telling.view.text, telling.view.replaced) == (f"Let me see.\n\n{whole}", 0)


@quick
@given(sayings, pieces_of_parts)
def test_nothing_is_taken_back_while_what_comes_anew_may_still_be_the_same(
    lost: list[Say], anew: list[Say]
) -> None:
    telling = Telling("", notice=False)
    for what in lost:
        telling.tell(what)
    shown, replaced = telling.view.text, telling.view.replaced
    telling.lose()
    for what in anew:
        telling.tell(what)
        if not shown.startswith(telling.wanted):
            break
        assert (telling.view.text, telling.view.replaced) == (shown, replaced)


def test_half_a_character_that_was_lost_is_not_put_before_what_comes_anew() -> None:
    said, view = Said(), View()
    out: list[Any] = []
    said.say(0, "a\ud83c", out)
    said.lose([0])
    said.say(1, "ab", out)
    said.say(1, "\ud83c", out)
    said.say(1, "\udf0d", out)
    said.caught_up(out)
    view.take(out)

    assert (view.text, view.replaced) == ("ab\N{EARTH GLOBE EUROPE-AFRICA}", 0)


def test_an_answer_that_comes_anew_and_says_nothing_takes_back_what_was_lost() -> None:
    telling = Telling("Let me see.", notice=False)
    telling.tell(Say(0, "It is sun"))
    telling.lose()
    telling.end()

    assert telling.view.text == "Let me see."


def test_what_comes_after_an_answer_that_came_anew_is_told_as_ever() -> None:
    telling = Telling("", notice=False)
    telling.tell(Say(0, "One"))
    telling.lose()
    telling.tell(Say(0, "One."))
    telling.end()
    telling.tell(Say(1, "Two"))
    telling.tell(Say(1, "."))

    assert (telling.view.text, telling.view.replaced) == ("One.\n\nTwo.", 0)


def of_responses(pieces: Sequence[str], *, whole: bool) -> list[ServerEvent]:
    said = [rec.delta(piece) for piece in pieces]
    events = [*said, rec.state("completed", rec.message("".join(pieces)))] if whole else said
    return [ServerEvent("", as_json(event)) for event in events]


def of_chat(pieces: Sequence[str], *, whole: bool) -> list[ServerEvent]:
    said = [chat.chunk({"content": piece}) for piece in pieces]
    events = [*said, chat.chunk(finish="stop")] if whole else said
    return [ServerEvent("", as_json(event)) for event in events]


def told(translator: Any, events: list[ServerEvent], view: View) -> list[Any]:
    out: list[Any] = []
    translator.begin()
    translator.take(events, out)
    if isinstance(translator, ChatTranslator):
        translator.finish(out)
    view.take(out)
    return out


@pytest.mark.parametrize(
    ("make", "stream"),
    [(ResponsesTranslator, of_responses), (ChatTranslator, of_chat)],
    ids=["responses", "chat"],
)
@quick
@given(lost=st.lists(st.lists(texts, max_size=4), max_size=2), anew=st.lists(texts, min_size=1, max_size=4))
def test_a_translator_ends_with_the_text_of_the_answer_that_came_last(
    make: Callable[[], Any],
    stream: Callable[..., list[ServerEvent]],
    lost: list[list[str]],
    anew: list[str],
) -> None:
    translator, view = make(), View()
    for pieces in lost:
        told(translator, stream(pieces, whole=False), view)
        translator.lose()
    out = told(translator, stream(anew, whole=True), view)

    assert view.text == translator.text == "".join(anew)
    assert Completed() in out

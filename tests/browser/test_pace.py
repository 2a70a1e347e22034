"""Text that came whole, in pieces at a reading pace."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deep_chat_proxy.browser.pace import STEP, in_steps, pieces
from deep_chat_proxy.turn.events import Accepted, Completed, TextDelta, TurnEvent
from playing import folded


@given(st.text(), st.integers(0, 10_000))
def test_the_pieces_join_to_the_text_and_none_is_empty(text: str, pace: int) -> None:
    found = list(pieces(text, pace))

    assert "".join(found) == text
    assert pace == 0 or all(found)


def test_words_stay_whole() -> None:
    assert list(pieces("one two three four", 60)) == ["one ", "two ", "three ", "four"]


@pytest.mark.parametrize("text", ["word " * 20_000, "長い文章です。" * 10_000])
def test_a_long_text_takes_no_longer_than_five_seconds(text: str) -> None:
    assert len(list(pieces(text, 10))) * STEP <= 5 + STEP


def test_a_text_without_spaces_is_split_too() -> None:
    assert max(map(len, pieces("長い文章です。" * 100, 300))) <= 24 * 2


def test_without_a_pace_it_comes_at_once() -> None:
    assert list(pieces("one two", 0)) == ["one two"]


whole_or_not = st.lists(st.one_of(st.builds(TextDelta, st.text(), st.booleans()), st.just(Accepted())))


@given(whole_or_not, st.integers(0, 500))
def test_the_steps_hold_all_events_in_order(events: list[TurnEvent], pace: int) -> None:
    steps = list(in_steps(events, pace))
    flat = [event for step in steps for event in step]

    assert all(steps)
    assert folded(flat) == folded(events)
    assert flat.count(Accepted()) == events.count(Accepted())


def test_only_text_that_came_whole_is_split() -> None:
    text = TextDelta("one two three four")

    assert list(in_steps([Accepted(), text, Completed()], 60)) == [[Accepted(), text, Completed()]]
    assert list(in_steps([Accepted(), TextDelta("one two", whole=True), Completed()], 60)) == [
        [Accepted(), TextDelta("one ")],
        [TextDelta("two"), Completed()],
    ]


def test_without_a_pace_there_is_one_step() -> None:
    assert len(list(in_steps([TextDelta("one two", whole=True), Completed()], 0))) == 1


@given(
    st.lists(st.sampled_from(["`", "``", "![x](https://e.example) ", "word ", "\n", " "])).map("".join),
    st.integers(1, 60),
)
def test_code_in_a_line_is_never_cut(text: str, pace: int) -> None:
    place = 0
    for piece in list(pieces(text, pace))[:-1]:
        place += len(piece)
        before, rest = text[:place].rpartition("\n")[2], text[place:].partition("\n")[0]
        assert "`" not in before or "`" not in rest

"""What a visitor reads of what the model wrote, however it is cut into pieces."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deep_chat_proxy.turn.answer.marks import APART
from deep_chat_proxy.turn.text import AnswerText
from playing import splits

MARKERS = ("【4:0†source】", "【13†report.pdf】", "【4:12†L1-L20】", "【†】")
LINKS = ("[data.csv](sandbox:/mnt/data/data.csv)", "![a plot](sandbox:/mnt/data/a b.png)", "[](sandbox:)")
ORDINARY = (
    "【重要】", "[1]", "[a](https://example.com/s)", "[a](sandy)", "![", "!", "a!b", "x[0] = y", "†", "】", "【", "[", "]",
    "(", ")", "sandbox:", "\n", " ", "word", "🚀", "[a](s", "(sandbox:/x)", "[a] (sandbox:/x)",
)  # fmt: skip
# Where something may begin that is not shown as it stands there.
_MARKDOWN = re.compile(r"[\[\]<!`【]|sandbox:|s\Z")
texts = st.lists(
    st.one_of(st.sampled_from([*MARKERS, *LINKS, *ORDINARY]), st.text(alphabet="a【†】[]!()s:\n", max_size=6))
).map("".join)


def shown(*pieces: str) -> str:
    text = AnswerText()
    return "".join([*(text.add(piece) for piece in pieces), text.finish()])


@given(texts, st.lists(st.integers(0, 200), max_size=30))
def test_a_split_at_any_place_shows_the_same(text: str, cuts: list[int]) -> None:
    assert shown(*splits(text, cuts)) == shown(text)


@given(
    st.lists(st.sampled_from(["word ", "【重要】", "\n", *MARKERS, *LINKS])), st.lists(st.integers(0, 200))
)
def test_markers_are_never_shown_and_links_become_their_labels(parts: list[str], cuts: list[int]) -> None:
    labels = dict(zip(LINKS, ("data.csv", "a plot", ""), strict=True)) | dict.fromkeys(MARKERS, "")
    labels["【13†report.pdf】"] = r"\[1\]"

    readable = shown(*splits("".join(parts), cuts)).replace(APART, "")

    assert readable == "".join(labels.get(part, part) for part in parts)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Co"])), st.lists(st.integers(0, 200)))
def test_text_without_either_is_not_changed(text: str, cuts: list[int]) -> None:
    text = _MARKDOWN.sub("", text)

    assert shown(*splits(text, cuts)) == text


@given(texts, st.lists(st.integers(0, 200), max_size=30))
def test_no_more_is_held_than_one_marker_or_link(text: str, cuts: list[int]) -> None:
    answer = AnswerText()
    for piece in splits(text * 5, cuts):
        answer.add(piece)

        assert len(answer.finish()) <= 1_200


@pytest.mark.parametrize(
    "begins", ["【4:0†", "[", "[x](sandbox:", "[x](", "`", "<https:", "![", "【", "\ue200cite"]
)
def test_what_never_ends_is_not_held_for_ever(begins: str) -> None:
    answer = AnswerText()
    for character in begins + "x" * 5_000:
        answer.add(character)

    assert answer.add("x") == "x"


@pytest.mark.parametrize(
    ("begun", "readable"),
    [
        ("It rains 【4:0†sour", "It rains "),
        ("See [the table](sandbox:/mnt/da", "See the table"),
        ("See [the ta", "See [the ta"),
        ("Look 【重", "Look 【重"),
        ("Hello!", "Hello!"),
    ],
)
def test_an_answer_that_breaks_off_within_one_is_readable(begun: str, readable: str) -> None:
    assert shown(*begun) == readable


def test_a_marker_within_a_label_is_dropped() -> None:
    assert shown("[the【1†s】 table](sandbox:/x)") == "the table"


def test_a_part_without_text_adds_no_blank_line() -> None:
    text = AnswerText()

    assert [text.start_part(), text.add("One"), text.start_part(), text.start_part(), text.add("Two")] == [
        "", "One", "", "", "\n\nTwo",
    ]  # fmt: skip


def test_the_part_before_is_finished_where_a_new_one_begins() -> None:
    text = AnswerText()

    assert [text.add("Oh!"), text.start_part(), text.add("Well")] == ["Oh", "!", "\n\nWell"]


def test_only_text_that_can_be_seen_counts_as_shown() -> None:
    text = AnswerText()
    text.add(" \n")
    assert not text.any_shown

    text.add("x")
    assert text.any_shown


def test_a_replacement_forgets_what_was_held() -> None:
    text = AnswerText()
    text.add("One [")

    assert text.replace("Anew") + text.add("!") + text.finish() == "Anew!"


@pytest.mark.parametrize(
    "line", ["1 2 3 4 5 6 7 8 9", "2026 was a good year", "3.14 is not 22/7", "- one\n- two"]
)
def test_what_may_begin_a_list_is_held_back_no_longer_than_until_that_is_clear(line: str) -> None:
    answer, shown = AnswerText(), ""
    for length, letter in enumerate(line, 1):
        shown += answer.add(letter)

        assert length - len(shown) <= 6
    assert shown + answer.finish() == line

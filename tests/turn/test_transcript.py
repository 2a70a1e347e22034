"""What is remembered of a conversation: calls and outputs in pairs, and the newest of it within a budget."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deep_chat_proxy.turn.events import FileKind, ToolCall, ToolOutput
from deep_chat_proxy.turn.transcript import (
    INTERRUPTED,
    Anchor,
    AnchorKind,
    AssistantSaid,
    AttachedFile,
    CallsMade,
    Entry,
    Memory,
    OutputsGiven,
    UserSaid,
    mended,
    newest,
    sendable,
    tokens_of,
    without_files,
)

ASKED = UserSaid("Weather?")
ANSWERED = AssistantSaid("Sunny.")


def calls(*call_ids: str, text: str = "") -> CallsMade:
    return CallsMade(tuple(ToolCall(call_id, "get_weather", "{}") for call_id in call_ids), text)


def outputs(*call_ids: str) -> OutputsGiven:
    return OutputsGiven(tuple(ToolOutput(call_id, f"output of {call_id}") for call_id in call_ids))


def interrupted(*call_ids: str) -> OutputsGiven:
    return OutputsGiven(tuple(ToolOutput(call_id, INTERRUPTED, ok=False) for call_id in call_ids))


texts = st.text(alphabet="aé世🌍", max_size=40)
some_ids = st.lists(st.sampled_from("abcd"), max_size=4, unique=True)
files = st.builds(
    AttachedFile,
    name=texts,
    media_type=st.just("text/plain"),
    kind=st.sampled_from(FileKind),
    text=st.none() | texts,
    upstream_id=st.none() | texts,
    key=st.none() | texts,
)
entries = st.one_of(
    st.builds(UserSaid, texts, st.lists(files, max_size=2).map(tuple)),
    st.builds(AssistantSaid, texts),
    some_ids.map(lambda ids: calls(*ids)),
    some_ids.map(lambda ids: outputs(*ids)),
)
conversations = st.lists(entries, max_size=12)


def assert_paired(found: Sequence[Entry]) -> None:
    """Behind every round of calls stand its outputs, all of them and no others."""
    waiting: list[str] = []
    for entry in found:
        if isinstance(entry, OutputsGiven):
            assert waiting
            assert sorted(output.call_id for output in entry.outputs) == sorted(waiting)
            waiting = []
        else:
            assert waiting == []
            waiting = [call.call_id for call in entry.calls] if isinstance(entry, CallsMade) else []
    assert waiting == []


@given(conversations, st.integers(0, 14))
def test_every_call_has_its_output_and_no_output_is_without_its_call(
    found: list[Entry], covered: int
) -> None:
    first, second = mended(found, covered)

    assert_paired((*first, *second))


@given(conversations, st.integers(0, 14))
def test_what_was_mended_is_whole_and_stays_as_it_is(found: list[Entry], covered: int) -> None:
    first, second = mended(found, covered)

    assert mended((*first, *second), len(first)) == (first, second)


@given(conversations, st.integers(0, 14))
def test_nothing_but_outputs_is_changed_and_all_of_it_stays_on_its_side(
    found: list[Entry], covered: int
) -> None:
    def without_outputs(part: Sequence[Entry]) -> list[Entry]:
        return [entry for entry in part if not isinstance(entry, OutputsGiven)]

    first, second = mended(found, covered)

    assert without_outputs(first) == without_outputs(found[:covered])
    assert without_outputs(second) == without_outputs(found[covered:])


@given(conversations, st.integers(0, 14))
def test_outputs_that_were_given_are_kept_and_only_missing_ones_are_made_up(
    found: list[Entry], covered: int
) -> None:
    first, second = mended(found, covered)
    whole = mended(found)[1]

    made_up = {
        output for entry in (*first, *second) if isinstance(entry, OutputsGiven) for output in entry.outputs
    }
    given_ones = {output for entry in found if isinstance(entry, OutputsGiven) for output in entry.outputs}
    assert {output for output in made_up if output.output != INTERRUPTED} <= given_ones
    assert all(not output.ok for output in made_up - given_ones)
    assert (*first, *second) == whole


@pytest.mark.parametrize(
    ("found", "covered", "parts"),
    [
        ((), 0, ((), ())),
        ((ASKED, calls("a"), outputs("a"), ANSWERED), 2, ((ASKED, calls("a")), (outputs("a"), ANSWERED))),
        ((ASKED, calls("a", "b")), 2, ((ASKED, calls("a", "b")), (interrupted("a", "b"),))),
        ((ASKED, calls("a")), 1, ((ASKED,), (calls("a"), interrupted("a")))),
        ((calls("a"), ASKED), 2, ((calls("a"), interrupted("a"), ASKED), ())),
        ((calls("a"), ASKED), 1, ((calls("a"),), (interrupted("a"), ASKED))),
        ((outputs("a"), ASKED, outputs("b")), 1, ((), (ASKED,))),
        ((calls(text="Hm."), ASKED), 0, ((), (calls(text="Hm."), ASKED))),
        ((ASKED,), 5, ((ASKED,), ())),
    ],
)
def test_the_covered_part_ends_where_it_ended_before(
    found: tuple[Entry, ...], covered: int, parts: tuple[tuple[Entry, ...], tuple[Entry, ...]]
) -> None:
    assert mended(found, covered) == parts


def test_an_output_that_is_missing_among_others_is_made_up() -> None:
    given_outputs = OutputsGiven((*outputs("b").outputs, *interrupted("a").outputs))

    assert mended([calls("a", "b"), outputs("b", "stray")])[1] == (calls("a", "b"), given_outputs)


def test_an_interrupted_output_is_json_that_tells_of_an_error() -> None:
    assert "error" in msgspec.json.decode(INTERRUPTED)


@given(conversations, st.integers(-5, 200))
def test_the_newest_entries_are_an_end_of_all_within_the_budget(found: list[Entry], budget: int) -> None:
    whole = mended(found)[1]

    kept = newest(whole, budget)

    assert kept == whole[len(whole) - len(kept) :]
    assert sum(map(tokens_of, kept)) <= max(budget, 0)


@given(conversations, st.integers(0, 200))
def test_the_newest_entries_begin_with_a_visitor_and_hold_calls_with_their_outputs(
    found: list[Entry], budget: int
) -> None:
    kept = newest(mended(found)[1], budget)

    assert not kept or isinstance(kept[0], UserSaid)
    assert_paired(kept)


@given(conversations, st.integers(0, 200))
def test_no_more_is_left_out_than_must_be(found: list[Entry], budget: int) -> None:
    whole = mended(found)[1]
    kept = newest(whole, budget)
    begins = [index for index, entry in enumerate(whole) if isinstance(entry, UserSaid)]

    fits = [index for index in begins if sum(map(tokens_of, whole[index:])) <= budget]
    assert len(kept) == (len(whole) - min(fits) if fits else 0)


@given(conversations)
def test_entries_without_files_name_them_and_keep_what_is_text(found: list[Entry]) -> None:
    plain = without_files(found)

    assert without_files(plain) == plain
    assert len(plain) == len(found)
    for before, after in zip(found, plain, strict=True):
        if isinstance(before, UserSaid) and isinstance(after, UserSaid):
            names = [(file.name, file.text) for file in before.files]
            assert (after.text, [(file.name, file.text) for file in after.files]) == (before.text, names)
            assert {(file.key, file.upstream_id) for file in after.files} <= {(None, None)}
        else:
            assert after == before


def test_a_file_counts_by_its_text_or_as_a_picture() -> None:
    def said(text: str | None) -> int:
        return tokens_of(UserSaid("", (AttachedFile("a", "text/plain", FileKind.ANY, text=text),)))

    assert tokens_of(UserSaid("")) < said("word " * 100) < said(None)


@given(entries, texts)
def test_every_entry_counts_and_more_text_counts_for_no_less(entry: Entry, more: str) -> None:
    assert tokens_of(entry) > 0
    if isinstance(entry, UserSaid | AssistantSaid | CallsMade):
        assert tokens_of(msgspec.structs.replace(entry, text=entry.text + more)) >= tokens_of(entry)


def test_what_the_anchor_does_not_hold_is_missing_with_outputs_for_open_calls() -> None:
    memory = Memory(Anchor(AnchorKind.CONVERSATION, "conv_1"), (ASKED, calls("a"), UserSaid("Hello?")), 2)

    assert memory.missing == (interrupted("a"), UserSaid("Hello?"))
    assert Memory().missing == ()


@pytest.mark.parametrize(
    ("kind", "whole"),
    [(None, True), (AnchorKind.RESPONSE, True), (AnchorKind.CONVERSATION, False), (AnchorKind.THREAD, False)],
)
def test_a_memory_is_whole_where_the_back_end_s_own_can_be_done_without(
    kind: AnchorKind | None, whole: bool
) -> None:
    anchor = None if kind is None else Anchor(kind, "id_1")

    assert Memory(anchor, (ASKED,), 1).whole is whole


@pytest.mark.parametrize("kind", AnchorKind)
@pytest.mark.parametrize("asked", AnchorKind)
def test_an_anchor_is_of_use_only_to_its_own_kind(kind: AnchorKind, asked: AnchorKind) -> None:
    assert Memory(Anchor(kind, "id_1")).anchored(asked) == ("id_1" if kind is asked else None)
    assert Memory().anchored(asked) is None


@given(entries)
def test_entries_can_be_written_down_and_read_again(entry: Entry) -> None:
    assert msgspec.json.decode(msgspec.json.encode(entry), type=Entry) == entry


@pytest.mark.parametrize(
    ("name", "arguments", "sent"),
    [
        ("get_weather", '{"location": "Paris"}', ToolCall("c", "get_weather", '{"location": "Paris"}')),
        ("functions.get weather", "", ToolCall("c", "functions_get_weather", "{}")),
        ("", '{"loc', ToolCall("c", "unknown", '{"unreadable":"{\\"loc"}')),
        ("x" * 80, "[1]", ToolCall("c", "x" * 64, '{"unreadable":"[1]"}')),
        ("deep", "[" * 5000, ToolCall("c", "deep", '{"unreadable":"' + "[" * 5000 + '"}')),
    ],
)
def test_a_call_that_a_back_end_would_refuse_is_kept_as_one_that_it_takes(
    name: str, arguments: str, sent: ToolCall
) -> None:
    assert sendable(ToolCall("c", name, arguments)) == sent

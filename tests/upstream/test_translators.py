"""The translators of streams, fed with whatever a back end may say, in whatever pieces it comes."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deep_chat_proxy.errors import ChatError
from deep_chat_proxy.turn.events import Completed, PartStarted, TextDelta, TextReplaced, ToolCall
from deep_chat_proxy.turn.text import AnswerText
from deep_chat_proxy.upstream.chat_completions.translate import Translator as ChatTranslator
from deep_chat_proxy.upstream.client import decoded
from deep_chat_proxy.upstream.responses.made_files import Picture
from deep_chat_proxy.upstream.responses.translate import Translator as ResponsesTranslator
from deep_chat_proxy.upstream.responses.wire import Response
from deep_chat_proxy.upstream.sse import ServerEvent
from upstream import chat_recording as chat
from upstream import responses_recording as rec
from upstream.mutating import as_json, json_values, mutated, quick, streams_of

Events = list[ServerEvent]

PAGE = {"type": "url_citation", "url": "https://example.com/a", "title": "A page"}
MADE = {"type": "container_file_citation", "container_id": "c", "file_id": "f", "filename": "a.csv"}
FILE = {"type": "file_citation", "file_id": "f", "filename": "a.pdf"}
DRAWN = {"type": "image_generation_call", "id": "ig_1", "result": "AAAA", "output_format": "png"}
OUTPUT = (
    rec.message("One", rec.refusal_part("No."), rec.text_part("Two", PAGE, MADE, FILE)),
    *(rec.call("call_1", "f", "{}"), rec.call("call_2", "g", {"a": "b"}), rec.approval("mcpr_1"), DRAWN),
)
PLACE = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
ENDS = [
    *(rec.state("completed", item) for item in OUTPUT),
    *(rec.state("completed"), rec.state("completed", *OUTPUT), rec.state("cancelled")),
    rec.state("incomplete", *OUTPUT[:1], incomplete_details={"reason": "content_filter"}),
    rec.state("failed", error={"code": "server_error", "message": "Oops"}),
    {"type": "error", "code": "rate_limit_exceeded", "message": "Oops", "param": None},
    {"error": {"code": "server_error", "message": "Oops"}},
]
RESPONSE_EVENTS = [
    *rec.beginning(),
    *(rec.delta("One"), rec.delta("Two", 2), rec.delta("Three", part=1), rec.text("done", text="One")),
    *(rec.text("annotation.added", annotation=each) for each in (PAGE, MADE, FILE)),
    {"type": "response.refusal.delta", **PLACE, "delta": "No."},
    {"type": "response.refusal.done", **PLACE, "refusal": "No."},
    {"type": "response.reasoning_summary_text.done", **PLACE, "text": "**Looking**"},
    *(rec.item(change, item) for item in OUTPUT for change in ("added", "done")),
]
CHAT_CHUNKS = [
    *chat.said("One", "Two"),
    *chat.called(("call_1", "f", '{"a":1}'), ("call_2", "g", "{}")),
    chat.chunk({"tool_calls": [{"function": {"name": "f", "arguments": {"a": "b"}}}]}),
    chat.chunk(
        {"content": [{"type": "text", "text": "One"}], "reasoning_content": "Hm.", "reasoning": "Hm."}
    ),
    chat.chunk({"annotations": [{"url_citation": PAGE}], "refusal": "No."}, "length"),
    chat.whole(chat.message("One", tool_calls=[chat.call("call_1", "f", {})])),
    {"error": {"code": "server_error", "message": "Oops"}},
]
KINDS = [event.get("type", "") for event in RESPONSE_EVENTS]
any_response_stream = streams_of([*RESPONSE_EVENTS * 2, *ENDS], ["", "", *KINDS, "error"])
any_chat_stream = streams_of(CHAT_CHUNKS, ["", "", "", "error", "ping"])
responses = mutated([end["response"] for end in ENDS if "response" in end])
chunks = mutated(CHAT_CHUNKS)
Translator = ResponsesTranslator | ChatTranslator


def shown(events: Sequence[object], before: str = "") -> str:
    """The text that a visitor has in front of them after these events."""
    answer = AnswerText()
    for event in events:
        match event:
            case PartStarted():
                before += answer.start_part()
            case TextDelta(text):
                before += answer.add(text)
            case TextReplaced(text):
                before = answer.replace(text)
            case _:
                pass
    return before + answer.finish()


def assert_can_be_sent(out: Sequence[object], *values: object) -> None:
    """What is told goes on to pages, to the store and back to the server, all of which take Unicode only."""
    # Nothing of a picture goes on but what it decodes to.
    msgspec.json.encode([*(event for event in out if not isinstance(event, Picture)), *values])


def told(translator: Any, batches: Sequence[Events]) -> tuple[list[Any], bool]:
    """What a stream means in these batches, and whether it became unreadable."""
    translator.begin()
    out: list[Any] = []
    for batch in batches:
        try:
            translator.take(batch, out)
        except ChatError:
            return out, True
    return out, False


def outcome(translator: Any, batches: Sequence[Events]) -> tuple[object, ...]:
    out, unreadable = told(translator, batches)
    rest = [event for event in out if not isinstance(event, PartStarted | TextDelta | TextReplaced)]
    calls = [(call.name, call.arguments) for call in translator.calls]
    return shown(out), translator.text, rest, calls, translator.ended, translator.failed, unreadable


def batched(events: Events, cuts: Sequence[int]) -> list[Events]:
    places = [0, *sorted(cut for cut in cuts if cut <= len(events)), len(events)]
    return [events[start:end] for start, end in pairwise(places)]


@quick
@given(any_response_stream, any_response_stream)
def test_nothing_that_a_responses_server_says_is_worse_than_a_chat_error(first: Events, then: Events) -> None:
    translator = ResponsesTranslator()

    for events in (first, then):
        out, _ = told(translator, [events])

        known = translator.response_id, translator.text, translator.calls, translator.approvals
        assert_can_be_sent(out, *known)
        assert translator.ended or not translator.calls
        assert len({call.call_id for call in translator.calls}) == len(translator.calls)


@quick
@given(any_chat_stream, any_chat_stream)
def test_nothing_that_a_chat_server_says_is_worse_than_a_chat_error(first: Events, then: Events) -> None:
    translator = ChatTranslator()

    for events in (first, then):
        out, _ = told(translator, [events])
        finished = translator.finish(out)

        assert finished == (translator.ended or translator.failed)
        assert_can_be_sent(out, translator.text, translator.calls)


HALF = "a\ud83c"
FILE_OF_HALVES = {**MADE, "container_id": HALF, "file_id": HALF, "filename": HALF}


@pytest.mark.parametrize(
    "event",
    [
        rec.item("done", rec.call("call_1", "f", {HALF: HALF})),
        rec.item("done", rec.call("call_1", "f", HALF)),
        rec.item("done", rec.call("call_1", HALF, "{}")),
        rec.item("done", rec.call(HALF, "f", "{}")),
        rec.item("done", rec.approval(HALF)),
        rec.text("annotation.added", annotation=FILE_OF_HALVES),
        rec.text("annotation.added", annotation={**PAGE, "title": HALF, "url": f"https://{HALF}"}),
        rec.delta(HALF),
        rec.state("completed", rec.message(HALF), response_id=HALF),
        rec.state("failed", error={"code": HALF, "message": HALF}),
        {"type": "error", "code": HALF, "message": HALF},
    ],
)
def test_half_a_character_does_no_harm_wherever_a_responses_server_has_it(event: rec.Event) -> None:
    translator = ResponsesTranslator()

    out, _ = told(translator, [[ServerEvent("", as_json(event))], events_of([rec.state("completed")])])

    assert_can_be_sent(out, translator.response_id, translator.text, translator.calls, translator.approvals)


@pytest.mark.parametrize(
    "chunk",
    [
        chat.chunk({"tool_calls": [chat.call("call_1", "f", {HALF: HALF})]}),
        chat.chunk({"tool_calls": [chat.call("call_1", "f", HALF)]}),
        chat.chunk({"tool_calls": [chat.call("call_1", HALF, "{}")]}),
        chat.chunk({"tool_calls": [chat.call(HALF, "f", "{}")]}),
        chat.chunk({"content": HALF, "refusal": HALF}),
        chat.chunk({"annotations": [{"url_citation": {"url": HALF, "title": HALF}}]}),
        {"error": {"code": HALF, "message": HALF}},
    ],
)
def test_half_a_character_does_no_harm_wherever_a_chat_server_has_it(chunk: chat.Chunk) -> None:
    translator = ChatTranslator()

    out, _ = told(translator, [[ServerEvent("", as_json(chunk)), ServerEvent("", b"[DONE]")]])
    translator.finish(out)

    assert_can_be_sent(out, translator.text, translator.calls)


@given(st.binary(max_size=20) | chunks.map(as_json) | json_values.map(as_json))
def test_no_whole_answer_is_worse_than_a_chat_error(body: bytes) -> None:
    translator = ChatTranslator()
    translator.begin()
    out: list[Any] = []
    try:
        translator.take_whole(body, out)
    except ChatError:
        return
    assert translator.finish(out)


@quick
@given(responses)
def test_no_response_that_was_asked_for_is_worse_than_a_chat_error(response: dict[str, Any]) -> None:
    translator = ResponsesTranslator()
    translator.begin()
    try:
        translator.take_response(decoded(as_json(response), Response), [], whole=True)
    except ChatError:
        return
    assert translator.ended


@pytest.mark.parametrize("make", [ResponsesTranslator, ChatTranslator], ids=["responses", "chat"])
@quick
@given(data=st.data(), cuts=st.lists(st.integers(0, 12), max_size=6))
def test_it_does_not_matter_in_which_batches_events_come(
    make: Callable[[], Translator], data: st.DataObject, cuts: list[int]
) -> None:
    streams = any_response_stream if make is ResponsesTranslator else any_chat_stream
    events = data.draw(streams)
    whole = outcome(make(), [events])

    assert outcome(make(), batched(events, cuts)) == whole
    assert outcome(make(), [[event] for event in events]) == whole


def events_of(events: Sequence[rec.Event]) -> Events:
    return [ServerEvent("", as_json(event)) for event in events]


NUMBERINGS: dict[str, Callable[[int], dict[str, Any]]] = {
    "as they stand": lambda index: {"output_index": index},
    "behind one that is not shown": lambda index: {"output_index": index + 1},
    "by their ids": lambda index: {"item_id": f"msg_{index}"},
}
words = st.text(alphabet="aé世🌍.", min_size=1, max_size=4)


@pytest.mark.parametrize("numbering", NUMBERINGS)
@quick
@given(st.lists(st.lists(words, min_size=1, max_size=4), max_size=3), st.data())
def test_whatever_is_lost_of_an_answer_its_end_makes_it_good(
    numbering: str, answer: list[list[str]], data: st.DataObject
) -> None:
    events: list[rec.Event] = []
    for index, pieces in enumerate(answer):
        place = NUMBERINGS[numbering](index)
        events += [{"type": "response.output_text.delta", **place, "delta": piece} for piece in pieces]
        events += [{"type": "response.output_text.done", **place, "text": "".join(pieces)}]
    kept = [event for event in events if data.draw(st.booleans())]
    parts = ["".join(pieces) for pieces in answer]
    end = rec.state("completed", *(rec.message(part) for part in parts))

    out, _ = told(ResponsesTranslator(), [events_of([*kept, end])])

    assert shown(out) == "\n\n".join(parts)
    assert out[-1] == Completed()


@quick
@given(st.lists(st.lists(words, min_size=1, max_size=4), max_size=3), st.booleans(), st.booleans())
def test_an_answer_of_which_nothing_is_lost_is_told_once(
    answer: list[list[str]], ends_are_told: bool, output_is_told: bool
) -> None:
    events: list[rec.Event] = []
    for index, pieces in enumerate(answer):
        said = rec.said(*pieces, index=index, item_id=f"msg_{index}")
        events += said if ends_are_told else [event for event in said if not event["type"].endswith("done")]
    parts = ["".join(pieces) for pieces in answer]
    translator = ResponsesTranslator()
    output = [rec.message(part) for part in parts] if output_is_told else []

    out, _ = told(translator, [events_of([*events, rec.state("completed", *output)])])

    assert shown(out) == translator.text == "\n\n".join(parts)
    assert not any(isinstance(event, TextReplaced) for event in out)


@quick
@given(st.lists(words, max_size=5), st.lists(st.sampled_from(["f", "g"]), max_size=3))
def test_the_texts_and_calls_of_two_responses_are_kept_apart(pieces: list[str], names: list[str]) -> None:
    translator = ResponsesTranslator()
    made = [(f"call_{index}", name, "{}") for index, name in enumerate(names)]
    out, _ = told(translator, [events_of([*rec.said("Before"), *rec.called(*made), rec.state("completed")])])
    assert [call.call_id for call in translator.calls] == [call_id for call_id, _, _ in made]

    more, _ = told(translator, [events_of([*map(rec.delta, pieces), rec.state("completed")])])

    assert translator.text == "".join(pieces)
    assert translator.calls == ()
    assert shown([*out, *more]) == "\n\n".join(text for text in ("Before", "".join(pieces)) if text)


@quick
@given(st.lists(words, max_size=5), st.sampled_from(["stop", "tool_calls", ""]), st.booleans())
def test_a_completion_without_an_end_is_cut_off_whatever_it_said(
    pieces: list[str], reason: str, done: bool
) -> None:
    said = [chat.chunk({"content": piece}) for piece in pieces]
    events = [ServerEvent("", as_json(chunk)) for chunk in [*said, chat.chunk(finish=reason)]]
    translator = ChatTranslator()

    out, _ = told(translator, [[*events, *([ServerEvent("", b"[DONE]")] if done else [])]])

    assert translator.finish(out) == bool(reason or (done and pieces))
    assert shown(out) == translator.text == "".join(pieces)
    assert ToolCall not in {type(event) for event in out}

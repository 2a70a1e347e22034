"""The exact bytes of a stream, for each way that events can follow each other."""

import json
import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deep_chat_proxy.browser.frames import FrameWriter, shown_sources
from deep_chat_proxy.errors import FAILED
from deep_chat_proxy.turn.events import (
    Accepted,
    ChatFile,
    Completed,
    Cut,
    Failed,
    FileKind,
    FileReady,
    Source,
    SourcesListed,
    Status,
    Stopped,
    TextDelta,
    TextReplaced,
    ToolEnded,
    ToolStarted,
    TurnEvent,
    Usage,
)

THREAD, TURN, LOG = "T1", "turn-1", "turn-1.2"
FILE = FileReady(ChatFile("f1", 'a "b".png', FileKind.IMAGE))
RUNNING = ToolStarted("c1", "weather", "Looking at the weather…")
RAN = ToolEnded("c1", "weather", ok=True)


def written(*batches: Sequence[TurnEvent]) -> str:
    writer = FrameWriter(THREAD, TURN, LOG, lambda file: f"/api/files/{file.file_id}/x")
    last_id, out = 0, b""
    for batch in batches:
        last_id += len(batch)
        out += writer.frames(batch, last_id)
    return out.decode()


def frame(body: str, event_id: int | None = None) -> str:
    return (f"id: turn-1.2-{event_id}\n" if event_id else "") + "data: {" + body + ',"thread_id":"T1"}\n\n'


ERROR = f'"error":"{FAILED.sentence}","turn_id":"turn-1"'
PLACEHOLDER = '"text":"*Thinking…*","turn_id":"turn-1"'
THINKING = frame(PLACEHOLDER, 1)


def first(text: str) -> str:
    return f'"text":"{text}","overwrite":true,"_sessionId":"T1","turn_id":"turn-1"'


def test_the_first_text_overwrites_the_placeholder_and_the_rest_is_appended() -> None:
    assert written([Accepted()], [TextDelta("Hel")], [TextDelta("lo")], [Completed()]) == (
        THINKING + frame(first("Hel"), 2) + frame('"text":"lo"', 3)
    )


def test_texts_of_one_batch_are_one_event() -> None:
    assert written(
        [Accepted(), TextDelta("a"), TextDelta("b")], [TextDelta("c"), TextDelta("d"), Completed()]
    ) == (frame(PLACEHOLDER) + frame(first("ab"), 3) + frame('"text":"cd"', 6))


def test_only_the_last_event_of_a_batch_has_the_id_of_the_batch() -> None:
    writer = FrameWriter(THREAD, TURN, LOG, lambda _: "")

    assert (
        writer.frames([Accepted(), TextDelta("a")], None) == (frame(PLACEHOLDER) + frame(first("a"))).encode()
    )
    assert writer.frames([TextDelta("b"), FILE], 4).count(b"id: ") == 1


def test_an_empty_text_is_not_sent() -> None:
    assert written([Accepted()], [TextDelta("")], [TextDelta("a"), TextDelta("")], [TextReplaced("")]) == (
        THINKING + frame(first("a"), 4) + frame('"text":"*Thinking…*","overwrite":true', 5)
    )


def test_text_after_a_replacement_by_nothing_overwrites() -> None:
    assert written([Accepted(), TextDelta("wrong")], [TextReplaced("")], [TextDelta("right")]).endswith(
        frame(first("right"), 4)
    )


def test_text_that_replaces_overwrites_at_any_time() -> None:
    assert written([Accepted()], [TextDelta("a")], [TextReplaced("b")], [TextDelta("c")]) == (
        THINKING + frame(first("a"), 2) + frame('"text":"b","overwrite":true', 3) + frame('"text":"c"', 4)
    )


def test_a_status_stands_in_the_bubble_until_the_answer_begins() -> None:
    assert written([Accepted()], [Status("Queued")], [TextDelta("Hi")]) == (
        THINKING
        + frame('"text":"*Queued*","overwrite":true,"status":{"text":"Queued"}', 2)
        + frame(first("Hi"), 3)
    )


def test_a_status_before_acceptance_is_a_placeholder_too() -> None:
    assert written([Status("Uploading")], [Accepted()], [TextDelta("Hi")]) == (
        frame('"text":"*Uploading*","status":{"text":"Uploading"}', 1)
        + frame('"text":"*Thinking…*","overwrite":true,"turn_id":"turn-1"', 2)
        + frame(first("Hi"), 3)
    )


def test_tools_are_shown_in_the_bubble_while_no_answer_is_there() -> None:
    assert written([Accepted()], [RUNNING], [RAN], [TextDelta("Rain")]) == (
        THINKING
        + frame(
            '"text":"*Looking at the weather…*","overwrite":true,"status":'
            '{"state":"started","tool":"weather","text":"Looking at the weather…"}',
            2,
        )
        + frame('"status":{"state":"ended","tool":"weather","ok":true}', 3)
        + frame(first("Rain"), 4)
    )


def test_tools_after_text_leave_the_text_alone() -> None:
    assert written([Accepted()], [TextDelta("Hm")], [RUNNING], [RAN], [TextDelta(".")]) == (
        THINKING
        + frame(first("Hm"), 2)
        + frame('"status":{"state":"started","tool":"weather","text":"Looking at the weather…"}', 3)
        + frame('"status":{"state":"ended","tool":"weather","ok":true}', 4)
        + frame('"text":"."', 5)
    )


def test_a_file_comes_with_its_type_and_name_and_after_the_text_before_it() -> None:
    assert written([Accepted()], [TextDelta("a"), FILE, TextDelta("b")]) == (
        THINKING
        + frame(first("a"))
        + frame(r'"files":[{"src":"/api/files/f1/x","name":"a \"b\".png","type":"image"}]')
        + frame('"text":"b"', 4)
    )


def test_files_alone_get_a_text_in_place_of_the_placeholder() -> None:
    assert written([Accepted()], [FILE], [Completed()]).endswith(frame(first("*Here it is:*"), 3))


def test_usage_and_a_plain_end_are_nothing_to_show() -> None:
    assert written([Accepted()], [TextDelta("a")], [Usage(1, 2), Completed()]) == THINKING + frame(
        first("a"), 2
    )


def test_a_cut_answer_says_so_at_its_end() -> None:
    note = "*The answer was cut short because it reached its longest length.*"

    assert written([Accepted()], [TextDelta("a"), Completed(Cut.LENGTH)]).endswith(
        frame(first("a")) + frame(rf'"text":"\n\n{note}"', 3)
    )
    assert written([Accepted()], [Completed(Cut.LENGTH)]).endswith(frame(first(note), 2))


def test_an_error_comes_last_and_the_text_before_it_stays() -> None:
    error = frame(ERROR, 3)

    assert (
        written([Accepted()], [TextDelta("a")], [Failed(FAILED)]) == THINKING + frame(first("a"), 2) + error
    )


def test_an_error_without_an_answer_leaves_no_placeholder_standing() -> None:
    assert written([Accepted()], [Failed(FAILED)]) == (
        THINKING + frame(first("*No answer.*")) + frame(ERROR, 2)
    )


def test_an_error_before_anything_was_shown_is_alone() -> None:
    assert written([Failed(FAILED)]) == frame(ERROR, 1)


@pytest.mark.parametrize(
    ("before", "stopped"),
    [
        ([], frame('"text":"*Stopped.*"', 1)),
        ([Accepted()], frame(first("*Stopped.*"), 2)),
        ([Accepted(), TextDelta("a")], frame('"text":"\\n\\n*Stopped.*"', 3)),
    ],
)
def test_a_stop_is_said_in_place_of_an_answer_or_behind_it(before: list[TurnEvent], stopped: str) -> None:
    writer = FrameWriter(THREAD, TURN, LOG, lambda _: "")
    writer.frames(before, len(before))

    assert writer.frames([Stopped()], len(before) + 1).decode() == stopped


def test_one_who_comes_late_sees_the_text_so_far_and_goes_on() -> None:
    assert written([TextReplaced("So far")], [TextDelta(".")], [Completed()]) == (
        frame(first("So far"), 1) + frame('"text":"."', 2)
    )


any_events = st.lists(
    st.one_of(
        st.text(max_size=5).map(TextDelta),
        st.text(max_size=5).map(TextReplaced),
        st.text(max_size=5).map(Status),
        st.sampled_from([Accepted(), FILE, RUNNING, RAN, Usage(1, 1)]),
    ),
    max_size=12,
)
ends = st.sampled_from([Completed(), Completed(Cut.LENGTH), Stopped(), Failed(FAILED)])


@given(st.lists(any_events, max_size=5), ends)
def test_whatever_happens_events_are_whole_and_show_the_text(
    batches: list[list[TurnEvent]], end: TurnEvent
) -> None:
    """What Deep Chat does with the events: append, overwrite; empty texts are nothing to it."""
    bubble, expected = "", ""
    for event in (event for batch in batches for event in batch):
        expected = expected + event.text if isinstance(event, TextDelta) else expected
        expected = event.text if isinstance(event, TextReplaced) else expected
    stream = written(*batches, [end])
    datas = [json.loads(found) for found in re.findall(r"data: (.*)\n\n", stream)]

    assert re.fullmatch(r"(?:(?:id: turn-1\.2-\d+\n)?data: \{[^\n]*\}\n\n)*", stream)
    for data in datas:
        assert data["thread_id"] == THREAD
        assert data.get("text") != ""
        assert not {"text", "error"} <= set(data)
        if "text" in data:
            bubble = data["text"] if data.get("overwrite") else bubble + data["text"]
    assert ["error" in data for data in datas] == [False] * (len(datas) - 1) + [
        isinstance(end, Failed)
    ] * bool(datas)
    if expected and not (isinstance(end, Completed) and end.cut):
        assert bubble == expected + ("\n\n*Stopped.*" if isinstance(end, Stopped) else "")


OWN = ChatFile("f1", "a (1).csv", FileKind.ANY)
LINK = "[a](deep-chat-file:f1/a%20%281%29.csv)"


def addressed(file: ChatFile) -> str:
    return f"https://c.example/{file.file_id}/{file.name}"


def test_sources_are_data_beside_the_text_that_lists_them() -> None:
    sources = (Source(1, "S", "https://s.example"), Source(2, "a.pdf"))

    assert written([Accepted(), TextDelta("One."), SourcesListed("\n\n1. S", sources)]) == (
        frame(PLACEHOLDER)
        + frame(first("One."))
        + frame(
            r""""text":"\n\n1. S","custom":{"sources":[{"number":1,"title":"S","url":"https://s.example"},"""
            r"""{"number":2,"title":"a.pdf"}]}""",
            3,
        )
    )


def test_a_source_that_is_a_file_of_the_visitor_has_its_address() -> None:
    assert shown_sources([Source(1, "a (1).csv", file=OWN)], addressed) == {
        "sources": [{"number": 1, "title": "a (1).csv", "url": "https://c.example/f1/a (1).csv"}]
    }


@pytest.mark.parametrize(
    "event", [TextDelta(LINK), TextReplaced(LINK), SourcesListed(LINK, (Source(1, "a"),))], ids=repr
)
def test_links_to_the_visitors_files_have_the_address_of_the_page_that_asks(event: TurnEvent) -> None:
    writer = FrameWriter(THREAD, TURN, LOG, addressed)

    assert '"text":"[a](https://c.example/f1/a %281%29.csv)"' in writer.frames([event], 1).decode()

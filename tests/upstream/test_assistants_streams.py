"""Following runs by their event streams, over real sockets and in every form that servers send them."""

import logging
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from deep_chat_proxy.errors import (
    EMPTY_ANSWER,
    FAILED,
    NO_QUOTA,
    OVERLOADED,
    RATE_LIMITED,
    TIMED_OUT,
    TOO_MANY_ROUNDS,
)
from deep_chat_proxy.turn.events import (
    Accepted,
    Completed,
    Cut,
    Failed,
    FileKind,
    FileMade,
    Stopped,
    TerminalEvent,
    TextDelta,
    ToolCall,
    Usage,
)
from deep_chat_proxy.upstream.assistants.dialect import AssistantsDialect
from upstream import recording as rec
from upstream.backend import Json, ScriptedBackend
from upstream.playing import play
from upstream.scenes import (
    CANCEL,
    FIRST,
    NEW_THREAD,
    OSLO,
    OUTPUTS,
    PARIS,
    ROME,
    RUN,
    START,
    assert_whole,
    can_be_asked,
    streams,
)


async def test_a_text_run_becomes_the_events_of_a_turn(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    backend.on(START, streams(rec.stream(rec.text_run())))

    played = await play(dialect)

    assert played.events == [
        Accepted(),
        TextDelta("Grüße, 世界 🌍!\nBye."),
        Usage(11, 7),
        Completed(),
    ]
    assert played.thread.opened == [rec.THREAD]
    assert backend.lines == FIRST


async def test_a_stream_may_be_split_at_every_byte(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    events = [
        ("thread.created", {"id": rec.THREAD}),
        ("thread.run.created", {"id": rec.RUN, "status": "queued", "thread_id": rec.THREAD}),
        *(rec.delta(piece) for piece in ("Grüße, ", "世界 🌍")),
        ("thread.run.completed", {"id": rec.RUN, "status": "completed"}),
    ]
    whole = rec.stream(events)
    for at in range(1, len(whole)):
        backend.on(START, streams(whole[:at], whole[at:]))
        played = await play(dialect)
        assert (at, played.text, played.end) == (at, "Grüße, 世界 🌍", Completed())
    assert set(backend.lines) == set(FIRST)


async def test_one_connection_serves_turn_after_turn(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    *events, end = [rec.frame(*event) for event in rec.text_run()]
    backend.on(START, streams(*events, end, rec.DONE))

    for _ in range(3):
        assert_whole(await play(dialect))

    assert len(backend.connections) == 1


async def test_nothing_that_follows_the_end_of_a_run_is_said(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    late = [*rec.text_run(), rec.delta("late"), rec.run_event("failed")]
    backend.on(START, streams(rec.stream(late)))

    assert_whole(await play(dialect))


async def test_a_stream_may_come_byte_by_byte(backend: ScriptedBackend, dialect: AssistantsDialect) -> None:
    whole = rec.stream(rec.text_run())
    backend.on(START, streams(*(whole[at : at + 1] for at in range(len(whole)))))

    assert_whole(await play(dialect))


def _crlf(events: rec.Events) -> bytes:
    return rec.stream(events).replace(b"\n", b"\r\n")


def _cr(events: rec.Events) -> bytes:
    return rec.stream(events).replace(b"\n", b"\r")


def _commented(events: rec.Events) -> bytes:
    return b"".join(b": ping\n\n:\ndata:\n\n" + rec.frame(*event) for event in events) + rec.DONE


def _no_space(events: rec.Events) -> bytes:
    return rec.stream(events).replace(b"data: ", b"data:").replace(b"event: ", b"event:")


def _wrapped(events: rec.Events) -> bytes:
    return b"".join(rec.wrapped(*event) for event in events) + b"data: [DONE]\n\n"


def _wrapped_messages(events: rec.Events) -> bytes:
    return b"".join(b"event: message\n" + rec.wrapped(*event) for event in events)


def _bare(events: rec.Events) -> bytes:
    return b"".join(rec.bare(*event) for event in events) + b"data: [DONE]\n\n"


def _pretty(events: rec.Events) -> bytes:
    def lines(data: Any) -> bytes:
        text = msgspec.json.format(msgspec.json.encode(data), indent=2)
        return b"\n".join(b"data: " + line for line in text.split(b"\n"))

    return b"".join(b"event: %s\n%s\n\n" % (name.encode(), lines(data)) for name, data in events)


def _with_unknown_events(events: rec.Events) -> bytes:
    unknown: rec.Events = [
        ("thread.run.step.thought", {"id": "step_9"}),
        ("thread.run.rated", {"stars": 5}),
        ("thread.message.rated", {}),
        ("thread.fork", []),
        ("", {"object": "thread.rating", "stars": 5}),
        ("", {"event": "rating", "data": 5}),
        ("ping", 1),
    ]
    strange = b"".join(rec.frame(*event) for event in unknown)
    return b"".join(strange + rec.frame(*event) for event in events) + rec.DONE


def _content_as_object(events: rec.Events) -> bytes:
    changed = [
        (name, {**data, "delta": {"content": data["delta"]["content"][0]}} if "delta" in data else data)
        for name, data in events
    ]
    return rec.stream(changed)


def _index_for_each_token(events: rec.Events) -> bytes:
    changed = [
        rec.delta(data["delta"]["content"][0]["text"]["value"], index=index)
        if "delta" in data
        else (name, data)
        for index, (name, data) in enumerate(events)
    ]
    return rec.stream(changed)


def _milliseconds(events: rec.Events) -> bytes:
    changed = [
        (name, {**data, "created_at": 1790000000123, "expires_at": 1790000000123.5, "request_id": "r"})
        for name, data in events
    ]
    return rec.stream(changed)


def _nulls(events: rec.Events) -> bytes:
    extra = {"error": None, "delta": None, "incomplete_details": None, "usage": None, "metadata": None}
    return rec.stream([(name, {**extra, **data}) for name, data in events])


def _no_messages(events: rec.Events) -> bytes:
    return rec.stream([event for event in events if not event[0].startswith("thread.message.c")])


def _messages_without_content(events: rec.Events) -> bytes:
    return rec.stream(
        [(name, {**data, "content": None} if "content" in data else data) for name, data in events]
    )


def _no_deltas(events: rec.Events) -> bytes:
    return rec.stream([event for event in events if event[0] != "thread.message.delta"])


FORMS = [
    _crlf,
    _cr,
    _commented,
    _no_space,
    _wrapped,
    _wrapped_messages,
    _bare,
    _pretty,
    _with_unknown_events,
    _content_as_object,
    _index_for_each_token,
    _milliseconds,
    _nulls,
    _no_messages,
    _messages_without_content,
    _no_deltas,
]


@pytest.mark.parametrize("form", FORMS)
async def test_a_stream_of_any_form_is_understood(
    backend: ScriptedBackend, dialect: AssistantsDialect, form: Callable[[rec.Events], bytes]
) -> None:
    backend.on(START, streams(form(rec.text_run())))

    assert_whole(await play(dialect))
    assert backend.lines == FIRST


@pytest.mark.parametrize("form", [_crlf, _wrapped, _bare, _content_as_object, _milliseconds])
async def test_tool_calls_in_a_stream_of_any_form_are_understood(
    backend: ScriptedBackend, dialect: AssistantsDialect, form: Callable[[rec.Events], bytes]
) -> None:
    backend.on(START, streams(form([*rec.beginning(), *rec.asks(PARIS)])))
    backend.on(OUTPUTS, streams(form([*rec.said("Sunny"), rec.run_event("completed")])))

    played = await play(dialect)

    assert (played.text, played.end) == ("Sunny", Completed())
    assert [call.call_id for call in played.tools.calls] == ["call_1"]


@pytest.mark.parametrize("run_id", [7, "run/1 ?#é世", "a%2Fb", "+", "0", "run_1\n"])
@pytest.mark.parametrize("lost", [False, True])
async def test_ids_may_be_anything(
    backend: ScriptedBackend, dialect: AssistantsDialect, run_id: Any, lost: bool
) -> None:
    ids = {"id": run_id, "thread_id": run_id}
    call = msgspec.convert(rec.wants((run_id, "f", "{}")), dict)
    backend.on(NEW_THREAD, Json({"id": run_id}))
    backend.on(
        "POST /threads/[^/?#]+/runs",
        streams(
            rec.stream(
                [("thread.created", {"id": run_id}), ("thread.run.created", {**rec.run("queued"), **ids})]
            )
            + rec.frame("thread.run.requires_action", {**call, **ids})
        ),
    )
    spoken = [rec.delta("ab", message_id=run_id)]
    ended = ("thread.run.completed", {**rec.run("completed"), **ids})
    backend.on(
        "POST /threads/[^/?#]+/runs/[^/?#]+/submit_tool_outputs",
        streams(rec.stream(spoken if lost else [*spoken, ended])),
    )
    backend.on("GET /threads/[^/?#]+/runs/[^/?#]+", Json(ended[1]))
    backend.on(
        r"GET /threads/[^/?#]+/messages\?.+",
        Json(rec.listed(rec.message("abc" if lost else "ab", message_id=run_id, run_id=run_id))),
    )

    played = await play(dialect)

    assert (played.text, played.end) == ("abc" if lost else "ab", Completed())
    assert played.tools.calls == [ToolCall(str(run_id), "f", "{}")]


async def test_two_rounds_of_function_calls_go_on_in_new_streams(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    backend.on(
        START, streams(rec.stream([*rec.beginning(), *rec.said("Let me see."), *rec.asks(PARIS, ROME)]))
    )
    backend.on(
        OUTPUTS,
        streams(rec.stream([rec.run_event("in_progress"), *rec.asks(OSLO)])),
        streams(rec.stream([*rec.said("All ", "sunny.", message_id="msg_2"), rec.run_event("completed")])),
    )

    played = await play(dialect)

    assert played.text == "Let me see.\n\nAll sunny."
    assert played.end == Completed()
    assert [call.call_id for call in played.tools.calls] == ["call_1", "call_2", "call_3"]
    assert [seen.json for seen in backend.requests[len(FIRST) :]] == [
        {
            "tool_outputs": [
                {"tool_call_id": "call_1", "output": 'get_weather {"location":"Paris"}'},
                {"tool_call_id": "call_2", "output": 'get_weather {"location":"Rome"}'},
            ],
            "stream": True,
        },
        {
            "tool_outputs": [{"tool_call_id": "call_3", "output": 'get_weather {"location":"Oslo"}'}],
            "stream": True,
        },
    ]
    assert backend.lines == [*FIRST, OUTPUTS, OUTPUTS]


async def test_a_model_that_never_stops_asking_is_stopped_and_its_run_cancelled(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    backend.on(START, streams(rec.stream([*rec.beginning(), *rec.asks(PARIS)])))
    backend.on(OUTPUTS, streams(rec.stream(rec.asks(PARIS))))
    can_be_asked(backend, rec.run("cancelled"))

    played = await play(dialect)

    assert played.problem == TOO_MANY_ROUNDS
    assert backend.lines == [*FIRST, *[OUTPUTS] * 5, CANCEL, RUN]


async def test_files_and_annotations_become_files_and_readable_text(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    link = "[numbers](sandbox:/mnt/data/numbers.csv)"
    path = {"type": "file_path", "text": "sandbox:/mnt/data/numbers.csv", "file_path": {"file_id": "file-2"}}
    chart = {"type": "file_path", "text": "sandbox:/mnt/data/b.PNG", "file_path": {"file_id": "file-3"}}
    cited = {"type": "file_citation", "text": "【4:0†source】", "file_citation": {"file_id": "file-9"}}
    annotated = {
        "type": "text",
        "text": {"annotations": [{"index": 0, **path}, chart, {**cited, "text": None}]},
    }
    full = rec.message(
        rec.image_part("file-1"), rec.text_part(f"See {link}【4:0†source】.", [path, chart, cited])
    )
    events = [
        rec.delta(rec.image_part("file-1")),
        *(
            rec.delta(piece, index=1)
            for piece in ("See [num", "bers](sandbox:/mnt/da", "ta/numbers.csv)【4:0†")
        ),
        rec.delta("source】.", index=1),
        rec.delta(annotated, index=1),
        ("thread.message.completed", full),
    ]
    backend.on(START, streams(rec.stream([*rec.beginning(), *events, rec.run_event("completed")])))
    backend.on("GET /files/file-9", Json({"id": "file-9", "filename": "report.pdf"}))

    played = await play(dialect)

    assert played.text == (
        r"See [numbers](deep-chat-file:file-2/numbers.csv)\[1\]." + "\n\n**Sources**\n\n1. report.pdf"
    )
    assert played.keeper.made == [
        FileMade("file-1", None, FileKind.IMAGE),
        FileMade("file-2", "numbers.csv", FileKind.ANY, marker="sandbox:/mnt/data/numbers.csv"),
        FileMade("file-3", "b.PNG", FileKind.IMAGE, marker="sandbox:/mnt/data/b.PNG"),
    ]


async def test_text_after_a_picture_is_a_paragraph_of_its_own(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    full = rec.message("Before", rec.image_part("file-1"), "After")
    events = [
        rec.delta("Before"),
        rec.delta(rec.image_part("file-1"), index=1),
        rec.delta("Af", index=2),
        rec.delta("ter", index=2),
        ("thread.message.completed", full),
    ]
    backend.on(START, streams(rec.stream([*rec.beginning(), *events, rec.run_event("completed")])))

    played = await play(dialect)

    assert (played.text, played.said_anew) == ("Before\n\nAfter", False)


async def test_a_refusal_is_text(backend: ScriptedBackend, dialect: AssistantsDialect) -> None:
    part = {"type": "refusal", "refusal": "I cannot help with that."}
    events = [rec.delta(part), ("thread.message.completed", rec.message(part)), rec.run_event("completed")]
    backend.on(START, streams(rec.stream([*rec.beginning(), *events])))

    assert (await play(dialect)).text == "I cannot help with that."


async def test_hosted_tools_are_told_of_once(backend: ScriptedBackend, dialect: AssistantsDialect) -> None:
    code = {"type": "code_interpreter", "code_interpreter": {"input": "1"}}
    search = {"type": "file_search", "file_search": {}}
    growing = {"id": "step_1", "delta": {"step_details": {"type": "tool_calls", "tool_calls": [code]}}}
    events = [
        rec.step("created", "tool_calls", tool_calls=[search]),
        ("thread.run.step.delta", growing),
        ("thread.run.step.delta", growing),
        *rec.said("Done."),
        rec.run_event("completed"),
    ]
    backend.on(START, streams(rec.stream([*rec.beginning(), *events])))

    assert (await play(dialect)).statuses == ["Searching the files…", "Running code…"]


FAULT = {"code": "server_error", "message": "Sorry, thread_abc run_1 failed."}
LIMIT = {"code": "rate_limit_exceeded", "message": "Rate limit reached."}
QUOTA = {"code": "rate_limit_exceeded", "message": "You exceeded your current quota, please check."}
FILTERED = {"reason": "content_filter"}


@pytest.mark.parametrize(
    ("status", "fields", "ends"),
    [
        ("completed", {}, Completed()),
        ("incomplete", {"incomplete_details": {"reason": "max_completion_tokens"}}, Completed(Cut.LENGTH)),
        ("incomplete", {}, Completed(Cut.LENGTH)),
        ("incomplete", {"incomplete_details": FILTERED}, Completed(Cut.CONTENT_FILTER)),
        ("failed", {"last_error": FAULT}, Failed(FAILED)),
        ("failed", {"last_error": LIMIT}, Failed(RATE_LIMITED)),
        ("failed", {"last_error": QUOTA}, Failed(NO_QUOTA)),
        ("failed", {"last_error": {"code": None, "message": None}}, Failed(FAILED)),
        ("failed", {}, Failed(FAILED)),
        ("expired", {}, Failed(TIMED_OUT)),
        ("cancelled", {}, Stopped()),
    ],
)
async def test_every_end_of_a_run_ends_the_turn_and_keeps_its_text(
    backend: ScriptedBackend, dialect: AssistantsDialect, status: str, fields: Any, ends: TerminalEvent
) -> None:
    backend.on(
        START, streams(rec.stream([*rec.beginning(), rec.delta("Some"), rec.run_event(status, **fields)]))
    )

    played = await play(dialect)

    assert (played.text, played.end) == ("Some", ends)
    assert backend.lines == FIRST


async def test_what_a_failed_run_says_stays_out_of_the_log(
    backend: ScriptedBackend, dialect: AssistantsDialect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    backend.on(START, streams(rec.stream([*rec.beginning(), rec.run_event("failed", last_error=FAULT)])))

    await play(dialect)

    assert "code=server_error" in caplog.text
    for secret in ("Sorry", rec.THREAD, rec.RUN, "sk-canary"):
        assert secret not in caplog.text


async def test_a_message_that_the_content_filter_cut_makes_a_cut_answer(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    cut = rec.message("Some", status="incomplete", incomplete_details=FILTERED)
    events = [rec.delta("Some"), ("thread.message.incomplete", cut), rec.run_event("incomplete")]
    backend.on(START, streams(rec.stream([*rec.beginning(), *events])))

    assert (await play(dialect)).end == Completed(Cut.CONTENT_FILTER)


async def test_an_answer_that_holds_nothing_is_an_error(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    backend.on(START, streams(rec.stream([*rec.beginning(), rec.run_event("completed")])))

    assert (await play(dialect)).problem == EMPTY_ANSWER


@pytest.mark.parametrize(
    "error",
    [
        b'event: error\ndata: {"code": "server_is_overloaded", "message": "no", "type": "x", "param": null}\n\n',
        b'event: error\ndata: {"error": {"code": "server_is_overloaded", "message": "no"}}\n\n',
        b'data: {"error": {"code": "server_is_overloaded", "message": "no"}}\n\n',
        b'data: {"event": "error", "data": {"code": "server_is_overloaded"}}\n\n',
    ],
)
@pytest.mark.parametrize("end", ["close", "cut", "stall"])
async def test_an_error_event_ends_the_turn_and_its_run(
    backend: ScriptedBackend, dialect: AssistantsDialect, error: bytes, end: str
) -> None:
    events = rec.stream([*rec.beginning(), rec.delta("Some")], done=False)
    backend.on(START, streams(events + error, end=end))
    can_be_asked(backend, rec.run("failed"))

    played = await play(dialect)

    assert (played.text, played.problem) == ("Some", OVERLOADED)
    assert backend.lines == [*FIRST, CANCEL, RUN]

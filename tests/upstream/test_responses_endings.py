"""How responses end: in each of the four ways, or cut off, lost, silent or unreadable."""

from typing import Any

import aiohttp
import pytest

from deep_chat_proxy.errors import (
    CUT_OFF,
    EMPTY_ANSWER,
    FAILED,
    INVALID_KEY,
    NO_QUOTA,
    OVERLOADED,
    RATE_LIMITED,
    REJECTED,
    TIMED_OUT,
    UNREACHABLE,
    Problem,
)
from deep_chat_proxy.turn.events import Completed, Cut, Failed, Stopped, TerminalEvent
from deep_chat_proxy.turn.transcript import AssistantSaid, UserSaid
from deep_chat_proxy.upstream.responses.dialect import ResponsesDialect
from upstream import responses_recording as rec
from upstream.backend import Answer, Body, Gone, Json, ScriptedBackend, client_of
from upstream.responses_scenes import GET, GONE, NEW, PARIS, assert_whole, dialect_of, streams
from upstream.saying import RememberingThread, say

WHOLE = rec.text_response()
FAULT = {"code": "server_error", "message": "Sorry, resp_1 failed."}
LIMIT = {"code": "rate_limit_exceeded", "message": "Rate limit reached."}
QUOTA = {"code": "insufficient_quota", "message": "You exceeded your current quota, please check."}
FILTERED = {"reason": "content_filter"}


@pytest.fixture
def dialect(backend: ScriptedBackend, session: aiohttp.ClientSession) -> ResponsesDialect:
    """The dialect in front of the scripted back end, as it keeps the history."""
    return dialect_of(client_of(session, backend.base_url, silence=0.1, first=0.1, max_event=50_000))


def can_be_asked(backend: ScriptedBackend) -> None:
    """The response that was lost is made in the meantime."""
    backend.on(GET, Json(rec.response("in_progress")), Json(rec.response("completed", rec.message(rec.TEXT))))


@pytest.mark.parametrize(
    ("status", "fields", "ends"),
    [
        ("completed", {}, Completed()),
        ("incomplete", {"incomplete_details": {"reason": "max_output_tokens"}}, Completed(Cut.LENGTH)),
        ("incomplete", {}, Completed(Cut.LENGTH)),
        ("incomplete", {"incomplete_details": FILTERED}, Completed(Cut.CONTENT_FILTER)),
        ("failed", {"error": FAULT}, Failed(FAILED)),
        ("failed", {"error": LIMIT}, Failed(RATE_LIMITED)),
        ("failed", {"error": QUOTA}, Failed(NO_QUOTA)),
        ("failed", {"error": {"code": None, "message": None}}, Failed(FAILED)),
        ("failed", {"error": {"code": 500, "message": {"en": "Sorry"}}}, Failed(FAILED)),
        ("failed", {}, Failed(FAILED)),
        ("cancelled", {}, Stopped()),
    ],
)
@pytest.mark.parametrize("output", [[], [rec.message("The beg")]])
async def test_every_end_of_a_response_ends_the_turn_and_keeps_its_text(
    backend: ScriptedBackend,
    dialect: ResponsesDialect,
    status: str,
    fields: Any,
    ends: TerminalEvent,
    output: list[Any],
) -> None:
    backend.on(NEW, streams(*rec.beginning(), rec.delta("The beg"), rec.state(status, *output, **fields)))

    answer = await say(dialect)

    assert answer.outcome == ("The beg", ends)
    assert backend.lines == [NEW]


@pytest.mark.parametrize(
    ("data", "ends"),
    [
        ({"type": "error", **LIMIT, "param": None, "sequence_number": 3}, RATE_LIMITED),
        ({"type": "error", "error": {"type": "server_error", **LIMIT}}, RATE_LIMITED),
        ({"type": "error", "code": "server_is_overloaded", "message": "Busy"}, OVERLOADED),
        ({"type": "error", "code": None, "message": "Oops", "param": None}, FAILED),
        ({"type": "error"}, FAILED),
        ({"error": QUOTA}, NO_QUOTA),
        ({"detail": "Oops"}, FAILED),
    ],
)
@pytest.mark.parametrize("named", [True, False])
async def test_an_error_event_of_any_form_ends_the_turn(
    backend: ScriptedBackend, dialect: ResponsesDialect, data: Any, ends: Any, named: bool
) -> None:
    before = rec.stream([*rec.beginning(), rec.delta("The beg")])
    backend.on(NEW, Body((before, b"event: error\n" if named else b"", rec.bare(data))))

    answer = await say(dialect)

    assert answer.outcome == ("The beg", Failed(ends))
    assert backend.lines == [NEW]


@pytest.mark.parametrize("status", ["failed", "incomplete", "cancelled"])
async def test_calls_of_a_response_that_did_not_complete_are_not_run(
    backend: ScriptedBackend, dialect: ResponsesDialect, status: str
) -> None:
    call = rec.call(*PARIS)
    backend.on(NEW, streams(*rec.beginning(), rec.item("done", call), rec.state(status, call)))

    answer = await say(dialect)

    assert isinstance(answer.end, Completed | Failed | Stopped)
    assert answer.tools.calls == []
    assert backend.lines == [NEW]


async def test_a_response_without_an_answer_is_an_error(
    backend: ScriptedBackend, dialect: ResponsesDialect
) -> None:
    backend.on(NEW, streams(*rec.beginning(), rec.state("completed")))

    assert (await say(dialect)).problem == EMPTY_ANSWER


def said_until(count: int) -> str:
    return "".join(event.get("delta", "") for event in WHOLE[:count])


@pytest.mark.parametrize("end", ["cut", "close"])
async def test_a_stream_that_is_cut_after_any_event_leaves_the_text_so_far(
    backend: ScriptedBackend, dialect: ResponsesDialect, end: str
) -> None:
    backend.on(GET, GONE)
    for count in range(len(WHOLE)):
        backend.on(NEW, streams(*WHOLE[:count], end=end))
        thread = RememberingThread()

        answer = await say(dialect, thread=thread)

        said = said_until(count)
        assert (count, answer.text, answer.problem) == (count, said, CUT_OFF)
        assert thread.entries == ([UserSaid("Hello"), AssistantSaid(said)] if said else [])


@pytest.mark.parametrize("end", ["cut", "close"])
async def test_a_stream_that_is_cut_after_any_event_is_made_good_by_asking(
    backend: ScriptedBackend, dialect: ResponsesDialect, end: str
) -> None:
    for count in range(1, len(WHOLE)):
        backend.on(NEW, streams(*WHOLE[:count], end=end))
        can_be_asked(backend)

        assert_whole(await say(dialect))
    assert backend.lines.count(GET) == 2 * (len(WHOLE) - 1)


async def test_a_connection_that_is_lost_after_the_end_does_no_harm(
    backend: ScriptedBackend, dialect: ResponsesDialect
) -> None:
    for end in ("cut", "reset", "stall"):
        backend.on(NEW, streams(*WHOLE, end=end))

        assert_whole(await say(dialect))


@pytest.mark.parametrize("count", [0, 1, 6])
async def test_a_back_end_that_falls_silent_has_taken_too_long(
    backend: ScriptedBackend, dialect: ResponsesDialect, count: int
) -> None:
    backend.on(NEW, streams(*WHOLE[:count], end="stall"))
    backend.on(GET, GONE)

    answer = await say(dialect)

    assert (answer.text, answer.problem) == (said_until(count), TIMED_OUT)


@pytest.mark.parametrize("end", ["stall", "reset"])
async def test_a_stream_that_falls_silent_or_is_reset_is_made_good_by_asking(
    backend: ScriptedBackend, dialect: ResponsesDialect, end: str
) -> None:
    backend.on(NEW, streams(*WHOLE[:6], end=end))
    can_be_asked(backend)

    assert_whole(await say(dialect))


BROKEN = [
    b'data: {"type":"response.output_text.delta","delta":{"te\n\n',
    b'data: {"type":"response.output_text.delta","delta":["x"]}\n\n',
    b'data: {"type":"response.output_item.done","item":"a call"}\n\n',
    b'data: {"type":"response.completed"}\n\n',
    b'data: {"type":"response.completed","response":{"status":"completed"}}\n\n',
    b"data: oops\n\n",
    b'data: {"type":"\xff"}\n\n',
    b'data: {"type":"response.rated","stars":"' + b"x" * 60_000 + b'"}\n\n',
]


@pytest.mark.parametrize("broken", BROKEN)
async def test_an_event_that_cannot_be_read_is_made_good_by_asking(
    backend: ScriptedBackend, dialect: ResponsesDialect, broken: bytes
) -> None:
    pieces = [rec.stream(WHOLE[:6]), broken, rec.stream([rec.delta("never read")])]
    backend.on(NEW, Body((b"".join(pieces),)))
    can_be_asked(backend)

    assert_whole(await say(dialect))


@pytest.mark.parametrize("broken", BROKEN)
async def test_an_event_that_cannot_be_read_before_the_response_is_named_is_an_error(
    backend: ScriptedBackend, dialect: ResponsesDialect, broken: bytes
) -> None:
    backend.on(NEW, Body((rec.stream([rec.delta("The beg")]) + broken,)))

    answer = await say(dialect)

    assert (answer.text, answer.problem) == ("The beg", FAILED)


@pytest.mark.parametrize(
    ("lost", "problems"),
    [
        (Json({}, 401), {CUT_OFF, INVALID_KEY}),
        (Json({}, 500), {CUT_OFF, FAILED}),
        (Json([]), {CUT_OFF, FAILED}),
        (Gone(), {CUT_OFF, UNREACHABLE}),
        (Json(rec.response("failed", error=LIMIT)), {RATE_LIMITED}),
    ],
)
async def test_a_response_that_was_lost_and_cannot_be_asked_for_is_an_error(
    backend: ScriptedBackend,
    dialect: ResponsesDialect,
    lost: Answer,
    problems: set[Problem],
    sleeps: list[float],
) -> None:
    backend.on(NEW, streams(*WHOLE[:6], end="cut"))
    backend.on(GET, lost)

    answer = await say(dialect)

    assert answer.text == said_until(6)
    assert answer.problem in problems
    # Each of the tries, of which there are three, asks no more than three times.
    assert len(sleeps) <= 6


async def test_calls_of_a_response_that_was_lost_are_run(
    backend: ScriptedBackend, dialect: ResponsesDialect
) -> None:
    backend.on(NEW, streams(*rec.beginning(), rec.delta("Let me"), end="cut"), streams(*rec.answer("Sunny.")))
    backend.on(GET, Json(rec.response("completed", rec.message("Let me see."), rec.call(*PARIS))))

    answer = await say(dialect)

    assert answer.outcome == ("Let me see.\n\nSunny.", Completed())
    assert [call.call_id for call in answer.tools.calls] == ["call_1"]


async def test_outputs_whose_stream_is_lost_leave_what_was_said_and_done(
    backend: ScriptedBackend, dialect: ResponsesDialect
) -> None:
    backend.on(
        NEW,
        streams(*rec.calls_response(PARIS, before="Let me see.")),
        streams(*rec.beginning(), rec.delta("It is sun"), end="cut"),
    )
    backend.on(GET, GONE)
    thread = RememberingThread()

    answer = await say(dialect, thread=thread)

    assert (answer.text, answer.problem) == ("Let me see.\n\nIt is sun", CUT_OFF)
    assert [type(entry).__name__ for entry in thread.entries] == [
        *("UserSaid", "CallsMade", "OutputsGiven", "AssistantSaid")
    ]


@pytest.mark.parametrize("body", [b"<html>", b"{}", b"", b'{"error":{"message":"Oops"}}'])
async def test_an_answer_that_is_no_response_is_an_error(
    backend: ScriptedBackend, dialect: ResponsesDialect, body: bytes
) -> None:
    backend.on(NEW, Body((body,), content_type="text/html"))

    assert (await say(dialect)).problem == FAILED


async def test_a_refused_message_leaves_nothing_on_the_thread(
    backend: ScriptedBackend, dialect: ResponsesDialect
) -> None:
    backend.on(NEW, Json(rec.refused("Invalid 'input'."), 400))
    thread = RememberingThread()

    answer = await say(dialect, thread=thread)

    assert (answer.problem, answer.events, thread.entries) == (REJECTED, [], [])

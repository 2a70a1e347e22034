"""Streams that break off: the run is asked for, and the whole text is said, once."""

from typing import Any

import aiohttp
import pytest

from deep_chat_proxy.errors import CUT_OFF
from deep_chat_proxy.turn.events import Completed
from deep_chat_proxy.upstream.assistants.dialect import AssistantsDialect
from upstream import recording as rec
from upstream.backend import Answer, Body, Gone, Json, ScriptedBackend, client_of
from upstream.playing import dialect_of, play
from upstream.scenes import (
    CANCEL,
    FIRST,
    MESSAGES,
    NEWEST,
    OUTPUTS,
    PARIS,
    RUN,
    RUNS,
    START,
    assert_whole,
    can_be_asked,
    streams,
    whole_run_can_be_asked,
)

RUNS_ASKED = f"GET /threads/{rec.THREAD}/runs?limit=1&order=desc"
MESSAGES_ASKED = f"GET /threads/{rec.THREAD}/messages?limit=100&order=asc&run_id={rec.RUN}"
WHOLE = streams(rec.stream(rec.text_run()))


def lost_after(count: int, *, end: str) -> Answer:
    whole = [rec.frame(*event) for event in rec.text_run()]
    return streams(b"".join(whole[:count]), end=end)


@pytest.mark.parametrize("end", ["cut", "close"])
async def test_a_stream_that_is_lost_after_any_event_is_made_good_by_asking(
    backend: ScriptedBackend, dialect: AssistantsDialect, end: str
) -> None:
    whole_run_can_be_asked(backend)
    backend.on(RUNS, Json(rec.listed(rec.run("in_progress"))))
    for count in range(len(rec.text_run()) + 1):
        backend.on(START, lost_after(count, end=end))

        assert_whole(await play(dialect))


async def test_a_stream_that_is_reset_or_falls_silent_is_made_good_by_asking(
    backend: ScriptedBackend, session: aiohttp.ClientSession
) -> None:
    dialect = dialect_of(client_of(session, backend.base_url, silence=0.05))
    whole_run_can_be_asked(backend)
    for count, end in ((7, "stall"), (9, "stall"), (9, "reset")):
        backend.on(START, lost_after(count, end=end))

        assert_whole(await play(dialect))


@pytest.mark.parametrize(
    "broken",
    [
        b'event: thread.message.delta\ndata: {"id": "msg_1", "delta": {"con\n\n',
        b"event: thread.message.delta\ndata: null\n\n",
        b'event: thread.run.completed\ndata: {"id": "run_1"}\n\n',
        b"data: oops\n\n",
        b"data: " + b"x" * 200_000 + b"\n\n",
    ],
)
async def test_an_event_that_cannot_be_read_is_made_good_by_asking(
    backend: ScriptedBackend, session: aiohttp.ClientSession, broken: bytes
) -> None:
    dialect = dialect_of(client_of(session, backend.base_url, max_event=100_000))
    whole_run_can_be_asked(backend)
    before = rec.stream([*rec.beginning(), rec.delta("Grüße"), rec.delta(", 世")], done=False)
    backend.on(START, streams(before + broken + rec.stream([rec.delta("never read")])))

    assert_whole(await play(dialect))


async def test_deltas_that_were_lost_are_made_good_by_the_whole_message(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    events = [rec.delta("Grüße"), rec.delta("!\n"), ("thread.message.completed", rec.message(rec.TEXT))]
    backend.on(START, streams(rec.stream([*rec.beginning(), *events, rec.run_event("completed")])))

    played = await play(dialect)

    assert (played.text, played.said_anew, played.end) == (rec.TEXT, True, Completed())


async def test_a_stream_lost_between_tools_is_asked_for_and_what_was_said_before_them_is_not_lost(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    backend.on(START, streams(rec.stream([*rec.beginning(), rec.delta("Let me")], done=False), end="cut"))
    backend.on(RUN, Json(rec.run("in_progress")), Json(rec.wants(PARIS)), Json(rec.run("completed")))
    first, second = rec.message("Let me see."), rec.message("Sunny.", message_id="msg_2")
    backend.on(MESSAGES, Json(rec.listed(first)), Json(rec.listed(first, second)))
    backend.on(OUTPUTS, streams(rec.frame(*rec.delta("Sun", message_id="msg_2")), end="cut"))

    played = await play(dialect)

    assert (played.text, played.said_anew, played.end) == ("Let me see.\n\nSunny.", False, Completed())


@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize("lost", [Gone(), Json({}, 500)])
async def test_outputs_whose_answer_was_lost_are_sent_again_only_if_they_did_not_arrive(
    backend: ScriptedBackend, dialect: AssistantsDialect, taken: bool, lost: Answer
) -> None:
    backend.on(START, streams(rec.stream([*rec.beginning(), *rec.asks(PARIS)])))
    finished = streams(rec.stream([*rec.said("Sunny"), rec.run_event("completed")]))
    backend.on(OUTPUTS, lost, finished)
    can_be_asked(backend, rec.run("completed") if taken else rec.wants(PARIS), rec.message("Sunny"))

    played = await play(dialect)

    assert (played.text, played.end) == ("Sunny", Completed())
    assert len(played.tools.calls) == 1
    assert backend.lines.count(OUTPUTS) == (1 if taken else 2)


async def test_a_stream_that_ends_before_it_names_anything_is_an_error(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    backend.on(START, streams(b": hello\n\n", end="cut"), streams(rec.DONE))
    backend.on(RUNS, Json(rec.listed()))

    assert (await play(dialect)).problem == CUT_OFF
    assert (await play(dialect)).problem == CUT_OFF


@pytest.mark.parametrize(
    "found",
    [
        rec.run("in_progress"),
        rec.run("in_progress", metadata={}),
        rec.run("queued", metadata=rec.OURS),
        rec.run("completed", metadata=rec.OURS),
    ],
)
@pytest.mark.parametrize("lost", [Gone(), Json({}, 500), Body((), end="cut")])
async def test_a_run_that_was_lost_before_it_was_named_is_found_on_its_thread_and_its_answer_had(
    backend: ScriptedBackend, dialect: AssistantsDialect, found: Any, lost: Answer
) -> None:
    backend.on(START, lost)
    backend.on(RUNS, Json(rec.listed(found)))
    whole_run_can_be_asked(backend)

    played = await play(dialect)

    assert_whole(played)
    assert played.thread.opened == [rec.THREAD]
    looks = [] if found["status"] == "completed" else [RUN]
    assert backend.lines == [*FIRST, RUNS_ASKED, *looks, MESSAGES_ASKED]


@pytest.mark.parametrize(
    "found",
    [rec.run("completed"), rec.run("completed", metadata=rec.ANOTHERS), rec.run("failed", metadata={})],
)
@pytest.mark.parametrize("lost", [Gone(), Json({}, 500)])
async def test_a_run_that_was_not_made_is_made_again_and_none_of_another_turn_taken_for_it(
    backend: ScriptedBackend, dialect: AssistantsDialect, found: Any, lost: Answer
) -> None:
    backend.on(START, lost, streams(rec.stream(rec.text_run())))
    backend.on(RUNS, Json(rec.listed(found)))
    backend.on(NEWEST, Json(rec.listed(rec.said_by_visitor("Hello"))))

    assert_whole(await play(dialect))
    assert backend.lines.count(START) == 2


@pytest.mark.parametrize("status", ["completed", "incomplete"])
async def test_a_run_without_metadata_that_ended_already_is_ours_where_its_answer_stands_behind_our_message(
    backend: ScriptedBackend, dialect: AssistantsDialect, status: str
) -> None:
    answer = rec.message(rec.TEXT)
    backend.on(START, Gone())
    backend.on(RUNS, Json(rec.listed(rec.run(status))))
    backend.on(NEWEST, Json(rec.listed(answer, rec.said_by_visitor("Hello"))))
    can_be_asked(backend, rec.run(status), answer)

    played = await play(dialect)

    assert played.text == rec.TEXT
    assert backend.lines.count(START) == 1


async def test_an_answer_to_an_earlier_message_is_not_taken_for_one_to_ours(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    backend.on(START, Gone(), WHOLE)
    backend.on(RUNS, Json(rec.listed(rec.run("completed"))))
    earlier = rec.message("Earlier", message_id="msg_9", run_id="run_0")
    backend.on(NEWEST, Json(rec.listed(earlier)))

    assert_whole(await play(dialect))
    assert backend.lines.count(START) == 2


async def test_a_run_of_another_turn_that_goes_on_is_ended_before_ours_is_made_again(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    backend.on(START, Json({"error": {"message": "already has an active run"}}, 400), WHOLE)
    backend.on(RUNS, Json(rec.listed(rec.run("in_progress", metadata=rec.ANOTHERS))))
    can_be_asked(backend, rec.run("cancelled"))

    assert_whole(await play(dialect))
    assert backend.lines == [*FIRST, RUNS_ASKED, RUNS_ASKED, CANCEL, RUN, START]


async def test_a_run_that_is_ours_already_is_followed_where_a_second_one_is_refused(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    backend.on(START, Json({"error": {"message": "already has an active run"}}, 400))
    backend.on(RUNS, Json(rec.listed(rec.run("in_progress", metadata=rec.OURS))))
    whole_run_can_be_asked(backend)

    assert_whole(await play(dialect))


async def test_a_server_that_knows_no_streams_is_asked_for_its_run(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    backend.on(START, Json(rec.run("queued")))
    whole_run_can_be_asked(backend)

    assert_whole(await play(dialect))


@pytest.mark.parametrize("body", [b"<html>", b"{}", b""])
async def test_an_answer_that_is_no_run_is_an_error_where_there_is_none(
    backend: ScriptedBackend, dialect: AssistantsDialect, body: bytes
) -> None:
    backend.on(START, Body((body,), content_type="text/html"))
    backend.on(RUNS, Json(rec.listed()))

    assert (await play(dialect)).problem == CUT_OFF


@pytest.mark.parametrize("body", [b"<html>", b"{}", b""])
async def test_an_answer_that_is_no_run_does_not_matter_where_the_run_can_be_found(
    backend: ScriptedBackend, dialect: AssistantsDialect, body: bytes
) -> None:
    backend.on(START, Body((body,), content_type="text/html"))
    backend.on(RUNS, Json(rec.listed(rec.run("queued", metadata=rec.OURS))))
    whole_run_can_be_asked(backend)

    assert_whole(await play(dialect))

"""Turns that are stopped: whatever goes on at the back end is ended, and nothing of them is left behind."""

import asyncio
import logging
from contextlib import aclosing
from typing import Any

import aiohttp
import pytest

from deep_chat_proxy.errors import REJECTED, THREAD_NOT_FOUND, TURN_ACTIVE, UNREACHABLE, ChatError
from deep_chat_proxy.turn.events import Completed
from deep_chat_proxy.turn.message import UserMessage
from deep_chat_proxy.upstream.assistants.dialect import AssistantsDialect
from deep_chat_proxy.upstream.notices import THREAD_LOST
from playing import FakeThread
from upstream import recording as rec
from upstream.backend import Answer, Body, Gone, Json, ScriptedBackend, client_of
from upstream.playing import WAIT, dialect_of, play
from upstream.scenes import (
    ADD,
    CANCEL,
    DELETE_THREAD,
    FIRST,
    NEW_THREAD,
    NEWEST,
    OUTPUTS,
    PARIS,
    RUN,
    RUNS,
    START,
    TAKEN_BACK,
    can_be_asked,
    streams,
)
from upstream.stopping import Held, a_turn, stop_after, stop_while

ACTIVE = {"error": {"message": f"Can't add messages to thread {rec.THREAD} while a run {rec.RUN} is active."}}
NO_THREAD = {"error": {"message": f"No thread found with id '{rec.THREAD}'."}}
ANSWERED = streams(rec.stream(rec.text_run()))
TAKEN = Json(rec.said_by_visitor("Hello"))


@pytest.mark.parametrize("count", range(1, len(rec.text_run())))
async def test_a_turn_that_is_stopped_after_any_event_cancels_its_run_and_waits_for_it(
    backend: ScriptedBackend, dialect: AssistantsDialect, count: int
) -> None:
    pieces = [rec.frame(*event) for event in rec.text_run()[:count]]
    backend.on(START, streams(*pieces, end="stall"))
    can_be_asked(backend, rec.run("in_progress"))
    backend.on(RUNS, Json(rec.listed(rec.run("in_progress"))))
    backend.on(RUN, Json(rec.run("cancelling")), Json(rec.run("cancelled")))

    await stop_after(a_turn(dialect), 2)

    assert backend.lines[-3:] == [CANCEL, RUN, RUN]


async def test_a_turn_that_ended_has_nothing_to_cancel(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    backend.on(START, streams(rec.stream(rec.text_run())))

    await play(dialect)

    assert backend.lines == FIRST


@pytest.mark.parametrize("thread_id", [None, rec.THREAD])
@pytest.mark.parametrize("streamed", [True, False])
async def test_a_turn_that_is_stopped_while_its_run_is_being_made_cancels_it(
    backend: ScriptedBackend, session: aiohttp.ClientSession, thread_id: str | None, streamed: bool
) -> None:
    dialect = dialect_of(client_of(session, backend.base_url), stream=streamed)
    opened = streams(rec.stream(rec.beginning(), done=False), end="stall")
    held = Held(opened if streamed else Json(rec.run("queued")))
    backend.on(START, held)
    backend.on(RUNS, Json(rec.listed(rec.run("queued"))))
    can_be_asked(backend, rec.run("cancelled"))

    thread = FakeThread(thread_id)

    await stop_while(dialect.turn(thread, UserMessage("Hello")), held)

    assert backend.lines[-2:] == [CANCEL, RUN]
    # The next message goes on where this one was.
    assert thread.opened == ([] if thread_id else [rec.THREAD])


async def test_a_turn_that_is_stopped_while_its_outputs_are_on_their_way_cancels_its_run(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    backend.on(START, streams(rec.stream([*rec.beginning(), *rec.asks(PARIS)])))
    held = Held(streams(rec.stream([rec.run_event("queued")], done=False), end="stall"))
    backend.on(OUTPUTS, held)
    can_be_asked(backend, rec.run("cancelled"))
    turn = a_turn(dialect)

    async with asyncio.timeout(WAIT), asyncio.TaskGroup() as group:
        async with aclosing(turn.start()) as stream:
            async for _ in stream:
                pass
        submitting = group.create_task(anext(turn.submit([])))
        await held.asked.wait()
        submitting.cancel()
        await asyncio.wait([submitting])
        held.go.set()
        await turn.close()

    assert CANCEL in backend.lines


async def test_a_run_that_was_never_made_is_not_looked_for(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    backend.on(START, Json({}, 400))
    backend.on(TAKEN_BACK, Json({"deleted": True}))

    assert (await play(dialect, thread_id=rec.THREAD)).problem == REJECTED
    assert backend.lines == [ADD, START, TAKEN_BACK]


@pytest.mark.parametrize("left", ["in_progress", None])
async def test_a_run_that_may_have_been_made_after_all_is_looked_for_and_cancelled(
    backend: ScriptedBackend, dialect: AssistantsDialect, left: str | None
) -> None:
    backend.on(START, Gone())
    nothing = Json(rec.listed())
    backend.on(RUNS, nothing, nothing, Json(rec.listed(*([rec.run(left)] if left else []))))
    can_be_asked(backend, rec.run("cancelled"))

    played = await play(dialect, thread_id=rec.THREAD)

    assert played.problem == UNREACHABLE
    lines = [line for line in backend.lines if "/runs?" not in line]
    assert lines == [ADD, START, START, *([CANCEL, RUN] if left else [])]


@pytest.mark.parametrize("status", [400, 404, 405])
async def test_a_run_that_cannot_be_cancelled_is_waited_for(
    backend: ScriptedBackend, dialect: AssistantsDialect, status: int
) -> None:
    backend.on(START, streams(rec.stream(rec.beginning(), done=False), end="stall"))
    backend.on(CANCEL, Json({"error": {"message": "Cannot cancel run with status 'completed'."}}, status))
    backend.on(RUN, Json(rec.run("in_progress")), Json(rec.run("completed")))

    await stop_after(a_turn(dialect), 3)

    assert backend.lines[-3:] == [CANCEL, RUN, RUN]


@pytest.mark.usefixtures("sleeps")
@pytest.mark.parametrize("cancel", [Body((), end="stall"), Json({}, 500), Gone()])
async def test_a_back_end_that_does_not_cancel_does_not_hold_up_the_end(
    backend: ScriptedBackend,
    session: aiohttp.ClientSession,
    caplog: pytest.LogCaptureFixture,
    cancel: Answer,
) -> None:
    caplog.set_level(logging.INFO)
    dialect = dialect_of(client_of(session, backend.base_url), close_within=0.2)
    backend.on(START, streams(rec.stream(rec.beginning(), done=False), end="stall"))
    backend.on(CANCEL, cancel)

    await stop_after(a_turn(dialect), 3)

    assert "the run could not be ended" in caplog.text
    assert rec.RUN not in caplog.text
    assert rec.THREAD not in caplog.text


async def test_a_thread_with_a_run_left_behind_is_mended_before_the_message_is_posted(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    backend.on(ADD, Json(ACTIVE, 400), TAKEN)
    backend.on(RUNS, Json(rec.listed(rec.run("requires_action"))))
    can_be_asked(backend, rec.run("cancelled"))
    backend.on(START, ANSWERED)

    played = await play(dialect, thread_id=rec.THREAD)

    assert (played.text, played.end) == (rec.TEXT, Completed())
    assert [line for line in backend.lines if "GET" not in line] == [ADD, CANCEL, ADD, START]


async def test_a_thread_whose_run_ends_meanwhile_takes_the_message(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    backend.on(ADD, Json(ACTIVE, 400), TAKEN)
    backend.on(RUNS, Json(rec.listed(rec.run("completed"))))
    backend.on(START, ANSWERED)

    assert (await play(dialect, thread_id=rec.THREAD)).text == rec.TEXT
    assert CANCEL not in backend.lines


async def test_a_thread_whose_run_will_not_end_refuses_the_message(
    backend: ScriptedBackend, session: aiohttp.ClientSession
) -> None:
    dialect = dialect_of(client_of(session, backend.base_url), close_within=0.05)
    backend.on(ADD, Json(ACTIVE, 400))
    backend.on(RUNS, Json(rec.listed(rec.run("in_progress"))))
    can_be_asked(backend, rec.run("cancelling"))

    assert (await play(dialect, thread_id=rec.THREAD)).problem == TURN_ACTIVE


async def test_a_thread_that_the_back_end_lost_is_replaced_and_the_visitor_told(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    backend.on(ADD, Json(NO_THREAD, 404), TAKEN)
    backend.on(NEWEST, Json(rec.listed()))
    backend.on(START, streams(rec.stream(rec.text_run())))

    played = await play(dialect, thread_id=rec.THREAD)

    assert played.text == f"{THREAD_LOST}\n\n{rec.TEXT}"
    assert played.thread.opened == [rec.THREAD]
    assert [line for line in backend.lines if "GET" not in line] == [ADD, *FIRST]


async def test_a_thread_that_is_gone_as_soon_as_it_is_made_is_not_the_visitor_s(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    backend.on(START, Json(NO_THREAD, 404))
    backend.on(DELETE_THREAD, Json(NO_THREAD, 404))

    played = await play(dialect)

    assert played.problem is not None
    assert backend.lines == [*FIRST, DELETE_THREAD]
    assert played.thread.opened == []


async def test_a_thread_that_is_being_opened_while_the_turn_is_stopped_is_deleted(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    held = Held(Json({"id": rec.THREAD}))
    backend.on(NEW_THREAD, held)
    backend.on(DELETE_THREAD, Json({"deleted": True}))
    thread = FakeThread()

    await stop_while(dialect.turn(thread, UserMessage("Hello")), held)

    assert backend.lines == [NEW_THREAD, DELETE_THREAD]
    assert (thread.opened, thread.held) == ([], [])


async def test_a_thread_that_was_being_opened_and_cannot_be_deleted_goes_with_the_conversation(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    held = Held(Json({"id": rec.THREAD}))
    backend.on(NEW_THREAD, held)
    backend.on(DELETE_THREAD, Json({}, 405))
    thread = FakeThread()

    await stop_while(dialect.turn(thread, UserMessage("Hello")), held)

    assert [each.held_id for each in thread.held] == [rec.THREAD]
    assert thread.opened == []


async def test_a_thread_that_never_opens_does_not_hold_up_the_end_of_a_turn_that_is_stopped(
    backend: ScriptedBackend, session: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    dialect = dialect_of(client_of(session, backend.base_url), close_within=0.05)
    held = Held(Body((), end="stall"))
    backend.on(NEW_THREAD, held)

    await stop_while(a_turn(dialect), held)

    assert "what was not used stays at the back end in time" in caplog.text
    assert backend.lines == [NEW_THREAD]


async def test_a_thread_is_deleted_where_the_conversation_was_while_it_opened(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    class DeletedThread(FakeThread):
        async def checkpoint(self, *_: Any) -> None:
            raise ChatError(THREAD_NOT_FOUND, "the thread was deleted")

    backend.on(DELETE_THREAD, Json({"deleted": True}))

    played = await play(dialect, thread=DeletedThread())

    assert played.problem == THREAD_NOT_FOUND
    assert backend.lines == [NEW_THREAD, DELETE_THREAD]


async def test_the_visitor_is_told_of_a_lost_thread_also_where_the_answer_is_said_anew(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    backend.on(ADD, Json(NO_THREAD, 404), TAKEN)
    backend.on(NEWEST, Json(rec.listed()))
    wrong = [
        rec.delta("Wrong"),
        ("thread.message.completed", rec.message("Right")),
        rec.run_event("completed"),
    ]
    backend.on(START, streams(rec.stream([*rec.beginning(), *wrong])))

    played = await play(dialect, thread_id=rec.THREAD)

    assert (played.text, played.said_anew) == (f"{THREAD_LOST}\n\nRight", True)

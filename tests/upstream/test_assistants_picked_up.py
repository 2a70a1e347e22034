"""Turns that another process has begun: what of them is at the back end is gone on with, the rest is done now."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from deep_chat_proxy.errors import REJECTED
from deep_chat_proxy.turn.events import Completed, FileKind
from deep_chat_proxy.turn.held import Held, HeldKind
from deep_chat_proxy.turn.message import Attachment
from deep_chat_proxy.upstream.assistants.dialect import AssistantsDialect
from deep_chat_proxy.upstream.notices import THREAD_LOST
from playing import FakeThread
from upstream import recording as rec
from upstream.backend import Answer, Gone, Json, ScriptedBackend
from upstream.playing import Played, play
from upstream.scenes import (
    ADD,
    DELETE_THREAD,
    FIRST,
    MESSAGES,
    NEWEST,
    OUTPUTS,
    PARIS,
    RUN,
    RUNS,
    START,
    assert_whole,
    messages_brought,
    streams,
    whole_run_can_be_asked,
)

pytestmark = pytest.mark.usefixtures("sleeps")

SAID = rec.said_by_visitor("Hello", metadata=rec.OURS)
# Earlier versions opened a thread before they posted the message on it.
OPENED: dict[str, Any] = {"thread_id": rec.THREAD}
POSTING = {**OPENED, "posting": True}
POSTED = {**POSTING, "message_id": rec.SAID, "starting": True}
WITH_THREAD = {**POSTED, "message_id": ""}
RUNNING = {**WITH_THREAD, "run_id": rec.RUN}
NO_THREAD = Json({"error": {"message": f"No thread found with id '{rec.THREAD}'."}}, 404)
NOT_THERE = Json({"error": {"message": "No run found."}}, 404)


def left_at(mark: dict[str, Any], thread_id: str | None = None) -> FakeThread:
    """A thread, with where another process was in a turn."""
    thread = FakeThread(thread_id)
    thread.left = msgspec.json.encode(mark)
    return thread


async def picked_up(
    backend: ScriptedBackend,
    dialect: AssistantsDialect,
    mark: dict[str, Any],
    *,
    messages: tuple[Any, ...] = (),
    runs: tuple[Any, ...] = (),
    thread_id: str | None = None,
) -> tuple[Played, list[str]]:
    """What comes of a turn that is picked up there, and what was changed for it."""
    whole_run_can_be_asked(backend)
    backend.on(NEWEST, Json(rec.listed(*messages)))
    backend.on(RUNS, Json(rec.listed(*runs)))
    backend.on(START, streams(rec.stream(rec.text_run())))
    played = await play(dialect, thread=left_at(mark, thread_id))
    return played, [line for line in backend.lines if not line.startswith("GET")]


@pytest.mark.parametrize(
    ("mark", "messages", "runs", "changed"),
    [
        ({}, [], [], FIRST),
        (WITH_THREAD, [SAID], [], [START]),
        (WITH_THREAD, [SAID], [rec.run("completed", metadata=rec.OURS)], []),
        (WITH_THREAD, [SAID], [rec.run("in_progress", metadata=rec.OURS)], []),
        (OPENED, [], [], [ADD, START]),
        (POSTING, [], [], [ADD, START]),
        (POSTING, [SAID], [], [START]),
        (POSTED, [SAID], [], [START]),
        (POSTED, [SAID], [rec.run("completed", metadata=rec.ANOTHERS)], [START]),
        (POSTED, [SAID], [rec.run("completed", metadata=rec.OURS)], []),
        (POSTED, [SAID], [rec.run("in_progress", metadata=rec.OURS)], []),
        # A server that keeps no metadata.
        (WITH_THREAD, [rec.said_by_visitor("Hello")], [rec.run("in_progress")], []),
        (POSTED, [rec.said_by_visitor("Hello")], [rec.run("in_progress")], []),
        (RUNNING, [SAID], [], []),
        ({**POSTED, "run_id": rec.RUN}, [SAID], [], []),
    ],
)
async def test_a_turn_goes_on_from_where_the_back_end_has_it(
    backend: ScriptedBackend,
    dialect: AssistantsDialect,
    mark: dict[str, Any],
    messages: list[Any],
    runs: list[Any],
    changed: list[str],
) -> None:
    played, found = await picked_up(backend, dialect, mark, messages=tuple(messages), runs=tuple(runs))

    assert_whole(played)
    assert found == changed
    assert played.thread.opened == [rec.THREAD]


@pytest.mark.parametrize("mark", [POSTING, POSTED, {**POSTED, "run_id": rec.RUN}])
async def test_a_thread_that_was_there_before_the_turn_stays_its_thread(
    backend: ScriptedBackend, dialect: AssistantsDialect, mark: dict[str, Any]
) -> None:
    later = {name: value for name, value in mark.items() if name != "thread_id"}
    played, found = await picked_up(
        backend,
        dialect,
        later,
        messages=(SAID,),
        runs=(rec.run("in_progress", metadata=rec.OURS),),
        thread_id=rec.THREAD,
    )

    assert_whole(played)
    assert found in ([], [START])
    assert played.thread.opened == []


async def test_a_run_that_waits_for_outputs_gets_them(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    backend.on(RUN, Json(rec.wants(PARIS)))
    backend.on(MESSAGES, Json(rec.listed(rec.message("Let me see."))))
    backend.on(
        OUTPUTS, streams(rec.stream([*rec.said("Sunny.", message_id="msg_2"), rec.run_event("completed")]))
    )

    played = await play(dialect, thread=left_at(RUNNING))

    assert (played.text, played.end) == ("Let me see.\n\nSunny.", Completed())
    assert [call.call_id for call in played.tools.calls] == ["call_1"]


async def test_a_run_that_is_no_longer_there_is_made_again_on_another_thread(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    backend.on(RUN, NOT_THERE)
    backend.on(START, streams(rec.stream(rec.text_run())))

    assert_whole(await play(dialect, thread=left_at(RUNNING)))
    assert [line for line in backend.lines if not line.startswith("GET")] == FIRST


@pytest.mark.parametrize(("opened", "notice"), [(True, ""), (False, f"{THREAD_LOST}\n\n")])
async def test_a_message_is_brought_anew_where_its_thread_went_before_its_run_was_known(
    backend: ScriptedBackend, dialect: AssistantsDialect, opened: bool, notice: str
) -> None:
    backend.on(RUNS, NO_THREAD)
    backend.on(NEWEST, NO_THREAD)
    backend.on(START, streams(rec.stream(rec.text_run())))
    later = {"posting": True, "message_id": rec.SAID, "starting": True}
    thread = left_at(WITH_THREAD) if opened else left_at(later, rec.THREAD)

    played = await play(dialect, thread=thread)

    # A thread that the turn itself has opened held nothing that the visitor could miss.
    assert (played.text, played.end) == (notice + rec.TEXT, Completed())
    assert [line for line in backend.lines if not line.startswith("GET")] == FIRST


@pytest.mark.parametrize(("runs", "changed"), [([rec.run("queued", metadata=rec.OURS)], []), ([], [START])])
async def test_a_thread_that_was_opened_in_place_of_a_lost_one_is_gone_on_with(
    backend: ScriptedBackend, dialect: AssistantsDialect, runs: list[Any], changed: list[str]
) -> None:
    mark = {**WITH_THREAD, "notice": THREAD_LOST}
    whole_run_can_be_asked(backend)
    backend.on(RUNS, Json(rec.listed(*runs)))
    backend.on(START, streams(rec.stream(rec.text_run())))

    played = await play(dialect, thread=left_at(mark, "thread_lost"))

    assert (played.text, played.end) == (f"{THREAD_LOST}\n\n{rec.TEXT}", Completed())
    assert [line for line in backend.lines if not line.startswith("GET")] == changed
    assert not [line for line in backend.lines if "thread_lost" in line]
    assert played.thread.opened == [rec.THREAD]


@pytest.mark.parametrize(
    ("runs", "newest"),
    [
        # A server that lists no runs.
        (NOT_THERE, Json(rec.listed(SAID))),
        (NOT_THERE, Json({}, 500)),
        (Json({}, 500), NO_THREAD),
    ],
)
async def test_a_message_is_not_brought_anew_where_its_thread_may_have_a_run(
    backend: ScriptedBackend, dialect: AssistantsDialect, runs: Answer, newest: Answer
) -> None:
    backend.on(RUNS, runs)
    backend.on(NEWEST, newest)

    played = await play(dialect, thread=left_at(WITH_THREAD))

    assert played.problem is not None
    assert [line for line in backend.lines if not line.startswith("GET")] == []
    assert played.thread.opened == [rec.THREAD]


async def test_a_first_message_whose_run_is_refused_once_it_is_picked_up_leaves_no_thread(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    backend.on(RUNS, Json(rec.listed()))
    backend.on(START, Json({}, 400))
    backend.on(DELETE_THREAD, Json({"deleted": True}))

    played = await play(dialect, thread=left_at(WITH_THREAD))

    assert played.problem == REJECTED
    assert [line for line in backend.lines if not line.startswith("GET")] == [START, DELETE_THREAD]
    assert played.thread.opened == []


async def test_the_visitor_is_told_where_the_thread_from_before_the_turn_is_no_longer_there(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    backend.on(RUN, NOT_THERE)
    backend.on(START, streams(rec.stream(rec.text_run())))

    left = {"posting": True, "message_id": rec.SAID, "starting": True, "run_id": rec.RUN}
    played = await play(dialect, thread=left_at(left, rec.THREAD))

    assert played.text == f"{THREAD_LOST}\n\n{rec.TEXT}"


@pytest.mark.parametrize("lost", [Gone(), Json({}, 500)])
async def test_a_run_that_cannot_be_asked_for_now_is_not_made_again(
    backend: ScriptedBackend, dialect: AssistantsDialect, lost: Answer
) -> None:
    backend.on(RUN, lost)

    played = await play(dialect, thread=left_at(RUNNING))

    assert played.problem is not None
    assert START not in backend.lines


async def test_what_was_uploaded_is_not_uploaded_again(
    backend: ScriptedBackend, dialect: AssistantsDialect, tmp_path: Path
) -> None:
    files = []
    for name in ("a", "b"):
        path = tmp_path / name
        path.write_bytes(name.encode())
        files.append(Attachment(path, f"{name}.txt", "text/plain", FileKind.ANY, 1, name * 64))
    backend.on("POST /files", Json({"id": "file-b"}))
    backend.on("GET /files/file-a", Json({"id": "file-a"}))
    backend.on(START, streams(rec.stream(rec.text_run())))

    thread = left_at({})
    thread.held.append(Held(HeldKind.FILE, "file-a", files[0].identity))

    played = await play(dialect, thread=thread, attachments=files)

    assert_whole(played)
    assert backend.lines.count("POST /files") == 1
    (message,) = messages_brought(backend)
    assert [each["file_id"] for each in message["attachments"]] == ["file-a", "file-b"]


async def test_an_upload_that_the_back_end_no_longer_has_is_made_again(
    backend: ScriptedBackend, dialect: AssistantsDialect, tmp_path: Path
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"a")
    file = Attachment(path, "a.txt", "text/plain", FileKind.ANY, 1, "a" * 64)
    backend.on("GET /files/file-a", Json({"error": {"message": "No such file."}}, 404))
    backend.on("POST /files", Json({"id": "file-new"}))
    backend.on(START, streams(rec.stream(rec.text_run())))
    thread = left_at({})
    thread.held.append(Held(HeldKind.FILE, "file-a", file.identity))

    played = await play(dialect, thread=thread, attachments=[file])

    assert_whole(played)
    (message,) = messages_brought(backend)
    assert [each["file_id"] for each in message["attachments"]] == ["file-new"]

"""A message comes onto its thread once, whatever becomes of the call that brings it, and not at all where it is refused."""

from typing import Any

import pytest

from deep_chat_proxy.errors import FAILED, OVERLOADED, REJECTED, UNREACHABLE
from deep_chat_proxy.turn.events import Completed
from deep_chat_proxy.turn.transcript import Anchor, AnchorKind
from deep_chat_proxy.upstream.assistants.dialect import AssistantsDialect
from playing import FakeThread
from upstream import recording as rec
from upstream.backend import Answer, Gone, Json, ScriptedBackend
from upstream.playing import Played, play
from upstream.scenes import (
    ADD,
    CANCEL,
    DELETE_THREAD,
    FIRST,
    NEW_THREAD,
    NEWEST,
    RUNS,
    START,
    TAKEN_BACK,
    assert_whole,
    can_be_asked,
    messages_brought,
    streams,
)

pytestmark = pytest.mark.usefixtures("sleeps")

TAKEN = Json(rec.said_by_visitor("Hello"))
LOST = [Gone(), Json({}, 500), Json({}, 502), Json({}, 503), Json({}, 504)]
REFUSED = [
    (Json({}, 400), REJECTED),
    (Json({"error": {"message": "no", "code": "server_is_overloaded"}}, 503), OVERLOADED),
]


def changes(backend: ScriptedBackend) -> list[str]:
    """What was asked for that changes something."""
    return [line for line in backend.lines if not line.startswith("GET")]


async def said(backend: ScriptedBackend, dialect: AssistantsDialect, lost: Answer, *newest: Any) -> Played:
    """A message whose first call is lost, where these are the newest messages of its thread."""
    backend.on(ADD, lost, TAKEN)
    backend.on(NEWEST, Json(rec.listed(*newest)))
    backend.on(START, streams(rec.stream(rec.text_run())))
    return await play(dialect, "Hello", thread_id=rec.THREAD)


ANSWER = rec.message("Yes?", message_id="msg_9")


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize(
    "newest",
    [
        [rec.said_by_visitor("Hello", metadata=rec.OURS)],
        [rec.said_by_visitor("Written differently", metadata=rec.OURS)],
        [
            rec.said_by_visitor("Hello", metadata=rec.ANOTHERS),
            rec.said_by_visitor("Hello", metadata=rec.OURS),
        ],
        # What a server that keeps no metadata shows.
        [rec.said_by_visitor("Hello")],
        [rec.said_by_visitor("Hello", metadata={})],
        [rec.said_by_visitor("Hello", metadata=None), ANSWER],
    ],
)
async def test_a_message_that_has_arrived_after_all_is_not_posted_again(
    backend: ScriptedBackend, dialect: AssistantsDialect, lost: Answer, newest: list[Any]
) -> None:
    assert_whole(await said(backend, dialect, lost, *newest))
    assert changes(backend) == [ADD, START]


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize(
    "newest",
    [
        [],
        [ANSWER],
        # The same words, answered already.
        [ANSWER, rec.said_by_visitor("Hello")],
        [rec.said_by_visitor("Hello", metadata=rec.ANOTHERS)],
        [rec.said_by_visitor("Hello!")],
        [rec.said_by_visitor("And now?"), rec.said_by_visitor("Hello")],
        [rec.said_by_visitor("Hello", metadata={"deep_chat_turn": None})],
    ],
)
async def test_a_message_that_is_not_there_is_posted_again(
    backend: ScriptedBackend, dialect: AssistantsDialect, lost: Answer, newest: list[Any]
) -> None:
    assert_whole(await said(backend, dialect, lost, *newest))
    assert changes(backend) == [ADD, ADD, START]
    assert messages_brought(backend) == [{"role": "user", "content": "Hello", "metadata": rec.OURS}] * 2


@pytest.mark.parametrize("lost", [Gone(), Json({}, 500)])
async def test_a_message_that_is_lost_again_and_again_fails_and_its_thread_stays(
    backend: ScriptedBackend, dialect: AssistantsDialect, lost: Answer
) -> None:
    backend.on(ADD, lost)
    backend.on(NEWEST, Json(rec.listed()))

    played = await play(dialect, thread_id=rec.THREAD)

    # It may be there all the same, so what comes next must come behind it.
    assert played.problem == (UNREACHABLE if isinstance(lost, Gone) else FAILED)
    assert changes(backend) == [ADD, ADD]
    assert played.thread.anchor == Anchor(AnchorKind.THREAD, rec.THREAD)


@pytest.mark.parametrize("lost", [Gone(), Json({}, 500)])
async def test_a_first_message_that_is_lost_again_and_again_fails_and_is_run_nowhere(
    backend: ScriptedBackend, dialect: AssistantsDialect, lost: Answer
) -> None:
    backend.on(NEW_THREAD, lost)

    played = await play(dialect)

    assert played.problem == (UNREACHABLE if isinstance(lost, Gone) else FAILED)
    assert changes(backend) == [NEW_THREAD] * 3
    assert played.thread.opened == []


@pytest.mark.parametrize(("refused", "problem"), REFUSED)
async def test_a_message_that_is_refused_leaves_no_thread(
    backend: ScriptedBackend, dialect: AssistantsDialect, refused: Answer, problem: object
) -> None:
    backend.on(NEW_THREAD, refused)

    played = await play(dialect)

    assert played.problem == problem
    assert set(changes(backend)) == {NEW_THREAD}
    assert (played.thread.opened, played.thread.held) == ([], [])


@pytest.mark.parametrize(("refused", "problem"), REFUSED)
async def test_a_thread_that_was_there_before_stays_where_a_message_is_refused(
    backend: ScriptedBackend, dialect: AssistantsDialect, refused: Answer, problem: object
) -> None:
    backend.on(ADD, refused)

    assert (await play(dialect, thread_id=rec.THREAD)).problem == problem
    assert set(changes(backend)) == {ADD}


@pytest.mark.parametrize(("refused", "problem"), REFUSED)
@pytest.mark.parametrize("thread_id", [None, rec.THREAD])
async def test_a_message_whose_run_is_refused_is_taken_back(
    backend: ScriptedBackend,
    dialect: AssistantsDialect,
    refused: Answer,
    problem: object,
    thread_id: str | None,
) -> None:
    backend.on(START, refused)
    backend.on(DELETE_THREAD, Json({"deleted": True}))
    backend.on(TAKEN_BACK, Json({"deleted": True}))

    played = await play(dialect, thread_id=thread_id)

    assert played.problem == problem
    assert changes(backend)[-1] == (TAKEN_BACK if thread_id else DELETE_THREAD)
    assert (played.thread.opened, played.thread.held) == ([], [])


async def test_a_message_whose_run_may_have_been_made_stays(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    backend.on(START, Gone())
    backend.on(RUNS, Json(rec.listed()))

    played = await play(dialect)

    assert played.problem == UNREACHABLE
    assert changes(backend) == [*FIRST, START]
    assert played.thread.opened == [rec.THREAD]


async def test_a_message_whose_run_the_back_end_failed_to_make_is_taken_back(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    backend.on(START, Json({}, 500))
    backend.on(RUNS, Json(rec.listed()))
    backend.on(DELETE_THREAD, Json({"deleted": True}))

    played = await play(dialect)

    assert played.problem == FAILED
    assert changes(backend) == [*FIRST, START, DELETE_THREAD]
    assert played.thread.opened == []


async def test_a_message_stays_where_its_run_is_there_after_all(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    nothing = Json(rec.listed())
    backend.on(START, Json({}, 500))
    backend.on(RUNS, nothing, nothing, Json(rec.listed(rec.run("in_progress"))))
    can_be_asked(backend, rec.run("cancelled"))

    played = await play(dialect)

    assert played.problem == FAILED
    assert changes(backend) == [*FIRST, START, CANCEL]
    assert played.thread.opened == [rec.THREAD]


async def test_a_message_that_cannot_be_taken_back_does_not_hold_up_the_end(
    backend: ScriptedBackend, dialect: AssistantsDialect, caplog: pytest.LogCaptureFixture
) -> None:
    backend.on(START, Json({}, 400))
    backend.on(TAKEN_BACK, Json({}, 405))

    assert (await play(dialect, thread_id=rec.THREAD)).problem == REJECTED
    assert "what was not used stays at the back end" in caplog.text


@pytest.mark.parametrize("lost", [Gone(), Json({}, 500)])
async def test_a_thread_is_asked_for_until_there_is_one_and_run_once(
    backend: ScriptedBackend, dialect: AssistantsDialect, lost: Answer
) -> None:
    backend.on(NEW_THREAD, lost, lost, Json({"id": rec.THREAD}))
    backend.on(START, streams(rec.stream(rec.text_run())))

    played = await play(dialect)

    assert played.end == Completed()
    assert changes(backend) == [NEW_THREAD, NEW_THREAD, *FIRST]
    assert played.thread.opened == [rec.THREAD]
    # Whichever of them was made, it holds the message.
    assert messages_brought(backend) == [{"role": "user", "content": "Hello", "metadata": rec.OURS}] * 3


ON_THREAD = {"posting": True, "message_id": rec.SAID, "starting": True}
WITH_THREAD = {"thread_id": rec.THREAD, "posting": True, "message_id": "", "starting": True}


@pytest.mark.parametrize(
    ("thread_id", "before"),
    [
        (None, [(NEW_THREAD, {}), (START, WITH_THREAD)]),
        (rec.THREAD, [(ADD, {"posting": True}), (START, ON_THREAD)]),
    ],
)
async def test_whoever_would_pick_the_turn_up_knows_what_is_about_to_happen_before_it_does(
    backend: ScriptedBackend, dialect: AssistantsDialect, thread_id: str | None, before: list[Any]
) -> None:
    """A checkpoint that came after its call would not be there when it matters."""
    known: list[tuple[str, dict[str, Any]]] = []
    thread = FakeThread(thread_id)

    def noting(answer: Answer) -> Any:
        def note(seen: Any) -> Answer:
            known.append((seen.line, rec.read(thread.checkpoints[-1]) if thread.checkpoints else {}))
            return answer

        return note

    backend.on(NEW_THREAD, noting(Json({"id": rec.THREAD})))
    backend.on(ADD, noting(TAKEN))
    backend.on(START, noting(streams(rec.stream(rec.text_run()))))

    assert_whole(await play(dialect, thread=thread))
    assert known == before
    assert rec.read(thread.checkpoints[-1])["run_id"] == rec.RUN

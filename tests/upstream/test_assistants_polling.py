"""Following runs by asking for them: how often, and what every state of a run leads to."""

from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deep_chat_proxy.errors import FAILED, NO_QUOTA, OVERLOADED, TIMED_OUT
from deep_chat_proxy.turn.events import (
    Accepted,
    Completed,
    Cut,
    Failed,
    Status,
    Stopped,
    TerminalEvent,
    TextDelta,
    Usage,
)
from deep_chat_proxy.upstream.assistants.dialect import AssistantsDialect
from deep_chat_proxy.upstream.pauses import PollPace
from upstream import recording as rec
from upstream.backend import Body, Json, ScriptedBackend, client_of
from upstream.playing import dialect_of, play
from upstream.scenes import CANCEL, MESSAGES, OUTPUTS, PARIS, RUN, START, whole_run_can_be_asked

PACE = PollPace(first=0.4, longest=1.0, growth=1.5)


@pytest.fixture(autouse=True)
def _no_real_waiting(sleeps: list[float]) -> None:
    """No test of this file sleeps; `sleeps` are the pauses."""


@pytest.fixture
def polling(backend: ScriptedBackend, session: aiohttp.ClientSession) -> AssistantsDialect:
    """The dialect as it asks for its runs."""
    backend.on(START, Json(rec.run("queued")))
    return dialect_of(client_of(session, backend.base_url), stream=False, pace=PACE)


def asked_for_run(backend: ScriptedBackend, *statuses: str, hint: str | None = None) -> None:
    headers = {} if hint is None else {"openai-poll-after-ms": hint}
    backend.on(RUN, *(Json(rec.run(status), headers=headers) for status in statuses))
    backend.on(MESSAGES, Json(rec.listed(rec.message(rec.TEXT))))


async def test_a_run_that_is_asked_for_becomes_the_events_of_a_turn(
    backend: ScriptedBackend, polling: AssistantsDialect
) -> None:
    asked_for_run(backend, "queued", "queued", "in_progress", "in_progress", "completed")

    played = await play(polling)

    assert played.events == [
        Accepted(),
        Status("Waiting for the assistant…"),
        Status("Thinking…"),
        TextDelta(rec.TEXT, whole=True),
        Usage(11, 7),
        Completed(),
    ]
    assert played.thread.opened == [rec.THREAD]


async def test_pauses_grow_to_the_longest_and_stay_there(
    backend: ScriptedBackend, polling: AssistantsDialect, sleeps: list[float]
) -> None:
    asked_for_run(backend, *["in_progress"] * 6, "completed")

    await play(polling)

    # One before each look: what the run was like at first was said when it was made.
    assert sleeps == pytest.approx([0.4, 0.6, 0.9, 1.0, 1.0, 1.0, 1.0])
    assert backend.lines.count(RUN) == 7


@pytest.mark.parametrize(
    ("hint", "pause"), [("700", 0.7), ("2500", 2.5), ("600000", 10), ("0", 0.6), ("1", 0.6), ("soon", 0.6)]
)
async def test_the_server_can_have_the_pauses_be_longer_within_bounds(
    backend: ScriptedBackend, polling: AssistantsDialect, sleeps: list[float], hint: str, pause: float
) -> None:
    asked_for_run(backend, "in_progress", "completed", hint=hint)

    await play(polling)

    assert sleeps == pytest.approx([0.4, pause])


@given(
    st.floats(0.05, 5),
    st.floats(1, 3),
    st.lists(st.none() | st.floats(-1, 1e9), min_size=1, max_size=20),
)
def test_no_pause_is_shorter_than_the_first_or_longer_than_ten_seconds(
    first: float, growth: float, hints: list[float | None]
) -> None:
    pauses = PollPace(first=first, longest=10, growth=growth).pauses()
    last = 0.0
    for hint in hints:
        pause = pauses.length(hint)
        assert first <= pause <= 10
        if hint is None:
            assert pause >= last
            last = pause


@pytest.mark.parametrize(
    ("status", "fields", "ends"),
    [
        ("completed", {}, Completed()),
        ("incomplete", {"incomplete_details": {"reason": "max_prompt_tokens"}}, Completed(Cut.LENGTH)),
        ("incomplete", {"incomplete_details": {"reason": "content_filter"}}, Completed(Cut.CONTENT_FILTER)),
        ("failed", {"last_error": {"code": "server_error", "message": "Sorry"}}, Failed(FAILED)),
        (
            "failed",
            {"last_error": {"code": "rate_limit_exceeded", "message": "You exceeded your current quota, …"}},
            Failed(NO_QUOTA),
        ),
        ("expired", {}, Failed(TIMED_OUT)),
        ("cancelled", {}, Stopped()),
    ],
)
@pytest.mark.parametrize("before", ["queued", "in_progress", "cancelling", "a state of tomorrow"])
async def test_every_end_of_a_run_ends_the_turn_and_keeps_its_text(
    backend: ScriptedBackend,
    polling: AssistantsDialect,
    before: str,
    status: str,
    fields: Any,
    ends: TerminalEvent,
) -> None:
    backend.on(RUN, Json(rec.run(before)), Json(rec.run(status, **fields)))
    backend.on(MESSAGES, Json(rec.listed(rec.message("Some"))))

    played = await play(polling)

    assert (played.text, played.end) == ("Some", ends)


async def test_two_messages_of_a_run_are_two_paragraphs_and_a_visitor_s_own_is_not_repeated(
    backend: ScriptedBackend, polling: AssistantsDialect
) -> None:
    asked_for_run(backend, "completed")
    hello = rec.message("Hello", message_id="msg_0", role="user", run_id=None)
    both = rec.message("One.", message_id="a"), rec.message("Two.", message_id="b")
    backend.on(MESSAGES, Json(rec.listed(hello, *both)))

    assert (await play(polling)).text == "One.\n\nTwo."


async def test_tools_run_while_a_run_is_asked_for_and_what_was_said_before_is_said_at_once(
    backend: ScriptedBackend, polling: AssistantsDialect
) -> None:
    backend.on(
        RUN,
        Json(rec.run("queued")),
        Json(rec.wants(PARIS)),
        Json(rec.run("queued")),
        Json(rec.run("completed")),
    )
    first, second = rec.message("Let me see."), rec.message("Sunny.", message_id="msg_2")
    backend.on(MESSAGES, Json(rec.listed(first)), Json(rec.listed(first, second)))
    backend.on(OUTPUTS, Json(rec.run("queued")))

    played = await play(polling)

    assert (played.text, played.end) == ("Let me see.\n\nSunny.", Completed())
    kinds = [type(event).__name__ for event in played.events]
    assert kinds.index("TextDelta") < kinds.index("ToolStarted")
    assert [seen.json["stream"] for seen in backend.requests if seen.line == OUTPUTS] == [False]


async def test_an_answer_that_fails_once_does_not_end_the_turn(
    backend: ScriptedBackend, polling: AssistantsDialect
) -> None:
    whole_run_can_be_asked(backend)
    backend.on(RUN, Json({}, 500), Body((b'{"id":',), end="cut"), Json(rec.run("completed")))

    assert (await play(polling)).text == rec.TEXT


async def test_a_run_that_can_no_longer_be_asked_for_ends_the_turn_with_an_error(
    backend: ScriptedBackend, polling: AssistantsDialect
) -> None:
    backend.on(RUN, Json({}, 503))
    backend.on(CANCEL, Json({}, 503))

    played = await play(polling)

    assert played.problem == OVERLOADED
    assert backend.lines.count(CANCEL) == 3

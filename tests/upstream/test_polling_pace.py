"""How often a run is asked for that takes its time, and how soon its end is seen."""

from collections.abc import Callable
from itertools import accumulate, pairwise, repeat

import aiohttp
import pytest

from deep_chat_proxy.turn.message import UserMessage
from deep_chat_proxy.upstream.pauses import PollPace
from playing import FakeThread
from upstream import recording as rec
from upstream import responses_recording
from upstream.backend import Answer, Json, ScriptedBackend, Seen, client_of
from upstream.playing import dialect_of, play, play_turn
from upstream.responses_scenes import GET, NEW
from upstream.responses_scenes import dialect_of as responses_of
from upstream.scenes import MESSAGES, RUN, START

PACE = PollPace()
# What making a run and fetching its messages come to, beside the looks.
BESIDE = 2
LENGTHS = [tenths / 10 for tenths in range(1201)]


def looks_at(length: float) -> list[float]:
    """When a run of so many seconds is looked at, in seconds after its beginning; the last look sees its end."""
    pauses = PACE.pauses()
    times: list[float] = []
    for at in accumulate(pauses.length(None) for _ in repeat(None)):
        times.append(at)
        if at >= length:
            return times
    raise AssertionError("pauses do not end")


def test_a_run_of_ten_seconds_takes_at_most_twelve_requests() -> None:
    assert max(len(looks_at(length)) for length in LENGTHS if length <= 10) + BESIDE <= 12


def test_no_end_is_seen_later_than_a_look_after_it() -> None:
    assert max(looks_at(length)[-1] - length for length in LENGTHS) <= 1.05 + 1e-9


def test_a_longer_run_takes_about_a_look_a_second() -> None:
    assert all(len(looks_at(length)) <= 1.5 + length for length in LENGTHS)


def test_pauses_grow_and_then_stay() -> None:
    times = looks_at(120)
    pauses = [times[0], *(later - earlier for earlier, later in pairwise(times))]

    assert all(longer >= shorter - 1e-9 for shorter, longer in pairwise(pauses))
    assert pauses[0] < pauses[-1]


async def test_a_slow_back_end_has_half_of_each_pause_and_makes_no_look_late(
    sleeps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = PollPace(first=1.0, longest=1.0).pauses()
    clock = iter([0.0, 0.2, 1.0, 11.0, 12.0])
    monkeypatch.setattr("deep_chat_proxy.upstream.pauses._now", lambda: next(clock))

    for _ in range(3):
        await pauses.wait(None)

    assert sleeps == [1.0, 0.8, 0.5]


def after(seconds: float, sleeps: list[float], before: Json, then: Json) -> Callable[[Seen], Answer]:
    """Answers with `then` once so much of the time has gone by that is only slept in name."""
    return lambda _: then if sum(sleeps) >= seconds else before


@pytest.mark.parametrize("seconds", [0.0, 0.5, 3.0, 9.9, 10.0])
async def test_a_run_of_up_to_ten_seconds_is_asked_for_so_often_and_no_more(
    backend: ScriptedBackend, session: aiohttp.ClientSession, sleeps: list[float], seconds: float
) -> None:
    backend.on(START, Json(rec.run("queued")))
    backend.on(RUN, after(seconds, sleeps, Json(rec.run("in_progress")), Json(rec.run("completed"))))
    backend.on(MESSAGES, Json(rec.listed(rec.message(rec.TEXT))))

    played = await play(dialect_of(client_of(session, backend.base_url), stream=False, pace=PACE))

    assert played.text == rec.TEXT
    first = next(index for index, line in enumerate(backend.lines) if line == START)
    assert len(backend.lines[first:]) <= 12
    assert sum(sleeps) - seconds <= 1.05


@pytest.mark.parametrize("seconds", [0.0, 0.5, 3.0, 9.9, 10.0])
async def test_a_response_in_the_background_is_asked_for_so_often_and_no_more(
    backend: ScriptedBackend, session: aiohttp.ClientSession, sleeps: list[float], seconds: float
) -> None:
    going_on = responses_recording.response("in_progress")
    ended = responses_recording.response("completed", responses_recording.message("Hello"))
    backend.on(NEW, Json(going_on))
    backend.on(GET, after(seconds, sleeps, Json(going_on), Json(ended)))

    dialect = responses_of(client_of(session, backend.base_url), stream=False, pace=PACE)
    played = await play_turn(dialect.turn(FakeThread(), UserMessage("Hello")))

    assert played.text == "Hello"
    assert len(backend.lines) <= 11
    assert sum(sleeps) - seconds <= 1.05

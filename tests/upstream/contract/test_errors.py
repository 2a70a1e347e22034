"""The contract: what goes wrong at a back end means the same to a visitor, whatever protocol it is told in."""

import pytest

from deep_chat_proxy.errors import (
    CUT_OFF,
    EMPTY_ANSWER,
    FAILED,
    INVALID_KEY,
    NO_QUOTA,
    NOT_CONFIGURED,
    OVERLOADED,
    RATE_LIMITED,
    REJECTED,
    TIMED_OUT,
    UNREACHABLE,
    Problem,
)
from deep_chat_proxy.turn.events import Completed
from playing import until
from upstream.contract.cases import Case
from upstream.contract.talk import Make, Talk


@pytest.fixture(autouse=True)
def _no_real_waiting(sleeps: list[float]) -> None:
    """Nobody waits for what a back end asks to be waited for."""


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("http 400", REJECTED),
        ("http 401", INVALID_KEY),
        ("http 403", INVALID_KEY),
        ("http 404", NOT_CONFIGURED),
        ("http 429", RATE_LIMITED),
        ("no quota", NO_QUOTA),
        ("http 500", FAILED),
        ("http 503", OVERLOADED),
        ("http 504", TIMED_OUT),
        ("fail", FAILED),
        ("fail at once", FAILED),
        ("fail with rate limit", RATE_LIMITED),
        ("run out of quota", NO_QUOTA),
        ("expire", TIMED_OUT),
        ("say nothing", EMPTY_ANSWER),
    ],
)
async def test_every_mishap_has_its_problem_and_the_thread_stays_usable(
    talk: Talk, text: str, problem: Problem
) -> None:
    await talk.say("my name is Ada")

    assert (await talk.say(text)).problem == problem
    assert talk.active() == []
    assert (await talk.say("what is my name?")).text == "Your name is Ada."


@pytest.mark.parametrize("text", ["http 429 once", "http 503 once"])
async def test_a_refusal_that_passes_is_not_seen_by_the_visitor(talk: Talk, text: str) -> None:
    await talk.say("hello")

    assert "this time it worked" in (await talk.say(text)).text


async def test_a_stream_that_breaks_off_is_made_whole_or_said_to_be_cut(talk: Talk, case: Case) -> None:
    answer = await talk.say("cut the connection")

    # Only what runs by itself can be asked for after its connection was lost.
    if case.dialect == "assistants" or case.name.endswith("poll"):
        assert answer.text.startswith("This is the beginning")
        assert answer.text.endswith("here it ends.")
        assert (answer.end, answer.said_anew) == (Completed(), False)
    else:
        assert answer.problem == (CUT_OFF if case.streams else UNREACHABLE)
        assert answer.text.startswith("This is the beginning") is case.streams
    assert (await talk.say("hello")).end == Completed()


async def test_a_back_end_that_says_nothing_at_all_is_given_up(make: Make, case: Case) -> None:
    talk = await make(case, silence=0.05)
    await talk.say("hello")
    if case.name.endswith("poll") or case.dialect == "assistants":
        # It is asked for again and again, until the turn has taken its time.
        return
    answer = await talk.say("hang at once")

    assert answer.problem == TIMED_OUT
    await until(lambda: talk.active() == [])
    assert (await talk.say("hello")).end == Completed()

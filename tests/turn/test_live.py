"""A turn under way: it goes on without its connections, for a while, and ends in exactly one way."""

import asyncio
import logging

import pytest

from deep_chat_proxy.errors import FAILED, INTERNAL, RATE_LIMITED, SHUTTING_DOWN, TIMED_OUT, ChatError
from deep_chat_proxy.tasks import Tasks
from deep_chat_proxy.turn.events import (
    Accepted,
    Completed,
    Failed,
    Stopped,
    TextDelta,
    ToolCall,
    ToolCallsRequested,
)
from playing import FakeTools, followed, settle, soon
from turn.running import NEVER, Run, Start

CANARY = "sk-canary-55"


async def test_a_turn_plays_to_its_end_with_nobody_following(start: Start) -> None:
    run = start([[Accepted(), TextDelta("Hi")], [Completed()]])

    assert await run.over() == Completed()
    assert await followed(run.turn.log) == [Accepted(), TextDelta("Hi"), Completed()]
    assert run.upstream.closed == 1


async def test_a_turn_goes_on_while_one_of_two_connections_follows(start: Start) -> None:
    goes_on = asyncio.Event()
    run = start([[Accepted()], goes_on, [TextDelta("Hi"), Completed()]], grace=0)
    with run.turn.attached():
        with run.turn.attached():
            assert run.turn.followed
        await settle()
        goes_on.set()
        assert await run.over() == Completed()

    assert not run.turn.followed


async def test_without_a_grace_period_a_turn_stops_with_its_last_connection(start: Start) -> None:
    run = start(NEVER, grace=0)
    with run.turn.attached():
        await soon(run.turn.log.begun())

    assert await run.over() == Stopped()
    assert run.turn.log.text == "Once"
    assert run.upstream.generators_open == 0


async def test_a_turn_stops_when_the_grace_period_is_over(start: Start) -> None:
    run = start(NEVER, grace=0.01)
    with run.turn.attached():
        await soon(run.turn.log.begun())
    await settle()
    assert run.turn.log.end is None

    assert await run.over() == Stopped()


async def test_who_comes_back_within_the_grace_period_keeps_the_turn_going(start: Start) -> None:
    goes_on = asyncio.Event()
    run = start([[Accepted()], goes_on, [TextDelta("Hi"), Completed()]], grace=0.01)
    with run.turn.attached():
        await soon(run.turn.log.begun())
    with run.turn.attached():
        # Longer than the grace period: its timer is due before the one of this wait.
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await run.turn.log.ended()
        goes_on.set()

        assert await run.over() == Completed()


async def test_a_connection_that_leaves_after_the_end_starts_no_grace_period(start: Start) -> None:
    run = start([[Accepted(), TextDelta("Hi"), Completed()]], grace=1000)
    with run.turn.attached():
        await run.over()

    assert run.turn._grace is None


async def test_a_turn_that_ends_in_its_grace_period_leaves_no_timer(start: Start) -> None:
    goes_on = asyncio.Event()
    run = start([[Accepted()], goes_on, [TextDelta("Hi"), Completed()]], grace=1000)
    with run.turn.attached():
        await soon(run.turn.log.begun())
    goes_on.set()
    await run.over()

    assert run.turn._grace is None


async def test_a_stop_keeps_what_was_answered_and_closes_the_back_end_once(start: Start) -> None:
    run = start(NEVER)
    await soon(run.turn.log.begun())

    assert run.turn.stop()
    assert await run.over() == Stopped()
    assert await followed(run.turn.log) == [Accepted(), TextDelta("Once"), Stopped()]
    assert run.upstream.closed == 1


async def test_a_stop_before_the_turn_came_to_run_posts_nothing(start: Start) -> None:
    run = start(NEVER)

    assert run.turn.stop()
    assert await run.over() == Stopped()
    assert not run.upstream.begun.is_set()
    assert run.upstream.closed == 1


async def test_a_stop_while_the_message_is_posted_ends_the_turn(start: Start) -> None:
    run = start([None, [Accepted()]])
    await soon(run.upstream.begun.wait())

    run.turn.stop()

    assert await run.over() == Stopped()
    assert not run.turn.log.accepted


async def test_a_stop_after_the_end_changes_nothing(start: Start) -> None:
    run = start([[Accepted(), TextDelta("Hi"), Completed()]])
    run.upstream.may_close.clear()
    await soon(run.turn.log.ended())

    assert not run.turn.stop()
    run.upstream.may_close.set()
    assert await run.over() == Completed()


async def test_the_first_stop_decides_how_the_turn_ends(start: Start) -> None:
    run = start(NEVER)
    await soon(run.turn.log.begun())

    run.turn.stop(Failed(SHUTTING_DOWN))
    run.turn.stop()

    assert await run.over() == Failed(SHUTTING_DOWN)


async def test_a_second_stop_does_not_break_into_what_the_first_has_cleaned_up(start: Start) -> None:
    cleaning, cleaned = asyncio.Event(), asyncio.Event()
    may_clean = asyncio.Event()

    async def tidy(_: ToolCall) -> str:
        try:
            await asyncio.Event().wait()
        finally:
            cleaning.set()
            await may_clean.wait()
            cleaned.set()
        return ""

    run = start(
        [[Accepted()], [ToolCallsRequested((ToolCall("c", "tidy", "{}"),))]], tools=FakeTools(tidy=tidy)
    )
    await soon(run.turn.log.begun())
    await settle()
    run.turn.stop()
    await soon(cleaning.wait())
    run.turn.stop()
    await settle()
    may_clean.set()

    assert await run.over() == Stopped()
    assert cleaned.is_set()


async def test_a_turn_that_takes_too_long_ends_with_a_timeout(start: Start) -> None:
    run = start(NEVER, turn=0.01)

    assert await run.over() == Failed(TIMED_OUT)
    assert run.turn.log.text == "Once"


async def test_a_refusal_is_the_end_with_its_wish_to_wait(start: Start) -> None:
    run = start([ChatError(RATE_LIMITED, "cause", retry_after=3)])

    assert await run.over() == Failed(RATE_LIMITED, 3)


async def test_an_answer_that_grows_too_long_fails_with_what_fits(start: Start) -> None:
    run = start([[Accepted(), TextDelta("x" * 10)], [TextDelta("y")], None], answer_characters=10)

    assert await run.over() == Failed(FAILED)
    assert run.turn.log.text == "x" * 10


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO])
async def test_an_unexpected_exception_is_an_internal_error_and_its_message_stays_unsaid(
    start: Start, caplog: pytest.LogCaptureFixture, level: int
) -> None:
    caplog.set_level(level, "deep_chat_proxy")
    run = start([[Accepted()], ValueError(CANARY)])

    assert await run.over() == Failed(INTERNAL)
    assert "unexpected ValueError" in caplog.text
    assert "turn-1" in caplog.text
    assert CANARY not in caplog.text


async def test_a_back_end_that_cannot_be_closed_is_logged_by_its_place_alone(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    run = start([[Accepted(), TextDelta("Hi"), Completed()]])
    run.upstream.close_fault = ValueError(CANARY)

    assert await run.over() == Completed()
    assert "unexpected ValueError" in caplog.text
    assert CANARY not in caplog.text


async def test_a_turn_whose_task_is_cancelled_has_an_end_too() -> None:
    tasks = Tasks()
    run = Run(tasks, NEVER).start()
    await soon(run.turn.log.begun())

    await soon(tasks.close())

    assert run.turn.log.end == Failed(SHUTTING_DOWN)
    assert run.upstream.closed == 1
    assert run.upstream.generators_open == 0


async def test_a_turn_that_is_waited_for_stops_when_nobody_follows_it_any_more(start: Start) -> None:
    run = start(NEVER, grace=1000)
    with run.turn.attached():
        await soon(run.turn.log.begun())
    with run.turn.awaited():
        assert await run.over() == Stopped()


async def test_a_turn_whose_follower_has_not_come_yet_is_waited_for_like_one_that_is_followed(
    start: Start,
) -> None:
    run = start(NEVER, grace=1000)
    with run.turn.awaited():
        await soon(run.turn.log.begun())
        await settle()

    assert not run.turn.stopping


async def test_a_turn_that_is_waited_for_stops_without_grace_when_its_last_connection_leaves(
    start: Start,
) -> None:
    run = start(NEVER, grace=1000)
    with run.turn.attached():
        await soon(run.turn.log.begun())
        waiting = run.turn.awaited()
        waiting.__enter__()
        await settle()
        assert run.turn.log.end is None
    assert await run.over() == Stopped()
    waiting.__exit__(None, None, None)


async def test_a_message_that_waits_no_longer_leaves_the_grace_period_as_it_was(start: Start) -> None:
    run = start(NEVER, grace=1000)
    with run.turn.attached():
        await soon(run.turn.log.begun())
        with run.turn.awaited():
            await settle()
    await settle()

    assert run.turn.log.end is None


async def test_a_turn_stops_when_whoever_sent_the_message_never_comes_to_follow_it(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deep_chat_proxy.turn.live._ATTACHING", 0.01)
    run = start(NEVER, grace=0)
    run.turn.expect_follower()

    assert await run.over() == Stopped()


async def test_a_turn_without_a_grace_period_waits_for_its_first_follower(start: Start) -> None:
    goes_on = asyncio.Event()
    run = start([[Accepted()], goes_on, [TextDelta("Hi"), Completed()]], grace=0)
    run.turn.expect_follower()
    await soon(run.turn.log.begun())
    with run.turn.attached():
        goes_on.set()

        assert await run.over() == Completed()

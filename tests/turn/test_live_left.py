"""What becomes of a turn: kept as it ended, left to another process, or the same message's that comes again."""

import asyncio
from contextlib import nullcontext

import pytest

from deep_chat_proxy.errors import FAILED, SHUTTING_DOWN
from deep_chat_proxy.tasks import Tasks
from deep_chat_proxy.turn.events import Accepted, Completed, Failed, Stopped, TextDelta
from deep_chat_proxy.turn.journal import EndedTurn
from deep_chat_proxy.turn.message import UserMessage
from playing import opened_turn, settle, soon, until
from turn.running import NEVER, Run, Start


@pytest.mark.parametrize("followed", [True, False])
async def test_how_a_turn_ended_is_kept_with_whether_somebody_was_there_to_see_it(
    start: Start, followed: bool
) -> None:
    goes_on = asyncio.Event()
    run = start([[Accepted(), TextDelta("Hi")], goes_on, [Completed()]])
    with run.turn.attached() if followed else nullcontext():
        await soon(run.turn.log.begun())
        goes_on.set()
        await run.over()

    assert run.keeper.ended == [(EndedTurn("turn-1", "turn-1", 3, "Hi", 2, (), Completed()), followed)]
    assert not run.keeper.asked_to_stop


async def test_whoever_leaves_with_the_whole_answer_has_seen_it(start: Start) -> None:
    run = start([[Accepted(), TextDelta("Hi")], [Completed()]])
    with run.turn.attached() as log:
        await soon(log.ended())
    await run.over()

    assert [seen for _, seen in run.keeper.ended] == [True]


async def test_a_turn_that_is_stopped_is_kept_as_such_before_the_back_end_ends_it(start: Start) -> None:
    run = start(NEVER)
    run.upstream.may_close.clear()
    await soon(run.turn.log.begun())
    run.turn.stop()
    await until(lambda: run.upstream.closed)

    assert run.keeper.asked_to_stop
    assert run.keeper.ended == []
    run.upstream.may_close.set()
    await run.over()
    assert [ended.end for ended, _ in run.keeper.ended] == [Stopped()]


async def test_a_turn_that_is_left_tells_the_back_end_nothing_and_is_kept_as_it_is(start: Start) -> None:
    run = start(NEVER)
    await soon(run.turn.log.begun())

    assert run.turn.leave()
    assert await run.over() == Failed(SHUTTING_DOWN)
    assert (run.upstream.left, run.upstream.closed) == (1, 0)
    assert not run.keeper.asked_to_stop
    assert run.keeper.ended == []


async def test_a_turn_that_is_being_stopped_is_not_left(start: Start) -> None:
    run = start(NEVER)
    await soon(run.turn.log.begun())
    run.turn.stop()

    assert not run.turn.leave()
    assert await run.over() == Stopped()
    assert (run.upstream.left, run.upstream.closed) == (0, 1)


async def test_a_turn_that_has_ended_is_not_left(start: Start) -> None:
    run = start([[Accepted(), TextDelta("Hi"), Completed()]])
    run.upstream.may_close.clear()
    await soon(run.turn.log.ended())

    assert not run.turn.leave()
    run.upstream.may_close.set()
    assert await run.over() == Completed()
    assert (run.upstream.left, run.upstream.closed) == (0, 1)


async def test_a_turn_that_was_picked_up_goes_on_without_followers_to_its_end(start: Start) -> None:
    goes_on = asyncio.Event()
    run = start(
        [[Accepted()], goes_on, [TextDelta("Hi"), Completed()]], grace=0, opened=opened_turn(picked_up=True)
    )
    await soon(run.turn.log.begun())
    with run.turn.awaited():
        await settle()
        assert not run.turn.stopping
        goes_on.set()

        assert await run.over() == Completed()


async def test_a_turn_that_was_being_stopped_when_its_process_died_ends_as_soon_as_it_is_found(
    start: Start,
) -> None:
    goes_on = asyncio.Event()
    run = start(
        [[], goes_on, [Accepted(), TextDelta("Once")], None],
        opened=opened_turn(picked_up=True, stopping=True),
    )
    await settle()
    assert run.turn.log.end is None
    goes_on.set()

    assert await run.over() == Stopped()
    assert run.upstream.closed == 1


async def test_a_turn_answers_the_message_that_it_was_begun_with_and_no_other() -> None:
    turn = Run(Tasks(), NEVER, opened=opened_turn(text="Hello")).turn

    assert turn.answers(UserMessage("Hello").fingerprint)
    assert not turn.answers(UserMessage("Hello!").fingerprint)


async def test_a_message_that_comes_again_much_later_is_another_one() -> None:
    turn = Run(Tasks(), NEVER, resend=0.0, opened=opened_turn(text="Hello")).turn

    assert not turn.answers(UserMessage("Hello").fingerprint)


@pytest.mark.parametrize("end", [Stopped(), Failed(FAILED)])
async def test_a_turn_that_came_to_nothing_answers_no_message_that_is_sent_again(
    start: Start, end: Stopped | Failed
) -> None:
    run = start([[Accepted(), end]])
    await run.over()

    assert not run.turn.answers(UserMessage("Hello").fingerprint)

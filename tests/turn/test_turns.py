"""All turns under way: one a thread, so many in all, none after the end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from deep_chat_proxy.errors import SERVER_BUSY, SHUTTING_DOWN, TURN_ACTIVE, ChatError, Problem
from deep_chat_proxy.turn.events import Accepted, Completed, Failed, Stopped, TextDelta
from deep_chat_proxy.turn.live import LiveTurn
from deep_chat_proxy.turn.turns import LiveTurns
from playing import FakeKeeper, FakeTools, ScriptedTurn, Step, settle, soon, turn_limits

ANSWER: list[Step] = [[Accepted(), TextDelta("Hi"), Completed()]]
NEVER: list[Step] = [[Accepted(), TextDelta("Once")], None]


@asynccontextmanager
async def turns_with(**limits: Any) -> AsyncIterator[LiveTurns]:
    turns = LiveTurns(turn_limits(**limits), FakeTools())
    try:
        yield turns
    finally:
        await soon(turns.close())


async def begin(turns: LiveTurns, thread_id: str = "a", script: list[Step] = NEVER) -> LiveTurn:
    turn = await soon(turns.start(thread_id, ScriptedTurn(script), FakeKeeper()))
    await soon(turn.log.begun())
    return turn


async def refusal(turns: LiveTurns, thread_id: str = "a") -> tuple[Problem, ScriptedTurn]:
    upstream = ScriptedTurn(ANSWER)
    with pytest.raises(ChatError) as raised:
        await soon(turns.start(thread_id, upstream, FakeKeeper()))
    return raised.value.problem, upstream


async def test_a_turn_is_active_until_nothing_of_it_runs() -> None:
    async with turns_with() as turns:
        upstream = ScriptedTurn(ANSWER)
        upstream.may_close.clear()
        turn = await turns.start("a", upstream, FakeKeeper())
        await soon(turn.log.ended())
        assert turns.active("a") is turn

        upstream.may_close.set()
        await soon(turn.gone.wait())
        assert turns.active("a") is None
        assert len(turns) == 0


async def test_threads_do_not_wait_for_each_other() -> None:
    async with turns_with() as turns:
        await begin(turns, "a")
        await begin(turns, "b")

        assert len(turns) == 2


async def test_a_turn_that_nobody_follows_gives_way_to_the_next_message() -> None:
    async with turns_with() as turns:
        first = await begin(turns)
        second = await begin(turns)

        assert first.log.end == Stopped()
        assert turns.active("a") is second


async def test_the_next_message_waits_until_the_turn_before_it_is_gone() -> None:
    async with turns_with() as turns:
        upstream = ScriptedTurn(ANSWER)
        upstream.may_close.clear()
        first = await turns.start("a", upstream, FakeKeeper())
        with first.attached():
            async with asyncio.TaskGroup() as group:
                second = group.create_task(begin(turns))
                await settle()
                assert not second.done()
                upstream.may_close.set()

        assert first.log.end == Completed()
        assert turns.active("a") is second.result()


@pytest.mark.parametrize("stopped", [False, True])
async def test_a_turn_that_is_only_being_cleared_away_is_waited_for_without_a_busy_wait(
    stopped: bool,
) -> None:
    async with turns_with(busy_wait=0) as turns:
        upstream = ScriptedTurn(NEVER if stopped else ANSWER)
        upstream.may_close.clear()
        first = await turns.start("a", upstream, FakeKeeper())
        await soon(first.log.begun())
        if stopped:
            first.stop()
        await soon(first.log.ended())
        async with asyncio.TaskGroup() as group:
            second = group.create_task(begin(turns))
            await settle()
            assert not second.done()
            upstream.may_close.set()

        assert turns.active("a") is second.result()


async def test_a_turn_that_cannot_be_cleared_away_does_not_keep_its_visitor_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("deep_chat_proxy.turn.turns._CLEARING", 0.01)
    async with turns_with() as turns:
        upstream = ScriptedTurn(ANSWER)
        upstream.may_close.clear()
        first = await turns.start("a", upstream, FakeKeeper())
        await soon(first.log.ended())

        assert (await refusal(turns))[0] is TURN_ACTIVE
        upstream.may_close.set()


async def test_a_page_that_leaves_while_its_next_message_waits_does_not_keep_it_waiting() -> None:
    """A page that stops an answer closes one connection and opens another; they may come in any order."""
    async with turns_with(grace=1000, busy_wait=1000) as turns:
        first = await begin(turns)
        async with asyncio.TaskGroup() as group:
            with first.attached():
                second = group.create_task(begin(turns))
                await settle()
                assert first.log.end is None

        assert first.log.end == Stopped()
        assert turns.active("a") is second.result()


async def test_two_messages_that_wait_are_answered_one_after_the_other() -> None:
    async with turns_with() as turns:
        goes_on = asyncio.Event()
        first = await begin(turns, script=[[Accepted()], goes_on, [TextDelta("Hi"), Completed()]])
        at_once = 0

        async def follow() -> None:
            nonlocal at_once
            turn = await soon(turns.start("a", ScriptedTurn(ANSWER), FakeKeeper()))
            with turn.attached():
                at_once += 1
                assert at_once == 1
                await soon(turn.log.ended())
                at_once -= 1
                assert turn.log.end == Completed()

        with first.attached():
            async with asyncio.TaskGroup() as group:
                group.create_task(follow())
                group.create_task(follow())
                await settle()
                goes_on.set()


async def test_a_message_that_waits_too_long_is_refused_and_the_turn_goes_on() -> None:
    async with turns_with(busy_wait=0.01) as turns:
        first = await begin(turns)
        with first.attached():
            problem, upstream = await refusal(turns)

            assert problem is TURN_ACTIVE
            assert turns.active("a") is first
            assert first.log.end is None
        assert not upstream.begun.is_set()
        assert upstream.closed == 0


async def test_one_turn_more_than_allowed_is_refused() -> None:
    async with turns_with(live=2) as turns:
        await begin(turns, "a")
        await begin(turns, "b")
        problem, upstream = await refusal(turns, "c")

        assert problem is SERVER_BUSY
        assert upstream.closed == 0


async def test_a_turn_that_ended_makes_room_for_another() -> None:
    async with turns_with(live=1) as turns:
        first = await begin(turns, "a", ANSWER)
        await soon(first.gone.wait())

        assert (await begin(turns, "b")).log.end is None


async def test_closing_ends_every_turn_with_an_error_that_says_to_try_again() -> None:
    turns = LiveTurns(turn_limits(), FakeTools())
    running = [await begin(turns, thread_id) for thread_id in "abc"]

    await soon(turns.close())

    assert [turn.log.end for turn in running] == [Failed(SHUTTING_DOWN)] * 3
    assert len(turns) == 0


async def test_closing_ends_a_turn_that_was_only_just_started() -> None:
    turns = LiveTurns(turn_limits(), FakeTools())
    upstream = ScriptedTurn(NEVER)
    turn = await turns.start("a", upstream, FakeKeeper())

    await soon(turns.close())

    assert turn.log.end == Failed(SHUTTING_DOWN)
    assert upstream.closed == 1


async def test_closing_keeps_the_end_that_a_visitor_asked_for_before() -> None:
    turns = LiveTurns(turn_limits(), FakeTools())
    turn = await begin(turns)
    turn.stop()

    await soon(turns.close())

    assert turn.log.end == Stopped()


async def test_closing_twice_does_no_harm_and_nothing_starts_afterwards() -> None:
    turns = LiveTurns(turn_limits(), FakeTools())
    await soon(turns.close())
    await soon(turns.close())

    assert (await refusal(turns))[0] is SHUTTING_DOWN


async def test_a_message_that_waits_while_the_server_closes_is_refused() -> None:
    turns = LiveTurns(turn_limits(), FakeTools())
    first = await begin(turns)
    with first.attached():
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(refusal(turns))
            await settle()
            await soon(turns.close())

    assert waiting.result()[0] is SHUTTING_DOWN


async def test_a_back_end_that_cannot_be_closed_leaves_the_thread_free() -> None:
    async with turns_with() as turns:
        upstream = ScriptedTurn(ANSWER)
        upstream.close_fault = ValueError("unexpected")
        first = await turns.start("a", upstream, FakeKeeper())
        await soon(first.gone.wait())

        assert (await begin(turns)).log.end is None

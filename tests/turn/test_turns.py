"""All turns under way: one a thread, so many in all, none after the end."""

import asyncio

import pytest

from deep_chat_proxy.errors import SERVER_BUSY, SHUTTING_DOWN, TURN_ACTIVE
from deep_chat_proxy.turn.events import Accepted, Completed, Failed, Stopped, TextDelta
from playing import ScriptedTurn, settle, soon
from turn.bench import ANSWER, Bench, bench_with
from turn.running import NEVER


async def test_a_turn_is_active_until_nothing_of_it_runs() -> None:
    async with bench_with() as bench:
        upstream = ScriptedTurn(ANSWER)
        upstream.may_close.clear()
        turn = await bench.take(upstream)
        await soon(turn.log.ended())
        assert bench.turns.active("a") is turn

        upstream.may_close.set()
        await soon(turn.gone.wait())
        assert bench.turns.active("a") is None
        assert len(bench.turns) == 0


async def test_threads_do_not_wait_for_each_other() -> None:
    async with bench_with() as bench:
        await bench.begin("a")
        await bench.begin("b")

        assert len(bench.turns) == 2


async def test_a_turn_that_nobody_follows_any_more_gives_way_to_the_next_message() -> None:
    async with bench_with() as bench:
        first = await bench.begin()
        with first.attached():
            pass
        second = await bench.begin()

        assert first.log.end == Stopped()
        assert bench.turns.active("a") is second


async def test_the_next_message_waits_until_the_turn_before_it_is_gone() -> None:
    async with bench_with() as bench:
        upstream = ScriptedTurn(ANSWER)
        upstream.may_close.clear()
        first = await bench.take(upstream)
        with first.attached():
            async with asyncio.TaskGroup() as group:
                second = group.create_task(bench.begin())
                await settle()
                assert not second.done()
                upstream.may_close.set()

        assert first.log.end == Completed()
        assert bench.turns.active("a") is second.result()


@pytest.mark.parametrize("stopped", [False, True])
async def test_a_turn_that_is_only_being_cleared_away_is_waited_for_without_a_busy_wait(
    stopped: bool,
) -> None:
    async with bench_with(busy_wait=0) as bench:
        upstream = ScriptedTurn(NEVER if stopped else ANSWER)
        upstream.may_close.clear()
        first = await bench.take(upstream)
        await soon(first.log.begun())
        if stopped:
            first.stop()
        await soon(first.log.ended())
        async with asyncio.TaskGroup() as group:
            second = group.create_task(bench.begin())
            await settle()
            assert not second.done()
            upstream.may_close.set()

        assert bench.turns.active("a") is second.result()


async def test_a_turn_that_cannot_be_cleared_away_does_not_keep_its_visitor_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("deep_chat_proxy.turn.turns._CLEARING", 0.01)
    async with bench_with() as bench:
        upstream = ScriptedTurn(ANSWER)
        upstream.may_close.clear()
        first = await bench.take(upstream)
        await soon(first.log.ended())

        assert (await bench.refusal())[0] is TURN_ACTIVE
        upstream.may_close.set()


async def test_a_page_that_leaves_while_its_next_message_waits_does_not_keep_it_waiting() -> None:
    """A page that stops an answer closes one connection and opens another; they may come in any order."""
    async with bench_with(grace=1000, busy_wait=1000) as bench:
        first = await bench.begin()
        async with asyncio.TaskGroup() as group:
            with first.attached():
                second = group.create_task(bench.begin())
                await settle()
                assert first.log.end is None

        assert first.log.end == Stopped()
        assert bench.turns.active("a") is second.result()


async def test_two_messages_that_wait_are_answered_one_after_the_other() -> None:
    async with bench_with() as bench:
        goes_on = asyncio.Event()
        first = await bench.begin(script=[[Accepted()], goes_on, [TextDelta("Hi"), Completed()]])
        at_once = 0

        async def follow() -> None:
            nonlocal at_once
            turn = await bench.take(ScriptedTurn(ANSWER))
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


async def test_many_messages_that_wait_are_answered_in_the_order_in_which_they_came() -> None:
    async with bench_with(live=1) as bench:
        goes_on = asyncio.Event()
        first = await bench.begin(script=[[Accepted()], goes_on, [TextDelta("Hi"), Completed()]], text="0")

        async def follow(text: str) -> None:
            turn = await bench.take(ScriptedTurn(ANSWER), text=text)
            with turn.attached():
                await soon(turn.log.ended())

        with first.attached():
            async with asyncio.TaskGroup() as group:
                for number in range(1, 10):
                    group.create_task(follow(str(number)))
                await settle()
                assert bench.begun == ["0"]
                goes_on.set()

        assert bench.begun == [str(number) for number in range(10)]


async def test_a_message_that_waits_too_long_is_refused_and_the_turn_goes_on() -> None:
    async with bench_with(busy_wait=0.01) as bench:
        first = await bench.begin()
        with first.attached():
            problem, upstream = await bench.refusal()

            assert problem is TURN_ACTIVE
            assert bench.turns.active("a") is first
            assert first.log.end is None
        assert not upstream.begun.is_set()
        assert upstream.closed == 0


async def test_all_messages_that_wait_too_long_are_refused_at_the_same_time() -> None:
    async with bench_with(busy_wait=0.01) as bench:
        first = await bench.begin()
        with first.attached():
            refusals = await soon(asyncio.gather(*(bench.refusal() for _ in range(5))))

        assert {problem for problem, _ in refusals} == {TURN_ACTIVE}


async def test_one_turn_more_than_allowed_is_refused() -> None:
    async with bench_with(live=2) as bench:
        await bench.begin("a")
        await bench.begin("b")
        problem, upstream = await bench.refusal("c")

        assert problem is SERVER_BUSY
        assert upstream.closed == 0


async def test_a_turn_that_ended_makes_room_for_another() -> None:
    async with bench_with(live=1) as bench:
        first = await bench.begin("a", ANSWER)
        await soon(first.gone.wait())

        assert (await bench.begin("b")).log.end is None


async def test_closing_ends_every_turn_with_an_error_that_says_to_try_again() -> None:
    bench = Bench()
    running = [await bench.begin(thread_id) for thread_id in "abc"]

    await soon(bench.turns.close())

    assert [turn.log.end for turn in running] == [Failed(SHUTTING_DOWN)] * 3
    assert len(bench.turns) == 0


async def test_closing_ends_a_turn_that_was_only_just_started() -> None:
    bench = Bench()
    upstream = ScriptedTurn(NEVER)
    turn = await bench.take(upstream)

    await soon(bench.turns.close())

    assert turn.log.end == Failed(SHUTTING_DOWN)
    assert upstream.closed == 1


async def test_closing_keeps_the_end_that_a_visitor_asked_for_before() -> None:
    bench = Bench()
    turn = await bench.begin()
    turn.stop()

    await soon(bench.turns.close())

    assert turn.log.end == Stopped()


async def test_closing_twice_does_no_harm_and_nothing_starts_afterwards() -> None:
    bench = Bench()
    await soon(bench.turns.close())
    await soon(bench.turns.close())

    assert (await bench.refusal())[0] is SHUTTING_DOWN


async def test_a_message_that_waits_while_the_server_closes_is_refused() -> None:
    bench = Bench()
    first = await bench.begin()
    with first.attached():
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(bench.refusal())
            await settle()
            await soon(bench.turns.close())

    assert waiting.result()[0] is SHUTTING_DOWN


async def test_a_back_end_that_cannot_be_closed_leaves_the_thread_free() -> None:
    async with bench_with() as bench:
        upstream = ScriptedTurn(ANSWER)
        upstream.close_fault = ValueError("unexpected")
        first = await bench.take(upstream)
        await soon(first.gone.wait())

        assert (await bench.begin()).log.end is None

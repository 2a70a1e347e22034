"""Turns that are found rather than begun: by a message that comes again, or by the process that comes next."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace

from deep_chat_proxy.errors import FAILED, SHUTTING_DOWN, TURN_ACTIVE, ChatError
from deep_chat_proxy.turn.events import (
    Accepted,
    Completed,
    Failed,
    Stopped,
    TextDelta,
    TextReplaced,
    TurnEvent,
)
from deep_chat_proxy.turn.live import LiveTurn
from deep_chat_proxy.turn.message import UserMessage
from deep_chat_proxy.turn.turns import attached
from playing import ScriptedTurn, ended_turn, followed, opened_turn, settle, soon, until
from turn.bench import ANSWER, Bench, FakeJournal, bench_with
from turn.running import NEVER

SAME = "Once more"
ENDED = ended_turn("turn-0", text="It was there.")


async def test_a_message_that_is_sent_again_joins_the_turn_that_answers_it() -> None:
    async with bench_with() as bench:
        first = await bench.begin(text=SAME)

        assert await bench.take(text=SAME) is first
        assert bench.begun == [SAME]


async def test_a_message_that_comes_twice_at_once_has_one_turn() -> None:
    async with bench_with() as bench:
        first, second = await asyncio.gather(bench.take(text=SAME), bench.take(text=SAME))
        await soon(first.log.begun())

        assert first is second
        assert bench.begun == [SAME]


async def test_a_message_that_waits_and_is_sent_again_meanwhile_has_one_turn() -> None:
    async with bench_with() as bench:
        goes_on = asyncio.Event()
        before = await bench.begin(script=[[Accepted()], goes_on, [TextDelta("Hi"), Completed()]])
        with before.attached():
            async with asyncio.TaskGroup() as group:
                first = group.create_task(bench.take(text=SAME))
                second = group.create_task(bench.take(text=SAME))
                await settle()
                goes_on.set()

        assert first.result() is second.result()


async def test_the_same_message_of_another_thread_has_a_turn_of_its_own() -> None:
    async with bench_with() as bench:
        first = await bench.begin("a", text=SAME)

        assert await bench.begin("b", text=SAME) is not first


async def test_a_message_that_comes_again_too_late_waits_like_any_other() -> None:
    async with bench_with(resend=0.0, busy_wait=0.01) as bench:
        first = await bench.begin(text=SAME)
        with first.attached(), pytest.raises(ChatError) as raised:
            await bench.take(text=SAME)

        assert raised.value.problem is TURN_ACTIVE


async def test_a_message_whose_turn_was_stopped_is_answered_anew() -> None:
    async with bench_with() as bench:
        first = await bench.begin(text=SAME)
        first.stop()

        assert await bench.begin(text=SAME) is not first
        assert first.log.end == Stopped()
        assert bench.begun == [SAME, SAME]


async def test_a_message_whose_turn_failed_is_answered_anew() -> None:
    async with bench_with() as bench:
        upstream = ScriptedTurn([[Accepted(), Failed(FAILED)]])
        upstream.may_close.clear()
        first = await bench.take(upstream, text=SAME)
        await soon(first.log.ended())
        async with asyncio.TaskGroup() as group:
            second = group.create_task(bench.take(ScriptedTurn(ANSWER), text=SAME))
            await settle()
            upstream.may_close.set()

        assert second.result() is not first


async def test_an_answer_that_nobody_was_there_to_see_is_had_by_the_message_that_comes_again() -> None:
    async with bench_with() as bench:
        upstream = ScriptedTurn(ANSWER)
        upstream.may_close.clear()
        first = await bench.take(upstream, text=SAME)
        await soon(first.log.ended())

        assert await bench.take(text=SAME) is first


async def test_the_same_words_after_an_answer_that_was_seen_are_a_new_message() -> None:
    async with bench_with() as bench:
        upstream = ScriptedTurn(ANSWER)
        upstream.may_close.clear()
        first = await bench.take(upstream, text=SAME)
        with first.attached() as log:
            await soon(log.ended())
        async with asyncio.TaskGroup() as group:
            second = group.create_task(bench.take(ScriptedTurn(ANSWER), text=SAME))
            await settle()
            upstream.may_close.set()

        assert second.result() is not first


async def test_an_answer_that_ended_unseen_is_told_once_more_and_no_turn_begun() -> None:
    async with bench_with(FakeJournal(ended=ENDED), resend=7.0) as bench:
        answered = await bench.turns.take("a", "visitor-1", UserMessage("Unseen"))

        assert answered is ENDED
        assert bench.journal.asked_within == [7.0]
        assert len(bench.turns) == 0
        with attached(ENDED) as log:
            assert await followed(log) == [Accepted(), TextReplaced("It was there."), Completed()]


async def test_the_end_of_a_turn_can_be_had_for_as_long_as_the_limits_say() -> None:
    async with bench_with(FakeJournal(ended=ENDED), readable=9.0) as bench:
        assert await bench.turns.newest("a") is ENDED
        assert bench.journal.asked_within == [9.0]


async def test_the_newest_turn_of_a_thread_is_the_one_that_goes_on() -> None:
    async with bench_with(FakeJournal(ended=ENDED)) as bench:
        turn = await bench.begin("a")

        assert await bench.turns.newest("a") is turn
        assert await bench.turns.newest("b") is ENDED


async def test_whoever_asks_for_the_newest_turn_finds_the_one_that_was_left_a_moment_ago() -> None:
    left = opened_turn("turn-9", thread_id="a", text="Left", picked_up=True)
    async with bench_with(FakeJournal(ended=ENDED, left=[left])) as bench:
        found = await bench.turns.newest("a")

        assert found is not None
        assert found.turn_id == "turn-9"


async def test_an_end_that_is_shown_to_somebody_counts_as_seen() -> None:
    async with bench_with(FakeJournal(ended=ENDED)) as bench:
        turn = await bench.begin("a")
        await bench.turns.saw(turn)
        assert bench.journal.seen == []

        await bench.turns.saw(ENDED)
        assert bench.journal.seen == ["turn-0"]


@asynccontextmanager
async def looked_after(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Turns are looked after without a pause."""
    monkeypatch.setattr("deep_chat_proxy.turn.turns._LOOK_FOR_LEFT", 0.0)
    looking = asyncio.get_running_loop().create_task(bench.turns.look_after())
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.wait([looking])


async def test_turns_that_processes_leave_are_picked_up_again_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with bench_with() as bench, looked_after(bench, monkeypatch):
        for text in ("One", "Two"):
            bench.journal.left = [opened_turn(f"turn-{text}", thread_id=text, text=text, picked_up=True)]
            await until(lambda wanted=text: wanted in bench.begun)  # type: ignore[misc]

        assert bench.begun == ["One", "Two"]


async def test_an_end_that_the_store_did_not_take_is_kept_when_it_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with bench_with() as bench:
        bench.full = True
        turn = await bench.take(ScriptedTurn(ANSWER))
        await soon(turn.gone.wait())
        kept = bench.keepers[turn.turn_id].ended
        assert kept == []
        async with looked_after(bench, monkeypatch):
            await settle()
            assert kept == []
            bench.full = False
            await until(lambda: kept)
            await settle()

        assert [ended.end for ended, _ in kept] == [Completed()]


async def test_a_turn_that_its_processes_died_of_again_and_again_is_not_played_once_more() -> None:
    lost = replace(opened_turn("turn-9", thread_id="a", text="Deadly", picked_up=True), lost=True)
    async with bench_with(FakeJournal(left=[lost])) as bench:
        await bench.turns.pick_up()
        turn = bench.turns.active("a")
        assert turn is not None
        await soon(turn.gone.wait())

        assert turn.log.end == Failed(FAILED)
        assert bench.begun == []
        assert [ended.end for ended, _ in bench.keepers["turn-9"].ended] == [Failed(FAILED)]


async def test_the_events_of_a_turn_that_was_picked_up_have_ids_of_their_own() -> None:
    left = opened_turn("turn-9", thread_id="a", picked_up=True)
    async with bench_with(FakeJournal(left=[left])) as bench:
        await bench.turns.pick_up()
        picked_up, begun = bench.turns.active("a"), await bench.begin("b")

        assert picked_up is not None
        assert picked_up.log_id != picked_up.turn_id == "turn-9"
        assert begun.log_id == begun.turn_id


async def test_whoever_follows_a_turn_by_its_handle_keeps_it_going() -> None:
    async with bench_with(grace=0) as bench:
        turn = await bench.take(ScriptedTurn(NEVER))
        with attached(turn) as log:
            await soon(log.begun())
            assert turn.followed

        await soon(turn.gone.wait())
        assert log.end == Stopped()


async def test_a_turn_of_a_process_that_is_no_more_is_picked_up_and_goes_on_to_its_end() -> None:
    left = opened_turn("turn-9", thread_id="a", text="Left", picked_up=True)
    async with bench_with(FakeJournal(left=[left]), grace=0) as bench:
        bench.upstreams["Left"] = ScriptedTurn(ANSWER)

        assert await bench.turns.pick_up() == [left]
        turn = bench.turns.active("a")
        assert turn is not None
        await soon(turn.gone.wait())

        assert (turn.turn_id, turn.log.text, turn.log.end) == ("turn-9", "Hi", Completed())
        assert await bench.turns.pick_up() == []


async def test_nothing_is_picked_up_once_the_server_goes_down() -> None:
    bench = Bench(FakeJournal(left=[opened_turn(picked_up=True)]))
    await soon(bench.turns.close())

    assert await bench.turns.pick_up() == ()
    assert len(bench.journal.left) == 1


async def test_a_message_waits_for_the_turn_that_another_process_has_on_its_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("deep_chat_proxy.turn.turns._LOOK_AGAIN", 0.0)
    async with bench_with() as bench:
        bench.free = False
        async with asyncio.TaskGroup() as group:
            turn = group.create_task(bench.begin())
            await settle()
            assert not turn.done()
            bench.free = True

        assert bench.turns.active("a") is turn.result()


async def test_a_message_does_not_wait_for_another_process_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deep_chat_proxy.turn.turns._LOOK_AGAIN", 0.0)
    async with bench_with(busy_wait=0.01) as bench:
        bench.free = False
        problem, upstream = await bench.refusal()

        assert problem is TURN_ACTIVE
        assert not upstream.begun.is_set()


async def test_a_message_finds_that_the_process_which_had_its_thread_is_no_more() -> None:
    left = opened_turn(thread_id="a", text="Left", picked_up=True)
    async with bench_with(FakeJournal(left=[left])) as bench:
        bench.free = False
        bench.upstreams["Left"] = ScriptedTurn(ANSWER)
        await bench.begin(text="Next")

        assert bench.begun == ["Left", "Next"]


async def test_a_message_that_is_sent_again_after_a_crash_joins_its_turn_as_it_is_picked_up() -> None:
    left = opened_turn("turn-9", thread_id="a", text=SAME, picked_up=True)
    async with bench_with(FakeJournal(left=[left])) as bench:
        bench.free = False

        assert (await bench.begin(text=SAME)).turn_id == "turn-9"
        assert bench.begun == [SAME]


async def closed_with(bench: Bench, *turns: LiveTurn, within: float) -> list[TurnEvent | None]:
    """How turns end whose server has so many seconds to go down."""
    await soon(bench.turns.close(within))
    return [turn.log.end for turn in turns]


async def test_turns_may_come_to_their_ends_when_the_server_goes_down() -> None:
    bench = Bench(FakeJournal(durable=True))
    goes_on = asyncio.Event()
    upstream = ScriptedTurn([[Accepted()], goes_on, [TextDelta("Hi"), Completed()]])
    turn = await bench.take(upstream)
    async with asyncio.TaskGroup() as group:
        closing = group.create_task(closed_with(bench, turn, within=5.0))
        await settle()
        assert not closing.done()
        goes_on.set()

    assert closing.result() == [Completed()]
    assert (upstream.left, upstream.closed) == (0, 1)


@pytest.mark.parametrize("durable", [True, False])
async def test_what_does_not_end_in_time_is_left_to_the_next_process_where_there_can_be_one(
    durable: bool,
) -> None:
    bench = Bench(FakeJournal(durable=durable))
    turn = await bench.begin(script=NEVER, text="Slow")

    assert await closed_with(bench, turn, within=0.01) == [Failed(SHUTTING_DOWN)]
    upstream = bench.upstreams["Slow"]
    assert (upstream.left, upstream.closed) == ((1, 0) if durable else (0, 1))


async def test_a_turn_that_is_being_stopped_is_ended_and_not_left_when_the_server_goes_down() -> None:
    bench = Bench(FakeJournal(durable=True))
    upstream = ScriptedTurn(NEVER)
    upstream.may_close.clear()
    turn = await bench.take(upstream)
    await soon(turn.log.begun())
    turn.stop()
    await until(lambda: upstream.closed)
    async with asyncio.TaskGroup() as group:
        closing = group.create_task(closed_with(bench, turn, within=0.0))
        await settle()
        upstream.may_close.set()

    assert closing.result() == [Stopped()]
    assert (upstream.left, upstream.closed) == (0, 1)


async def test_what_is_left_behind_says_only_to_its_followers_that_it_failed() -> None:
    bench = Bench(FakeJournal(durable=True))
    turn = await bench.begin(script=NEVER)
    async with asyncio.TaskGroup() as group:
        follower = group.create_task(followed(turn.log))
        await settle()
        await closed_with(bench, turn, within=0.0)

    assert follower.result() == [Accepted(), TextDelta("Once"), Failed(SHUTTING_DOWN)]
    assert not bench.keepers[turn.turn_id].ended

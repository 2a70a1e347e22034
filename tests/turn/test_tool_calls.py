"""The calls of one round: each is run once, whatever became of the process that began it."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from deep_chat_proxy.errors import CUT_OFF, TOO_MANY_ROUNDS, ChatError
from deep_chat_proxy.turn.events import (
    Accepted,
    Completed,
    TextDelta,
    ToolCall,
    ToolCallsRequested,
    ToolEnded,
    ToolOutput,
    ToolStarted,
    TurnEvent,
)
from deep_chat_proxy.turn.loop import TurnLoop
from deep_chat_proxy.turn.observer import Tally
from deep_chat_proxy.turn.tool_calls import ToolCalls, checked
from deep_chat_proxy.turn.transcript import INTERRUPTED
from playing import FakeKeeper, FakeTools, ScriptedTurn, soon

WEATHER = ToolCall("call_1", "weather", '{"location": "Oslo"}')
CLOCK = ToolCall("call_2", "clock", "{}")
RAIN = ToolOutput("call_1", "rain")
NOON = ToolOutput("call_2", "noon")
UNKNOWN = ToolOutput("call_1", INTERRUPTED, ok=False)


class Round:
    """One round of calls; `begun` are those that another process had begun."""

    def __init__(
        self, begun: Mapping[str, ToolOutput | None] | None = None, tools: FakeTools | None = None
    ) -> None:
        self.tools = tools or FakeTools(weather="rain", clock="noon")
        self.keeper = FakeKeeper(begun)
        self.shown: list[TurnEvent] = []
        self._calls = ToolCalls(self.tools, self.keeper, self.shown.extend, Tally())

    async def run(self, *calls: ToolCall, picked_up: bool = False) -> list[ToolOutput]:
        return await soon(self._calls.run(calls, picked_up=picked_up))


async def test_every_call_is_run_and_its_output_kept_before_it_is_used() -> None:
    a_round = Round()

    assert await a_round.run(WEATHER, CLOCK) == [RAIN, NOON]
    assert a_round.tools.ran == [WEATHER, CLOCK]
    assert a_round.keeper.outputs == [RAIN, NOON]
    assert a_round.shown == [
        ToolStarted("call_1", "weather", "Running weather"),
        ToolStarted("call_2", "clock", "Running clock"),
        ToolEnded("call_1", "weather", ok=True),
        ToolEnded("call_2", "clock", ok=True),
    ]


async def test_no_tool_runs_before_it_is_kept_that_it_will() -> None:
    a_round = Round()
    may_be_kept = asyncio.Event()

    async def begin_calls(calls: Sequence[ToolCall], *, picked_up: bool) -> Mapping[str, ToolOutput | None]:
        await may_be_kept.wait()
        assert not picked_up
        assert list(calls) == [WEATHER]
        assert a_round.tools.ran == []
        return {}

    a_round.keeper.begin_calls = begin_calls  # type: ignore[method-assign]
    async with asyncio.TaskGroup() as group:
        running = group.create_task(a_round.run(WEATHER))
        await asyncio.sleep(0)
        may_be_kept.set()

    assert running.result() == [RAIN]


async def test_an_output_that_is_known_from_before_is_used_and_the_tool_is_not_run() -> None:
    a_round = Round({"call_1": ToolOutput("call_1", "snow")})

    assert await a_round.run(WEATHER, CLOCK, picked_up=True) == [ToolOutput("call_1", "snow"), NOON]
    assert a_round.tools.ran == [CLOCK]
    assert a_round.shown.count(ToolEnded("call_1", "weather", ok=True)) == 1


async def test_a_failure_that_is_known_from_before_stays_one() -> None:
    failed = ToolOutput("call_1", "no such place", ok=False)
    a_round = Round({"call_1": failed})

    assert await a_round.run(WEATHER, picked_up=True) == [failed]
    assert a_round.shown[-1] == ToolEnded("call_1", "weather", ok=False)


async def test_a_call_of_which_nobody_knows_what_it_did_is_not_run_again() -> None:
    a_round = Round({"call_1": None})

    assert await a_round.run(WEATHER, CLOCK, picked_up=True) == [UNKNOWN, NOON]
    assert a_round.tools.ran == [CLOCK]
    assert a_round.shown.count(ToolEnded("call_1", "weather", ok=False)) == 1


async def test_a_call_that_may_be_repeated_is_run_again_where_it_has_no_output() -> None:
    tools = FakeTools(repeatable=["weather"], weather="rain", clock="noon")
    a_round = Round({"call_1": None, "call_2": None}, tools)

    assert await a_round.run(WEATHER, CLOCK, picked_up=True) == [
        RAIN,
        ToolOutput("call_2", INTERRUPTED, ok=False),
    ]
    assert tools.ran == [WEATHER]
    assert a_round.keeper.outputs == [RAIN]


async def test_a_call_that_may_be_repeated_is_not_where_its_output_is_known() -> None:
    tools = FakeTools(repeatable=["weather"], weather="rain")
    a_round = Round({"call_1": ToolOutput("call_1", "snow")}, tools)

    assert await a_round.run(WEATHER, picked_up=True) == [ToolOutput("call_1", "snow")]
    assert tools.ran == []


async def test_every_call_has_a_beginning_and_one_end_to_be_shown_wherever_its_output_comes_from() -> None:
    third = ToolCall("call_3", "map", "{}")
    a_round = Round(
        {"call_1": None, "call_2": NOON}, FakeTools(repeatable=["weather"], weather="rain", map="here")
    )
    await a_round.run(WEATHER, CLOCK, third, picked_up=True)

    for kind in (ToolStarted, ToolEnded):
        ids = [event.call_id for event in a_round.shown if isinstance(event, kind)]
        assert sorted(ids) == ["call_1", "call_2", "call_3"]


def loop_of(upstream: ScriptedTurn, keeper: FakeKeeper, tools: FakeTools, *, picked_up: bool) -> TurnLoop:
    return TurnLoop(upstream, tools, keeper, lambda _: None, max_rounds=5, picked_up=picked_up)


async def test_calls_of_a_later_round_are_run_though_they_have_the_ids_of_the_first() -> None:
    upstream = ScriptedTurn(
        [[Accepted(), ToolCallsRequested((WEATHER,))]],
        [[ToolCallsRequested((WEATHER,))]],
        [[TextDelta("Rain."), Completed()]],
    )
    tools = FakeTools(weather="rain")
    keeper = FakeKeeper({"call_1": ToolOutput("call_1", "snow")})

    await soon(loop_of(upstream, keeper, tools, picked_up=True).play())

    assert upstream.submitted == [[ToolOutput("call_1", "snow")], [RAIN]]
    assert tools.ran == [WEATHER]


async def test_a_turn_that_no_other_process_has_begun_runs_all_its_calls() -> None:
    upstream = ScriptedTurn(
        [[Accepted(), ToolCallsRequested((WEATHER,))]], [[TextDelta("Rain."), Completed()]]
    )
    tools = FakeTools(weather="rain")
    keeper = FakeKeeper({"call_1": ToolOutput("call_1", "snow")})

    await soon(loop_of(upstream, keeper, tools, picked_up=False).play())

    assert upstream.submitted == [[RAIN]]


def test_a_call_that_is_asked_for_twice_counts_once_and_the_first_one_counts() -> None:
    again = ToolCall("call_1", "weather", '{"location": "Rome"}')

    assert checked([WEATHER, CLOCK, again]) == (WEATHER, CLOCK)


@pytest.mark.parametrize(("how_many", "problem"), [(0, CUT_OFF), (65, TOO_MANY_ROUNDS)])
def test_no_calls_and_too_many_are_refused(how_many: int, problem: object) -> None:
    with pytest.raises(ChatError) as raised:
        checked([ToolCall(f"call_{number}", "weather", "{}") for number in range(how_many)])

    assert raised.value.problem is problem


def test_as_many_calls_as_there_can_be_are_taken() -> None:
    assert len(checked([ToolCall(f"call_{number}", "weather", "{}") for number in range(64)])) == 64


async def test_a_name_that_a_model_made_up_is_shown_in_a_length_that_names_have() -> None:
    a_round = Round()
    await a_round.run(ToolCall("call_1", "x" * 1000, "{}"))

    assert [event.name for event in a_round.shown if isinstance(event, ToolStarted | ToolEnded)] == [
        "x" * 64,
        "x" * 64,
    ]

"""The table of states: every event in every state."""

import pytest

from deep_chat_proxy.errors import FAILED
from deep_chat_proxy.turn.events import (
    Accepted,
    ChatFile,
    Completed,
    Event,
    Failed,
    FileKind,
    FileReady,
    PartStarted,
    Status,
    Stopped,
    TextDelta,
    TextReplaced,
    ToolEnded,
    ToolStarted,
    Usage,
)
from deep_chat_proxy.turn.states import IllegalEventError, TurnState, after

STARTING, THINKING, ANSWERING, USING_TOOLS = (
    TurnState.STARTING,
    TurnState.THINKING,
    TurnState.ANSWERING,
    TurnState.USING_TOOLS,
)
LIVE = (THINKING, ANSWERING, USING_TOOLS)
ENDS = (TurnState.COMPLETED, TurnState.STOPPED, TurnState.FAILED)
EVENTS: tuple[Event, ...] = (
    Accepted(),
    Status("s"),
    TextDelta("t"),
    TextReplaced("t"),
    FileReady(ChatFile("f", "n", FileKind.ANY)),
    Usage(1, 1),
    ToolStarted("c", "n", "l"),
    ToolEnded("c", "n", ok=True),
    Completed(),
    Stopped(),
    Failed(FAILED),
)


@pytest.mark.parametrize(
    ("event", "states", "target"),
    [
        (Accepted(), (STARTING,), THINKING),
        (Status("s"), (STARTING, *LIVE), None),
        (TextDelta("t"), LIVE, ANSWERING),
        (TextReplaced("t"), LIVE, ANSWERING),
        (FileReady(ChatFile("f", "n", FileKind.ANY)), LIVE, None),
        (Usage(1, 1), LIVE, None),
        (ToolStarted("c", "n", "l"), LIVE, USING_TOOLS),
        (ToolEnded("c", "n", ok=True), (USING_TOOLS,), None),
        (Completed(), LIVE, TurnState.COMPLETED),
        (Stopped(), (STARTING, *LIVE), TurnState.STOPPED),
        (Failed(FAILED), (STARTING, *LIVE), TurnState.FAILED),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Event) else "",
)
def test_an_event_leads_where_the_table_says_and_is_refused_elsewhere(
    event: Event, states: tuple[TurnState, ...], target: TurnState | None
) -> None:
    for state in TurnState:
        if state in states:
            assert after(state, event) is (target or state)
        else:
            with pytest.raises(IllegalEventError):
                after(state, event)


@pytest.mark.parametrize("end", ENDS)
def test_nothing_follows_an_end(end: TurnState) -> None:
    assert end.ended
    for event in EVENTS:
        with pytest.raises(IllegalEventError):
            after(end, event)


def test_a_turn_under_way_has_not_ended() -> None:
    assert not any(state.ended for state in (STARTING, *LIVE))


def test_an_event_for_the_loop_alone_is_none_of_a_turn() -> None:
    with pytest.raises(KeyError):
        after(THINKING, PartStarted())

"""The states of a turn, and which event leads from which to which.

A turn is STARTING until the back end took the message, THINKING until something can be shown,
ANSWERING while text comes, USING_TOOLS while function calls run, and then in one of three ends for good.
`STREAMING` events may come in any state after STARTING; an end may come in any state that is not one.
An event that the table does not allow is a fault of the code that made it, never of a visitor or a back end.
"""

from enum import StrEnum

from deep_chat_proxy.turn.events import (
    Accepted,
    Completed,
    Event,
    Failed,
    FileReady,
    SourcesListed,
    Status,
    Stopped,
    TextDelta,
    TextReplaced,
    ToolEnded,
    ToolStarted,
    Usage,
)


class TurnState(StrEnum):
    """Where a turn is."""

    STARTING = "starting"
    THINKING = "thinking"
    ANSWERING = "answering"
    USING_TOOLS = "using_tools"
    COMPLETED = "completed"
    STOPPED = "stopped"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Whether nothing can follow."""
        return self in _ENDS


_ENDS = frozenset({TurnState.COMPLETED, TurnState.STOPPED, TurnState.FAILED})
_LIVE = frozenset({TurnState.THINKING, TurnState.ANSWERING, TurnState.USING_TOOLS})
_ANY = _LIVE | {TurnState.STARTING}

# event -> (states it may come in, state it leads to; None: stays where it is)
_TABLE: dict[type[Event], tuple[frozenset[TurnState], TurnState | None]] = {
    Accepted: (frozenset({TurnState.STARTING}), TurnState.THINKING),
    Status: (_ANY, None),
    TextDelta: (_LIVE, TurnState.ANSWERING),
    TextReplaced: (_LIVE, TurnState.ANSWERING),
    SourcesListed: (_LIVE, TurnState.ANSWERING),
    FileReady: (_LIVE, None),
    Usage: (_LIVE, None),
    ToolStarted: (_LIVE, TurnState.USING_TOOLS),
    ToolEnded: (frozenset({TurnState.USING_TOOLS}), None),
    Completed: (_LIVE, TurnState.COMPLETED),
    Stopped: (_ANY, TurnState.STOPPED),
    Failed: (_ANY, TurnState.FAILED),
}


class IllegalEventError(RuntimeError):
    """An event came in a state that does not allow it."""


def after(state: TurnState, event: Event) -> TurnState:
    """The state that `event` leads to from `state`; raises IllegalEventError where it may not come."""
    allowed, target = _TABLE[type(event)]
    if state not in allowed:
        raise IllegalEventError(f"{type(event).__name__} in state {state}")
    return target or state

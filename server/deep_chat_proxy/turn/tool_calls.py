"""The calls of one round: run at once, each exactly once, also where another process had begun them."""

import asyncio
from collections.abc import Callable, Sequence

from deep_chat_proxy.errors import CUT_OFF, TOO_MANY_ROUNDS, ChatError
from deep_chat_proxy.turn.events import ToolCall, ToolEnded, ToolOutput, ToolStarted, TurnEvent
from deep_chat_proxy.turn.observer import Tally
from deep_chat_proxy.turn.ports import Keeper, Tools
from deep_chat_proxy.turn.transcript import INTERRUPTED

Emit = Callable[[Sequence[TurnEvent]], None]

# A model asks for a few at a time; each may run and have an output as long as an output may be.
_MOST_CALLS = 64
# As at OpenAI. A model may make a name up, and what it made up is shown.
_LONGEST_NAME = 64


class ToolCalls:
    """Runs the calls of a turn. That a call begins is kept before it does, and its output before it is used."""

    def __init__(self, tools: Tools, keeper: Keeper, emit: Emit, used: Tally) -> None:
        self._tools = tools
        self._keeper = keeper
        self._emit = emit
        self._used = used

    async def run(self, calls: Sequence[ToolCall], *, picked_up: bool) -> list[ToolOutput]:
        """The outputs of one round, in the order of its calls. `picked_up`: another process may have begun them."""
        begun = await self._keeper.begin_calls(calls, picked_up=picked_up)
        self._emit([ToolStarted(call.call_id, _shown(call), self._tools.label(call.name)) for call in calls])
        async with asyncio.TaskGroup() as group:
            running = [
                group.create_task(
                    self._run_anew(call, begun[call.call_id]) if call.call_id in begun else self._run(call),
                    name=f"tool {call.name}",
                )
                for call in calls
            ]
        return [task.result() for task in running]

    async def _run(self, call: ToolCall) -> ToolOutput:
        output = await self._tools.run(call)
        if output.ok:
            self._used.tools_done += 1
        else:
            self._used.tools_failed += 1
        await self._keeper.call_ended(output)
        self._emit([ToolEnded(call.call_id, _shown(call), output.ok)])
        return output

    async def _run_anew(self, call: ToolCall, output: ToolOutput | None) -> ToolOutput:
        """A call that was begun before: what it has done nobody knows where it has no output."""
        if output is None and self._tools.repeatable(call.name):
            return await self._run(call)
        output = output or ToolOutput(call.call_id, INTERRUPTED, ok=False)
        self._emit([ToolEnded(call.call_id, _shown(call), output.ok)])
        return output


def checked(calls: Sequence[ToolCall]) -> tuple[ToolCall, ...]:
    """The calls of a round, each once. Raises ChatError for none, or more than there can be."""
    unique: dict[str, ToolCall] = {}
    for call in calls:
        unique.setdefault(call.call_id, call)
    if not unique:
        raise ChatError(CUT_OFF, "the back end waits for the outputs of no calls")
    if len(unique) > _MOST_CALLS:
        raise ChatError(TOO_MANY_ROUNDS, f"{len(unique)} tool calls at once")
    return tuple(unique.values())


def _shown(call: ToolCall) -> str:
    return call.name[:_LONGEST_NAME]

"""One turn and the task that runs it."""

from collections.abc import Callable
from typing import Any

from deep_chat_proxy.tasks import Tasks
from deep_chat_proxy.turn.events import Accepted, TerminalEvent, TextDelta
from deep_chat_proxy.turn.journal import OpenTurn
from deep_chat_proxy.turn.live import LiveTurn
from playing import FakeKeeper, FakeTools, ScriptedTurn, Step, opened_turn, soon, turn_limits

NEVER: list[Step] = [[Accepted(), TextDelta("Once")], None]


class Run:
    """A turn that follows a script, as `opened` says."""

    def __init__(
        self,
        tasks: Tasks,
        *stretches: list[Step],
        tools: FakeTools | None = None,
        opened: OpenTurn | None = None,
        **limits: Any,
    ) -> None:
        self.upstream = ScriptedTurn(*stretches)
        self.keeper = FakeKeeper()
        self.turn = LiveTurn(
            opened or opened_turn(),
            upstream=self.upstream,
            tools=tools or FakeTools(),
            keeper=self.keeper,
            limits=turn_limits(**limits),
        )
        self._tasks = tasks

    def start(self) -> "Run":
        self.task = self._tasks.start(self.turn.run(self._tasks), name="run")
        return self

    async def over(self) -> TerminalEvent | None:
        """Wait until nothing of the turn runs; how it ended."""
        await soon(self.task)
        return self.turn.log.end


Start = Callable[..., Run]

"""The tool loop: one turn from the posted message to its end, over as many rounds of tool calls as it takes.

The loop does no I/O of its own; everything outside is a port (`turn/ports.py`). Events come from the back
end in batches, one for each read from the network, and are passed on in batches, so that nothing is done
for each token that can be done once for all that wait.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from deep_chat_proxy.errors import CUT_OFF, EMPTY_ANSWER, TOO_MANY_ROUNDS, ChatError
from deep_chat_proxy.turn.events import (
    Cited,
    Completed,
    Failed,
    FileMade,
    FileReady,
    PartStarted,
    Stopped,
    TerminalEvent,
    TextDelta,
    TextReplaced,
    ToolCall,
    ToolCallsRequested,
    TurnEvent,
    UpstreamEvent,
)
from deep_chat_proxy.turn.ports import Keeper, Tools, UpstreamTurn
from deep_chat_proxy.turn.sources import Sources
from deep_chat_proxy.turn.text import AnswerText
from deep_chat_proxy.turn.tool_calls import Emit, ToolCalls, checked


class TurnLoop:
    """Plays one turn and hands every event of it to `emit`, a terminal event last.

    `max_rounds` bounds how often the model may ask for tools before the turn fails (1 or more). `picked_up`: another
    process has begun it. A batch that shows nothing is emitted too, as a sign of life.
    """

    def __init__(
        self,
        upstream: UpstreamTurn,
        tools: Tools,
        keeper: Keeper,
        emit: Emit,
        *,
        max_rounds: int,
        picked_up: bool = False,
    ) -> None:
        self._upstream = upstream
        self._calls = ToolCalls(tools, keeper, emit)
        self._picked_up = picked_up
        self._keeper = keeper
        self._emit = emit
        self._max_rounds = max_rounds
        self._text = AnswerText()
        self._sources = Sources()
        self._files_made = 0

    async def play(self) -> None:
        """Play the turn to its end.

        Raises ChatError where the back end refuses, fails, breaks off, or never stops asking for tools;
        no terminal event has been emitted then.
        """
        try:
            calls = await self._follow(self._upstream.start())
            rounds = 0
            while calls:
                rounds += 1
                if rounds > self._max_rounds:
                    raise ChatError(TOO_MANY_ROUNDS, f"more than {self._max_rounds} rounds of tool calls")
                outputs = await self._calls.run(calls, picked_up=self._picked_up and rounds == 1)
                calls = await self._follow(self._upstream.submit(outputs))
        finally:
            # Of an answer that is stopped or breaks off, what was held back is a part too.
            self._emit(self._rest(self._text.finish()))

    async def _follow(self, stream: AsyncGenerator[Sequence[UpstreamEvent]]) -> tuple[ToolCall, ...]:
        """Follow one stretch of the answer; returns the calls that it ended with, () at the turn's end."""
        async with aclosing(stream):
            async for batch in stream:
                if calls := await self._pass_on(batch):
                    return calls
                if isinstance(batch[-1] if batch else None, Completed | Stopped | Failed):
                    return ()
        raise ChatError(CUT_OFF, "the back end ended without a terminal event")

    async def _pass_on(self, batch: Sequence[UpstreamEvent]) -> tuple[ToolCall, ...]:
        """Emit what a visitor is to see of `batch`; returns the calls that it asks for."""
        shown: list[TurnEvent] = []
        try:
            for event in batch:
                if isinstance(event, ToolCallsRequested):
                    shown += self._rest(self._text.finish())
                    return checked(event.calls)
                await self._take(event, shown)
        finally:
            # A stop in the middle of a batch keeps what came before.
            self._emit(shown)
        return ()

    async def _take(self, event: UpstreamEvent, shown: list[TurnEvent]) -> None:
        """Append to `shown` what a visitor is to see of `event`."""
        match event:
            case TextDelta(text, whole):
                if text := self._text.add(text):
                    shown.append(TextDelta(text, whole))
            case TextReplaced(text):
                shown.append(TextReplaced(self._text.replace(text)))
            case PartStarted():
                shown += self._rest(self._text.start_part())
            case FileMade():
                self._files_made += 1
                shown.append(FileReady(await self._keeper.file_made(event)))
            case Cited():
                self._sources.add(event)
            case Completed() | Stopped() | Failed():
                shown += [*self._rest(self._last_text(event)), self._checked(event)]
            case ToolCallsRequested():
                raise AssertionError("calls are taken by the caller")
            case _:
                shown.append(event)

    @staticmethod
    def _rest(text: str) -> list[TurnEvent]:
        return [TextDelta(text)] if text else []

    def _last_text(self, end: TerminalEvent) -> str:
        """What was still held, and behind a whole answer its sources."""
        rest = self._text.finish()
        return rest + self._sources.text() if isinstance(end, Completed) and self._text.any_shown else rest

    def _checked(self, end: TerminalEvent) -> TerminalEvent:
        # Deep Chat shows an error of its own, in its own words, where an answer holds nothing.
        nothing = not self._text.any_shown and not self._files_made
        if isinstance(end, Completed) and nothing and end.cut is None:
            return Failed(EMPTY_ANSWER)
        return end

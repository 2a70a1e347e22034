"""The tool loop: one turn from the posted message to its end, over as many rounds of tool calls as it takes.

The loop does no I/O of its own; everything outside is a port (`turn/ports.py`). Events come from the back
end in batches, one for each read from the network, and are passed on in batches, so that nothing is done
for each token that can be done once for all that wait.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from deep_chat_proxy.errors import CUT_OFF, EMPTY_ANSWER, TOO_MANY_ROUNDS, ChatError
from deep_chat_proxy.turn.events import (
    ChatFile,
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
    Usage,
    joined,
)
from deep_chat_proxy.turn.observer import Tally
from deep_chat_proxy.turn.ports import Keeper, Tools, UpstreamTurn
from deep_chat_proxy.turn.sources import Sources
from deep_chat_proxy.turn.text import AnswerText
from deep_chat_proxy.turn.tool_calls import Emit, ToolCalls, checked

_MAX_TEXT = 1_000_000


class TurnLoop:
    """Plays one turn and hands every event of it to `emit`, a terminal event last.

    `max_rounds` bounds how often the model may ask for tools before the turn fails (1 or more), `max_text` how much it
    may write, in characters. `picked_up`: another process has begun it. `watched` says whether anybody reads along. A
    batch that shows nothing is emitted too, as a sign of life.
    """

    def __init__(
        self,
        upstream: UpstreamTurn,
        tools: Tools,
        keeper: Keeper,
        emit: Emit,
        *,
        max_rounds: int,
        max_text: int = _MAX_TEXT,
        picked_up: bool = False,
        watched: Callable[[], bool] = lambda: True,
    ) -> None:
        self._upstream = upstream
        self.used = Tally()
        self._calls = ToolCalls(tools, keeper, emit, self.used)
        self._picked_up = picked_up
        self._watched = watched
        self._keeper = keeper
        self._emit = emit
        self._max_rounds = max_rounds
        self._sources = Sources()
        self._text = AnswerText(self._sources, max_words=max_text)
        self._files_made = 0
        self._too_much: ChatError | None = None

    async def play(self) -> None:
        """Play the turn to its end.

        Raises ChatError where the back end refuses, fails, breaks off, or never stops asking for tools;
        no terminal event has been emitted then.
        """
        self._upstream.tell(self._hear, self._watched)
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
            self._emit(self._settled())

    async def _follow(self, stream: AsyncGenerator[Sequence[UpstreamEvent]]) -> tuple[ToolCall, ...]:
        """Follow one stretch of the answer; returns the calls that it ended with, () at the turn's end."""
        async with aclosing(stream):
            async for batch in stream:
                if calls := await self._pass_on(batch):
                    return calls
                if isinstance(batch[-1] if batch else None, Completed | Stopped | Failed):
                    return ()
        raise ChatError(CUT_OFF, "the back end ended without a terminal event")

    def _hear(self, words: TextDelta) -> bool:
        """Emit words that came with nothing else: most of an answer does."""
        try:
            text = self._text.add(words.text)
            self._emit([TextDelta(text, words.whole)] if text else [])
        except ChatError as fault:
            # Raised here, it would be taken for one of the back end's.
            self._too_much = fault
            return False
        return True

    async def _pass_on(self, batch: Sequence[UpstreamEvent]) -> tuple[ToolCall, ...]:
        """Emit what a visitor is to see of `batch`; returns the calls that it asks for."""
        if self._too_much is not None:
            raise self._too_much
        shown: list[TurnEvent] = []
        try:
            for event in joined(batch):
                if isinstance(event, ToolCallsRequested):
                    shown += self._settled()
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
                shown += _more(self._text.start_part())
            case FileMade():
                self._files_made += 1
                file = await self._keeper.file_made(event)
                self._sources.add_file(event, file)
                shown.append(FileReady(file))
            case Cited():
                self._sources.add(event, await self._known_file(event))
            case Completed() | Stopped() | Failed():
                shown += self._ended(event)
            case Usage(input_tokens, output_tokens):
                self.used.input_tokens += input_tokens
                self.used.output_tokens += output_tokens
                shown.append(event)
            case ToolCallsRequested():
                raise AssertionError("calls are taken by the caller")
            case _:
                shown.append(event)

    def _ended(self, end: TerminalEvent) -> list[TurnEvent]:
        """What was still held, the list of sources, and the end."""
        rest = self._settled()
        if isinstance(end, Completed) and self._text.any_shown and (listed := self._text.sources()):
            rest.append(listed)
        return [*rest, self._checked(end)]

    def _settled(self) -> list[TurnEvent]:
        """What was still held, or all of the text where what is known now changes what was shown of it."""
        rest = self._text.finish()
        whole = self._text.settled()
        return _more(rest) if whole is None else [TextReplaced(whole)]

    async def _known_file(self, cited: Cited) -> ChatFile | None:
        if cited.url is not None or not cited.upstream_id:
            return None
        return await self._keeper.known_file(cited.upstream_id)

    def _checked(self, end: TerminalEvent) -> TerminalEvent:
        # Deep Chat shows an error of its own, in its own words, where an answer holds nothing.
        nothing = not self._text.any_shown and not self._files_made
        if isinstance(end, Completed) and nothing and end.cut is None:
            return Failed(EMPTY_ANSWER)
        return end


def _more(text: str) -> list[TurnEvent]:
    return [TextDelta(text)] if text else []

"""The event log of one turn: written by the turn, followed by any number of connections from any point.

The log is bounded. Text is kept whole beside the events, so that a follower who comes when the beginning
has already left the log gets the text so far as one `TextReplaced` and goes on from there.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from itertools import islice
from typing import Self

from deep_chat_proxy.errors import FAILED, ChatError
from deep_chat_proxy.turn.events import (
    Accepted,
    ChatFile,
    Completed,
    Failed,
    FileReady,
    Stopped,
    TerminalEvent,
    TextDelta,
    TextReplaced,
    TurnEvent,
)
from deep_chat_proxy.turn.journal import EndedTurn
from deep_chat_proxy.turn.states import TurnState, after

Batch = tuple[int, Sequence[TurnEvent]]

# Stands where a text stood that a later `TextReplaced` has made void: each may be as long as an answer.
_VOID = TextDelta("")


class TurnLog:
    """Events with ids that count from 1; the newest `capacity` of them are kept (at least 1).

    `max_text` bounds the text of the answer, in characters.
    """

    def __init__(self, *, capacity: int, max_text: int) -> None:
        self.state = TurnState.STARTING
        self.accepted = False
        self._events: deque[TurnEvent] = deque(maxlen=capacity)
        self._last_id = 0
        self._text: list[str] = []
        self._text_length = 0
        self._text_id = 0
        self._max_text = max_text
        self._files: list[tuple[int, FileReady]] = []
        self._waiting: set[asyncio.Future[None]] = set()
        self._heard = time.monotonic()

    @classmethod
    def of_ended(cls, ended: EndedTurn) -> Self:
        """The log of a turn that ended before, as far as that was kept: for whoever has not seen its end, the text
        comes as one.
        """
        log = cls(capacity=1, max_text=len(ended.text))
        log.state = after(TurnState.THINKING, ended.end)
        log.accepted = True
        log._text, log._text_length, log._text_id = [ended.text], len(ended.text), ended.text_id
        log._files = [(event_id, FileReady(file)) for event_id, file in ended.files]
        log._events.append(ended.end)
        log._last_id = ended.last_id
        return log

    def ended_as(self, turn_id: str, log_id: str) -> EndedTurn:
        """What is to be kept of the turn, now that it has ended."""
        if self.end is None:
            raise ValueError("the turn goes on")
        files = tuple((event_id, ready.file) for event_id, ready in self._files)
        return EndedTurn(turn_id, log_id, self._last_id, self.text, self._text_id, files, self.end)

    @property
    def silent_for(self) -> float:
        """Seconds since the turn was last known to be alive; tools that run are a sign of life."""
        if self.state is TurnState.USING_TOOLS:
            return 0.0
        return time.monotonic() - self._heard

    @property
    def last_id(self) -> int:
        """Id of the newest event, 0 before the first."""
        return self._last_id

    @property
    def text(self) -> str:
        """The text of the answer so far."""
        if len(self._text) > 1:
            self._text = ["".join(self._text)]
        return self._text[0] if self._text else ""

    @property
    def files(self) -> Sequence[ChatFile]:
        """The files that the assistant has made so far."""
        return [ready.file for _, ready in self._files]

    @property
    def end(self) -> TerminalEvent | None:
        """How the turn ended, None while it goes on."""
        last = self._events[-1] if self._events else None
        return last if isinstance(last, Completed | Stopped | Failed) else None

    def extend(self, events: Sequence[TurnEvent]) -> None:
        """Append `events` and wake the followers once; without events, take note that the turn is alive.

        Raises ChatError where the answer grows over `max_text`, IllegalEventError for an event out of order;
        the events before that one are in the log then.
        """
        self._heard = time.monotonic()
        if not events:
            return
        try:
            for event in events:
                self._append(event)
        finally:
            self._wake()

    def _append(self, event: TurnEvent) -> None:
        state = after(self.state, event)
        self._account(event)
        self.state = state
        self.accepted = self.accepted or state is TurnState.THINKING
        self._events.append(event)
        self._last_id += 1

    def _account(self, event: TurnEvent) -> None:
        match event:
            case TextDelta(text):
                self._check_length(self._text_length + len(text))
                self._text.append(text)
                self._text_id = self._last_id + 1
            case TextReplaced(text):
                self._check_length(len(text))
                self._text = [text]
                self._text_id = self._last_id + 1
                self._void_texts()
            case FileReady():
                self._files.append((self._last_id + 1, event))
            case _:
                pass

    def _check_length(self, length: int) -> None:
        if length > self._max_text:
            raise ChatError(FAILED, f"the answer is longer than {self._max_text} characters")
        self._text_length = length

    def _void_texts(self) -> None:
        for index, event in enumerate(self._events):
            if isinstance(event, TextDelta | TextReplaced):
                self._events[index] = _VOID

    def after(self, event_id: int) -> Batch:
        """The id of the newest event, and the events that came after `event_id` (0: all there were)."""
        oldest = self._last_id - len(self._events)
        if event_id < oldest:
            return self.anew(event_id)
        newer = islice(self._events, event_id - oldest, None)
        return self._last_id, [event for event in newer if event is not _VOID]

    def anew(self, event_id: int) -> Batch:
        """As `after`, with the text from its beginning as one event, where any of it came after `event_id`.

        Somebody whose connection broke may have more of the text than up to the event that they know.
        """
        oldest = self._last_id - len(self._events)
        files = [ready for file_id, ready in self._files if event_id < file_id <= oldest]
        newer = islice(self._events, max(0, event_id - oldest), None)
        others = [event for event in newer if not isinstance(event, TextDelta | TextReplaced)]
        text = [TextReplaced(self.text)] if event_id < self._text_id else []
        began = [Accepted()] if self.accepted and not event_id and oldest else []
        return self._last_id, [*began, *text, *files, *others]

    def has_all_text_until(self, event_id: int) -> bool:
        """Whether there is text of the answer, and all of it came up to this event."""
        return self._text_length > 0 and self._text_id <= event_id

    async def follow(self, event_id: int = 0) -> AsyncGenerator[Batch]:
        """Batches of the events after `event_id`, as they come, until the turn has ended.

        An id that this log has not given yet is of another turn: it counts as 0.
        """
        if event_id > self._last_id:
            event_id = 0
        if 0 < event_id < self._last_id:
            batch = self.anew(event_id)
            event_id = batch[0]
            yield batch
        while True:
            if event_id < self._last_id:
                batch = self.after(event_id)
                event_id = batch[0]
                yield batch
            elif self.state.ended:
                return
            else:
                await self._news()

    async def begun(self) -> None:
        """Wait until the back end took the message, or the turn ended before that."""
        while self.state is TurnState.STARTING:
            await self._news()

    async def ended(self) -> None:
        """Wait until the turn has ended."""
        while not self.state.ended:
            await self._news()

    async def _news(self) -> None:
        news = asyncio.get_running_loop().create_future()
        self._waiting.add(news)
        try:
            await news
        finally:
            self._waiting.discard(news)

    def _wake(self) -> None:
        for news in self._waiting:
            if not news.done():
                news.set_result(None)

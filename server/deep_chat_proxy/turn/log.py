"""The event log of one turn: written by the turn, followed by any number of connections from any point.

The log is bounded. Text is kept whole beside the events, so that a follower who comes when the beginning
has already left the log gets the text so far as one `TextReplaced` and goes on from there.
"""

import asyncio
import sys
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Self

from msgspec import Struct

from deep_chat_proxy.errors import FAILED, ChatError
from deep_chat_proxy.turn.events import (
    Accepted,
    ChatFile,
    Completed,
    Failed,
    FileReady,
    Source,
    SourcesListed,
    Stopped,
    TerminalEvent,
    TextDelta,
    TextReplaced,
    TurnEvent,
)
from deep_chat_proxy.turn.journal import EndedTurn
from deep_chat_proxy.turn.sources import listed
from deep_chat_proxy.turn.states import TurnState, after

Batch = tuple[int, Sequence[TurnEvent]]

# Stands where a text stood that a later `TextReplaced` has made void: each may be as long as an answer.
_VOID = TextDelta("")
_TEXTS = TextDelta | TextReplaced | SourcesListed


class LogCopy(Struct, frozen=True):
    """All that a log holds, for a log in another process that is to be the same: in which events have the same ids."""

    capacity: int
    state: TurnState
    accepted: bool
    last_id: int
    events: tuple[TurnEvent, ...]
    text: str
    text_length: int
    text_id: int
    listed: tuple[int, SourcesListed] | None
    files: tuple[tuple[int, FileReady], ...]
    silent_for: float


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
        self._listed: tuple[int, SourcesListed] | None = None
        self._files: list[tuple[int, FileReady]] = []
        self._takers: dict[asyncio.Future[None], Callable[[], bool]] = {}
        self._heard = time.monotonic()
        self._readers = 0

    @classmethod
    def of_ended(cls, ended: EndedTurn) -> Self:
        """The log of a turn that ended before, as far as that was kept: for whoever has not seen its end, the text
        comes as one.
        """
        log = cls(capacity=1, max_text=len(ended.text))
        log.state = after(TurnState.THINKING, ended.end)
        log.accepted = True
        log._text_length, log._text_id = len(ended.text), ended.text_id
        text = listed(ended.sources)
        if text and ended.text.endswith(text):
            log._listed = (ended.text_id, SourcesListed(text, ended.sources))
        log._text = [ended.text.removesuffix(text)]
        log._files = [(event_id, FileReady(file)) for event_id, file in ended.files]
        log._events.append(ended.end)
        log._last_id = ended.last_id
        return log

    @classmethod
    def of_copy(cls, copy: LogCopy) -> Self:
        """A log that is the same as the one that was copied."""
        # What the other one took is not measured again.
        log = cls(capacity=copy.capacity, max_text=sys.maxsize)
        log.become(copy)
        return log

    def become(self, copy: LogCopy) -> None:
        """Hold what the copied log holds, which is this one later on."""
        self.state, self.accepted = copy.state, copy.accepted
        self._last_id = copy.last_id
        events = (_VOID if event == _VOID else event for event in copy.events)
        self._events = deque(events, maxlen=copy.capacity)
        self._text, self._text_length, self._text_id = [copy.text], copy.text_length, copy.text_id
        self._listed, self._files = copy.listed, list(copy.files)
        self.heard(copy.silent_for)
        self._wake()

    def ended_as(self, turn_id: str, log_id: str) -> EndedTurn:
        """What is to be kept of the turn, now that it has ended."""
        if self.end is None:
            raise ValueError("the turn goes on")
        files = tuple((event_id, ready.file) for event_id, ready in self._files)
        return EndedTurn(
            turn_id, log_id, self._last_id, self.text, self._text_id, files, self.end, self.sources
        )

    @property
    def silent_for(self) -> float:
        """Seconds since the turn was last known to be alive; tools that run are a sign of life."""
        if self.state is TurnState.USING_TOOLS:
            return 0.0
        return time.monotonic() - self._heard

    def heard(self, seconds_ago: float) -> None:
        """The turn was alive so many seconds ago."""
        self._heard = time.monotonic() - seconds_ago

    @property
    def last_id(self) -> int:
        """Id of the newest event, 0 before the first."""
        return self._last_id

    @property
    def text(self) -> str:
        """The text of the answer so far."""
        return self._answer + (self._listed[1].text if self._listed else "")

    @property
    def _answer(self) -> str:
        if len(self._text) > 1:
            self._text = ["".join(self._text)]
        return self._text[0] if self._text else ""

    @property
    def sources(self) -> tuple[Source, ...]:
        """What is listed at the end of the answer."""
        return self._listed[1].sources if self._listed else ()

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
                self._listed = None
                self._text_id = self._last_id + 1
                self._void_texts()
            case SourcesListed(text):
                self._check_length(self._text_length + len(text))
                self._listed = (self._last_id + 1, event)
                self._text_id = self._last_id + 1
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
            if isinstance(event, _TEXTS):
                self._events[index] = _VOID

    def after(self, event_id: int) -> Batch:
        """The id of the newest event, and the events that came after `event_id` (0: all there were)."""
        oldest = self._last_id - len(self._events)
        if event_id < oldest:
            return self.anew(event_id)
        # From the end, which is what those who follow it have not had.
        newer = [self._events[place] for place in range(event_id - self._last_id, 0)]
        return self._last_id, [event for event in newer if event is not _VOID]

    def anew(self, event_id: int) -> Batch:
        """As `after`, with the text from its beginning as one event, where any of it came after `event_id`.

        Somebody whose connection broke may have more of the text than up to the event that they know.
        """
        oldest = self._last_id - len(self._events)
        files = [ready for file_id, ready in self._files if event_id < file_id <= oldest]
        newer = islice(self._events, max(0, event_id - oldest), None)
        others = [event for event in newer if not isinstance(event, _TEXTS)]
        text = self._text_anew() if event_id < self._text_id else []
        began = [Accepted()] if self.accepted and not event_id and oldest else []
        return self._last_id, [*began, *text, *files, *others]

    def _text_anew(self) -> list[TurnEvent]:
        return [TextReplaced(self._answer), *([self._listed[1]] if self._listed else [])]

    def has_all_text_until(self, event_id: int) -> bool:
        """Whether there is text of the answer, and all of it came up to this event."""
        return self._text_length > 0 and self._text_id <= event_id

    def first(self, event_id: int) -> Batch:
        """What somebody is shown first who has had the events until `event_id`; one that this log has not given yet is
        of another turn, and counts as 0.
        """
        if 0 < event_id < self._last_id:
            return self.anew(event_id)
        return self.after(0 if event_id > self._last_id else event_id)

    @property
    def watched(self) -> bool:
        """Whether anybody reads along, rather than wait for the end."""
        return self._readers > 0

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read along."""
        self._readers += 1
        try:
            yield
        finally:
            self._readers -= 1

    async def copied(self) -> AsyncGenerator[LogCopy | Sequence[TurnEvent]]:
        """For a log in another process: all of this one, then what is added, as it comes, until the turn has ended; all
        of it once more where something of that has left the log already.
        """
        known = -1
        while True:
            oldest = self._last_id - len(self._events)
            if known < oldest:
                known = self._last_id
                yield self._copy()
            elif known < self._last_id:
                added = tuple(islice(self._events, known - oldest, None))
                known = self._last_id
                yield added
            elif self.state.ended:
                return
            else:
                await self._news()

    def _copy(self) -> LogCopy:
        return LogCopy(
            capacity=self._events.maxlen or len(self._events),
            state=self.state,
            accepted=self.accepted,
            last_id=self._last_id,
            events=tuple(self._events),
            text=self._answer,
            text_length=self._text_length,
            text_id=self._text_id,
            listed=self._listed,
            files=tuple(self._files),
            silent_for=self.silent_for,
        )

    async def begun(self) -> None:
        """Wait until the back end took the message, or the turn ended before that."""
        while self.state is TurnState.STARTING:
            await self._news()

    async def ended(self) -> None:
        """Wait until the turn has ended."""
        while not self.state.ended:
            await self.while_taken(lambda: True)

    async def while_taken(self, take: Callable[[], bool]) -> None:
        """Have `take` called whenever there is news, by whoever brings it, until it returns False or the turn has ended.
        It must not raise.

        Events that are only to be passed on need no other task to be woken.
        """
        over = asyncio.get_running_loop().create_future()
        self._takers[over] = take
        try:
            await over
        finally:
            del self._takers[over]

    async def _news(self) -> None:
        await self.while_taken(lambda: False)

    def _wake(self) -> None:
        for over, take in self._takers.items():
            if not over.done() and (self.state.ended or not take()):
                over.set_result(None)

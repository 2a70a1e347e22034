"""One opened stream of the back end, read event by event."""

from collections.abc import Sequence

import aiohttp

from deep_chat_proxy.errors import FAILED, ChatError
from deep_chat_proxy.turn.events import TextDelta, TextReplaced
from deep_chat_proxy.turn.ports import Listener
from deep_chat_proxy.upstream.gathering import Hold
from deep_chat_proxy.upstream.reading import AnswerReader
from deep_chat_proxy.upstream.sse import EventDecoder, EventTooLongError, ServerEvent


class EventStream:
    """The events of an answer. What comes before its first words is read at once, and so are those; what follows may
    gather for as long as the clock of all streams has it. Words that come with nothing else are told to `listener`.
    """

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        reader: AnswerReader,
        hold: Hold,
        listener: Listener,
        max_event: int,
    ) -> None:
        self._response = response
        self._reader = reader
        self._hold = hold
        self._listener = listener
        self._decoder = EventDecoder(max_event=max_event)
        self._says_something = False
        self._last = (0, 0)
        self._fault: EventTooLongError | None = None

    def told(self, batch: Sequence[object]) -> bool:
        """What the last events came to; whether the listener was told, so that nothing is left to be passed on."""
        if not self._says_something:
            self._says_something = any(isinstance(event, TextDelta | TextReplaced) for event in batch)
        return len(batch) == 1 and isinstance(batch[0], TextDelta) and self._listener(batch[0])

    async def next(self) -> list[ServerEvent]:
        """The next events, as many as were read; none at the end. Raises ChatError, behind all that came before."""
        while self._fault is None:
            if self._says_something:
                self._gather()
            chunk = await self._reader.next()
            if not chunk:
                return self._decoder.finish()
            events = self._decoded(chunk)
            self._last = len(chunk), len(events)
            if events:
                return events
        raise ChatError(FAILED, str(self._fault)) from self._fault

    def _gather(self) -> None:
        # An answer that is whole has let go of its connection.
        if (connection := self._response.connection) is not None:
            self._hold.gather(connection.transport, *self._last)

    def _decoded(self, chunk: bytes) -> list[ServerEvent]:
        try:
            return self._decoder.feed(chunk)
        except EventTooLongError as fault:
            self._fault = fault
            return fault.before

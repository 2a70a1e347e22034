"""Conversations and responses in memory, and the streams that follow a response."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from deep_chat_proxy.local_openai.event_stream import End, Listener
from deep_chat_proxy.local_openai.responses.objects import Conversation, Item, Response
from deep_chat_proxy.local_openai.responses.shown import shown_response

ACTIVE = frozenset({"queued", "in_progress"})


class ConversationKept:
    """A conversation with its items, oldest first."""

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self.items: dict[str, Item] = {}
        self.answering: ResponseKept | None = None
        """The response that is being made; until it ends the conversation is locked."""

    def add(self, items: list[Item]) -> None:
        self.items.update((item["id"], item) for item in items)


class ResponseKept:
    """A response with everything that is not part of the object.

    `given` are the items that it answers, those from before and the new ones; `frame` writes an event.
    """

    def __init__(
        self,
        response: Response,
        given: tuple[Item, ...],
        *,
        include: frozenset[str],
        replayable: bool,
        frame: Callable[[int, str, dict[str, Any]], bytes],
    ) -> None:
        self.response = response
        self.given = given
        self.new: list[Item] = []
        """Of those that were given, the new ones."""
        self.size = 0
        """Bytes of the requests that made it and what it stands on."""
        self.include = include
        self.container_id: str | None = None
        self.task: asyncio.Task[None] | None = None
        self.cancel_asked = False
        self.cut = False
        """Whether the response has ended without an end: its connection is to be broken."""
        self.silent = False
        """Whether events are kept from the streams, as if the server hung."""
        self.replayable = replayable
        """Whether a stream may begin later."""
        self.log: list[bytes] | None = [] if replayable else None
        """All events so far; None where they are not kept, or not any more."""
        self.ended = asyncio.Event()
        self._frame = frame
        self._number = 0
        self._ended_by: End | None = None
        self._listeners: list[Listener] = []

    @property
    def active(self) -> bool:
        return self.response.status in ACTIVE

    def history(self) -> tuple[Item, ...]:
        """What a response that follows stands on."""
        return (*self.given, *self.response.output)

    def shown(self, include: frozenset[str] | None = None) -> Any:
        """The response for the wire."""
        return shown_response(self.response, self.include if include is None else include)

    def listen(self, after: int = -1) -> Listener:
        """A stream of the events after that number: those that are kept, then those that come."""
        listener = Listener()
        for frame in (self.log or [])[after + 1 :]:
            listener.frames.put_nowait(frame)
        if self._ended_by is None:
            self._listeners.append(listener)
        else:
            listener.frames.put_nowait(self._ended_by)
        return listener

    def leave(self, listener: Listener) -> None:
        """The stream is followed no more."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def emit(self, kind: str, data: dict[str, Any]) -> None:
        """Tell those who listen. The data is written out at once, as the items go on changing."""
        number = self._number
        self._number += 1
        if self.silent or (self.log is None and not self._listeners):
            return
        frame = self._frame(number, kind, data)
        if self.log is not None:
            self.log.append(frame)
        for listener in self._listeners:
            listener.frames.put_nowait(frame)

    def end_streams(self, end: End) -> None:
        """End those that listen now; those that come later go on to the end of the response."""
        for listener in self._listeners:
            listener.frames.put_nowait(end)
        self._listeners.clear()

    def leave_unfinished(self) -> None:
        """Its task is over; where that did not end the response, this does."""
        if self.active and self.cancel_asked:
            self.response.status = "cancelled"
        if not self.ended.is_set():
            self.finish(End.CUT)

    def finish(self, end: End) -> None:
        """The response has ended, and all its streams with it."""
        self._ended_by = end
        self.cut = end is End.CUT
        self.end_streams(end)
        self.ended.set()


def event_writer(*, names: bool, numbers: bool) -> Callable[[int, str, dict[str, Any]], bytes]:
    """How events are written: with `event:` lines and with sequence numbers, or as poorer servers do without."""

    def write(number: int, kind: str, data: dict[str, Any]) -> bytes:
        event = {"type": kind, **({"sequence_number": number} if numbers else {}), **data}
        line = b"event: %s\n" % kind.encode() if names else b""
        return b"%sdata: %s\n\n" % (line, msgspec.json.encode(event))

    return write

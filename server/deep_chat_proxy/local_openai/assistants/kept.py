"""A thread in memory, and its runs with the streams that follow them."""

import asyncio
from typing import Any

import msgspec

from deep_chat_proxy.local_openai.assistants.objects import Message, Run, RunStep, Thread
from deep_chat_proxy.local_openai.brain.actions import MadeFile
from deep_chat_proxy.local_openai.brain.conversation import Answered
from deep_chat_proxy.local_openai.event_stream import End, Listener

ACTIVE = frozenset({"queued", "in_progress", "requires_action", "cancelling"})
"""States in which a run locks its thread."""


class RunKept:
    """A run with everything that is not part of the object; made on the running loop.

    `lifetime` is the number of seconds after which it expires.
    """

    def __init__(self, run: Run, *, lifetime: float, with_search_content: bool = False) -> None:
        self.run = run
        self.steps: dict[str, RunStep] = {}
        self.rounds: list[tuple[Answered, ...]] = []
        self.published: dict[MadeFile, str] = {}
        """Ids of the files that the assistant made in this run."""
        self.with_search_content = with_search_content
        self.deadline = asyncio.get_running_loop().time() + lifetime
        self.task: asyncio.Task[None] | None = None
        self.wake = asyncio.Event()
        """Set when `outputs` or `cancel_asked` has changed."""
        self.cancel_asked = False
        self.outputs: dict[str, str] | None = None
        self.silent = False
        """Whether events are kept from the streams, as if the server hung."""
        self._listeners: list[Listener] = []

    @property
    def active(self) -> bool:
        return self.run.status in ACTIVE

    def listen(self) -> Listener:
        """A stream of the events from now on."""
        listener = Listener()
        self._listeners.append(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """The stream is followed no more."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def emit(self, event: str, data: Any) -> None:
        """Tell those who listen. The data is written out at once, as the object goes on changing."""
        if self._listeners and not self.silent:
            frame = b"event: %s\ndata: %s\n\n" % (event.encode(), msgspec.json.encode(data))
            for listener in self._listeners:
                listener.frames.put_nowait(frame)

    def end_streams(self, end: End) -> None:
        for listener in self._listeners:
            listener.frames.put_nowait(end)
        self._listeners.clear()


class ThreadKept:
    """A thread with its messages and runs, oldest first."""

    def __init__(self, thread: Thread) -> None:
        self.thread = thread
        self.messages: dict[str, Message] = {}
        self.runs: dict[str, RunKept] = {}
        self.taken_in = 0
        """Bytes of the requests that made it what it is."""

    def active_run(self) -> RunKept | None:
        return next((kept for kept in reversed(self.runs.values()) if kept.active), None)

    def add_messages(self, messages: list[Message]) -> None:
        self.messages.update((message.id, message) for message in messages)

    def add_run(self, kept: RunKept, *, most: int) -> None:
        """Add a run, and forget the oldest ones above `most`."""
        self.runs[kept.run.id] = kept
        while len(self.runs) > most:
            del self.runs[next(iter(self.runs))]

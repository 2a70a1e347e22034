"""A back end that follows a script, and what else a turn needs, for tests of everything that plays turns."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TypeVar

from deep_chat_proxy.turn.events import (
    ChatFile,
    Completed,
    FileKind,
    FileMade,
    SourcesListed,
    TerminalEvent,
    TextDelta,
    TextReplaced,
    ToolCall,
    ToolOutput,
    TurnEvent,
    UpstreamEvent,
)
from deep_chat_proxy.turn.held import Held
from deep_chat_proxy.turn.journal import EndedTurn, OpenTurn
from deep_chat_proxy.turn.limits import TurnLimits
from deep_chat_proxy.turn.log import Batch, TurnLog
from deep_chat_proxy.turn.message import Attachment, UserMessage
from deep_chat_proxy.turn.ports import Listener, Thread
from deep_chat_proxy.turn.transcript import Anchor, AnchorKind, Entry, Memory

T = TypeVar("T")

# A batch of events, something to wait for, something to raise, what stands for the thread at the back end from now on,
# or (None) a silence that does not end.
Step = Sequence[UpstreamEvent] | asyncio.Event | BaseException | Anchor | None


async def soon(waited_for: Awaitable[T]) -> T:
    """What should come at once; a test that waits for what never comes fails after twenty seconds."""
    async with asyncio.timeout(20):
        return await waited_for


async def until(true: Callable[[], object]) -> None:
    """Wait, for at most twenty seconds, for what has no event of its own."""
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0)


async def settle() -> None:
    """Let everything run that can run without news from outside."""
    for _ in range(20):
        await asyncio.sleep(0)


class ScriptedTurn:
    """An `UpstreamTurn` on `thread` whose stretches (the start, then one for each round of outputs) are given."""

    def __init__(
        self, *stretches: Sequence[Step], prepare: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self._stretches = iter(stretches)
        self.prepare = prepare
        self.thread: Thread = FakeThread()
        self.submitted: list[list[ToolOutput]] = []
        self.begun = asyncio.Event()
        self.closed = 0
        self.left = 0
        self.may_close = asyncio.Event()
        self.may_close.set()
        self.close_fault: Exception | None = None
        self.generators_open = 0
        self._listener: Listener = lambda _: False
        self.watched: Callable[[], bool] = lambda: False

    def tell(self, listener: Listener, watched: Callable[[], bool]) -> None:
        self._listener, self.watched = listener, watched

    def start(self) -> AsyncGenerator[Sequence[UpstreamEvent]]:
        return self._play(next(self._stretches))

    def submit(self, outputs: Sequence[ToolOutput]) -> AsyncGenerator[Sequence[UpstreamEvent]]:
        self.submitted.append(list(outputs))
        return self._play(next(self._stretches))

    async def leave(self) -> None:
        self.left += 1

    async def close(self) -> None:
        self.closed += 1
        await self.may_close.wait()
        if self.close_fault is not None:
            raise self.close_fault

    async def _play(self, stretch: Sequence[Step]) -> AsyncGenerator[Sequence[UpstreamEvent]]:
        self.generators_open += 1
        try:
            if self.prepare is not None:
                await self.prepare()
            self.begun.set()
            for step in stretch:
                if isinstance(step, asyncio.Event):
                    await step.wait()
                elif isinstance(step, BaseException):
                    raise step
                elif isinstance(step, Anchor):
                    await self.thread.record(anchor=step)
                elif step is None:
                    await asyncio.get_running_loop().create_future()
                elif not (len(step) == 1 and isinstance(step[0], TextDelta) and self._listener(step[0])):
                    yield step
        finally:
            self.generators_open -= 1


class FakeTools:
    """Runs nothing: `outputs` by name, or a function that makes one. `repeatable` are the names of those that may be
    run once more.
    """

    def __init__(
        self, *, repeatable: Collection[str] = (), **outputs: str | Callable[[ToolCall], Awaitable[str]]
    ) -> None:
        self._repeatable = repeatable
        self.outputs = outputs
        self.ran: list[ToolCall] = []

    async def run(self, call: ToolCall) -> ToolOutput:
        self.ran.append(call)
        output = self.outputs.get(call.name)
        if output is None:
            return ToolOutput(call.call_id, "no such tool", ok=False)
        return ToolOutput(call.call_id, output if isinstance(output, str) else await output(call))

    def label(self, name: str) -> str:
        return f"Running {name}"

    def repeatable(self, name: str) -> bool:
        return name in self._repeatable


class FakeThread:
    """A thread that is `upstream_id` at the back end; keeps in memory what a store would."""

    def __init__(self, upstream_id: str | None = None, kind: AnchorKind = AnchorKind.THREAD) -> None:
        self.anchor = Anchor(kind, upstream_id) if upstream_id is not None else None
        self.entries: list[Entry] = []
        self.covered = 0
        self.files: dict[str, bytes] = {}
        self.opened: list[str] = []
        self.checkpoints: list[bytes] = []
        self.left: bytes | None = None
        """The checkpoint of another process that has begun the turn."""
        self.turn_id = "turn-1"
        self.held: list[Held] = []
        self.spared: list[Held] = []
        self.spares = False
        """Whether what a message that failed has left is kept for a while."""

    async def memory(self) -> Memory:
        uploads = {held.content: held.held_id for held in self.held if held.content}
        return Memory(self.anchor, tuple(self.entries), self.covered, checkpoint=self.left, uploads=uploads)

    async def checkpoint(self, body: bytes, *held: Held) -> None:
        self.checkpoints.append(body)
        for each in held:
            await self.hold(each)

    async def hold(self, held: Held) -> None:
        if held not in self.held:
            self.held.append(held)

    async def release(self, held: Held) -> None:
        self.held.remove(held)

    async def reuse(self, held: Held) -> bool:
        return any((held.kind, held.held_id) == (each.kind, each.held_id) for each in self.held)

    async def spare(self, held: Held) -> bool:
        if self.spares:
            self.spared.append(held)
        return self.spares

    async def record(
        self,
        add: Sequence[Entry] = (),
        *,
        anchor: Anchor | None = None,
        covered: bool = False,
        forget: bool = False,
        checkpoint: bytes | None = None,
    ) -> None:
        if checkpoint is not None:
            await self.checkpoint(checkpoint)
        self.entries += add
        if anchor is not None:
            self.anchor = anchor
            self.opened.append(anchor.upstream_id)
        if covered or anchor is not None:
            self.covered = len(self.entries) if covered else 0
        if forget:
            self.entries.clear()
            self.covered = 0

    async def restart(self) -> None:
        self.anchor, self.covered = None, 0
        self.entries.clear()

    async def keep_file(self, attachment: Attachment) -> str:
        self.files[attachment.sha256] = attachment.path.read_bytes()
        return attachment.sha256

    async def read_file(self, key: str) -> bytes | None:
        return self.files.get(key)


class FakeKeeper:
    """Remembers in lists; files get the ids file-1, file-2 … Of the calls of a turn that was picked up, `begun` are
    those that had been begun; the thread is `free` for a turn or not.
    """

    def __init__(self, begun: Mapping[str, ToolOutput | None] | None = None) -> None:
        self.files: list[ChatFile] = []
        self.known: dict[str, ChatFile] = {}
        """Files of the thread by the back end's names for them."""
        self.begun = begun or {}
        self.free = True
        self.outputs: list[ToolOutput] = []
        self.ended: list[tuple[EndedTurn, bool]] = []
        self.asked_to_stop = False

    async def begin(self) -> bool:
        return self.free

    async def stopping(self) -> None:
        self.asked_to_stop = True

    async def end(self, ended: EndedTurn, *, seen: bool) -> None:
        self.ended.append((ended, seen))

    async def begin_calls(
        self, calls: Sequence[ToolCall], *, picked_up: bool
    ) -> Mapping[str, ToolOutput | None]:
        wanted = {call.call_id for call in calls} if picked_up else set()
        return {call_id: output for call_id, output in self.begun.items() if call_id in wanted}

    async def call_ended(self, output: ToolOutput) -> None:
        self.outputs.append(output)

    async def file_made(self, made: FileMade) -> ChatFile:
        await asyncio.sleep(0)
        file = ChatFile(f"file-{len(self.files) + 1}", made.name or "file", made.kind)
        self.files.append(file)
        self.known[made.upstream_id] = file
        return file

    async def known_file(self, upstream_id: str) -> ChatFile | None:
        await asyncio.sleep(0)
        return self.known.get(upstream_id)


def turn_limits(
    *,
    turn: float = 60.0,
    grace: float = 60.0,
    busy_wait: float = 5.0,
    resend: float = 60.0,
    readable: float = 60.0,
    live: int = 10,
    rounds: int = 3,
    log_events: int = 100,
    answer_characters: int = 10_000,
) -> TurnLimits:
    return TurnLimits(turn, grace, busy_wait, resend, readable, live, rounds, log_events, answer_characters)


def opened_turn(
    turn_id: str = "turn-1",
    *,
    thread_id: str = "thread-1",
    text: str = "Hello",
    attachments: tuple[Attachment, ...] = (),
    stopping: bool = False,
    picked_up: bool = False,
) -> OpenTurn:
    message = UserMessage(text, attachments)
    return OpenTurn(turn_id, thread_id, "visitor-1", message, stopping=stopping, picked_up=picked_up)


def ended_turn(
    turn_id: str = "turn-1",
    *,
    text: str = "Hello yourself.",
    files: Sequence[tuple[int, ChatFile]] = (),
    end: TerminalEvent | None = None,
) -> EndedTurn:
    """A turn whose last events were a text, then five others."""
    return EndedTurn(turn_id, turn_id, 7, text, 2, tuple(files), end or Completed())


def csv_made(upstream_id: str = "file-upstream") -> FileMade:
    return FileMade(upstream_id, "data.csv", FileKind.ANY)


def folded(events: Sequence[TurnEvent], before: str = "") -> str:
    """The text that somebody has in front of them after these events."""
    for event in events:
        match event:
            case TextDelta(text) | SourcesListed(text):
                before += text
            case TextReplaced(text):
                before = text
            case _:
                pass
    return before


async def follow(log: TurnLog, event_id: int = 0) -> AsyncGenerator[Batch]:
    """Batches of what comes after `event_id`, for whoever is woken for each, to the end of the turn."""
    seen, events = log.first(event_id)
    if events:
        yield seen, events
    while seen < log.last_id or not log.state.ended:
        if seen == log.last_id:
            await log.while_taken(lambda: False)
        seen, events = log.after(seen)
        yield seen, events


async def followed(log: TurnLog, event_id: int = 0) -> list[TurnEvent]:
    """Everything that a follower gets, to the end of the turn."""
    async with asyncio.timeout(20):
        return [event async for _, batch in follow(log, event_id) for event in batch]


def splits(text: str, cuts: Sequence[int]) -> Iterator[str]:
    """`text` cut at these places, in order and as far as it goes."""
    places = [0, *sorted(cut for cut in set(cuts) if 0 < cut < len(text)), len(text)]
    for start, end in pairwise(places):
        yield text[start:end]

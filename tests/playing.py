"""A back end that follows a script, and what else a turn needs, for tests of everything that plays turns."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from itertools import pairwise
from typing import TypeVar

from deep_chat_proxy.turn.events import (
    ChatFile,
    FileKind,
    FileMade,
    TextDelta,
    TextReplaced,
    ToolCall,
    ToolOutput,
    TurnEvent,
    UpstreamEvent,
)
from deep_chat_proxy.turn.limits import TurnLimits
from deep_chat_proxy.turn.log import TurnLog
from deep_chat_proxy.turn.message import Attachment
from deep_chat_proxy.turn.transcript import Anchor, AnchorKind, Entry, Memory

T = TypeVar("T")

# A batch of events, something to wait for, something to raise, or (None) a silence that does not end.
Step = Sequence[UpstreamEvent] | asyncio.Event | BaseException | None


async def soon(waited_for: Awaitable[T]) -> T:
    """What should come at once; a test that waits for what never comes fails after five seconds."""
    async with asyncio.timeout(5):
        return await waited_for


async def until(true: Callable[[], object]) -> None:
    """Wait, for at most five seconds, for what has no event of its own."""
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0)


async def settle() -> None:
    """Let everything run that can run without news from outside."""
    for _ in range(20):
        await asyncio.sleep(0)


class ScriptedTurn:
    """An `UpstreamTurn` whose stretches (the start, then one for each round of outputs) are given."""

    def __init__(
        self, *stretches: Sequence[Step], prepare: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self._stretches = iter(stretches)
        self._prepare = prepare
        self.submitted: list[list[ToolOutput]] = []
        self.begun = asyncio.Event()
        self.closed = 0
        self.may_close = asyncio.Event()
        self.may_close.set()
        self.close_fault: Exception | None = None
        self.generators_open = 0

    def start(self) -> AsyncGenerator[Sequence[UpstreamEvent]]:
        return self._play(next(self._stretches))

    def submit(self, outputs: Sequence[ToolOutput]) -> AsyncGenerator[Sequence[UpstreamEvent]]:
        self.submitted.append(list(outputs))
        return self._play(next(self._stretches))

    async def close(self) -> None:
        self.closed += 1
        await self.may_close.wait()
        if self.close_fault is not None:
            raise self.close_fault

    async def _play(self, stretch: Sequence[Step]) -> AsyncGenerator[Sequence[UpstreamEvent]]:
        self.generators_open += 1
        try:
            if self._prepare is not None:
                await self._prepare()
            self.begun.set()
            for step in stretch:
                if isinstance(step, asyncio.Event):
                    await step.wait()
                elif isinstance(step, BaseException):
                    raise step
                elif step is None:
                    await asyncio.get_running_loop().create_future()
                else:
                    yield step
        finally:
            self.generators_open -= 1


class FakeTools:
    """Runs nothing: `outputs` by name, or a function that makes one."""

    def __init__(self, **outputs: str | Callable[[ToolCall], Awaitable[str]]) -> None:
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


class FakeThread:
    """A thread that is `upstream_id` at the back end; keeps in memory what a store would."""

    def __init__(self, upstream_id: str | None = None, kind: AnchorKind = AnchorKind.THREAD) -> None:
        self.anchor = Anchor(kind, upstream_id) if upstream_id is not None else None
        self.entries: list[Entry] = []
        self.covered = 0
        self.files: dict[str, bytes] = {}
        self.opened: list[str] = []

    async def memory(self) -> Memory:
        return Memory(self.anchor, tuple(self.entries), self.covered)

    async def record(
        self,
        add: Sequence[Entry] = (),
        *,
        anchor: Anchor | None = None,
        covered: bool = False,
        forget: bool = False,
    ) -> None:
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
    """Remembers in lists; files get the ids file-1, file-2 …"""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.files: list[ChatFile] = []

    async def thread_opened(self, upstream_id: str) -> None:
        self.opened.append(upstream_id)

    async def file_made(self, made: FileMade) -> ChatFile:
        await asyncio.sleep(0)
        file = ChatFile(f"file-{len(self.files) + 1}", made.name or "file", made.kind)
        self.files.append(file)
        return file


def turn_limits(
    *,
    turn: float = 60.0,
    grace: float = 60.0,
    busy_wait: float = 5.0,
    live: int = 10,
    rounds: int = 3,
    log_events: int = 100,
    answer_characters: int = 10_000,
) -> TurnLimits:
    return TurnLimits(turn, grace, busy_wait, live, rounds, log_events, answer_characters)


def csv_made(upstream_id: str = "file-upstream") -> FileMade:
    return FileMade(upstream_id, "data.csv", FileKind.ANY)


def folded(events: Sequence[TurnEvent], before: str = "") -> str:
    """The text that somebody has in front of them after these events."""
    for event in events:
        match event:
            case TextDelta(text):
                before += text
            case TextReplaced(text):
                before = text
            case _:
                pass
    return before


async def followed(log: TurnLog, event_id: int = 0) -> list[TurnEvent]:
    """Everything that a follower gets, to the end of the turn."""
    async with asyncio.timeout(5):
        return [event async for _, batch in log.follow(event_id) for event in batch]


def splits(text: str, cuts: Sequence[int]) -> Iterator[str]:
    """`text` cut at these places, in order and as far as it goes."""
    places = [0, *sorted(cut for cut in set(cuts) if 0 < cut < len(text)), len(text)]
    for start, end in pairwise(places):
        yield text[start:end]

"""`LiveTurns` whose turns follow scripts, and a journal of what other processes have left."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from deep_chat_proxy.errors import ChatError, Problem
from deep_chat_proxy.turn.events import Accepted, Completed, TextDelta
from deep_chat_proxy.turn.journal import EndedTurn, OpenTurn
from deep_chat_proxy.turn.live import LiveTurn
from deep_chat_proxy.turn.message import UserMessage
from deep_chat_proxy.turn.others import Waited
from deep_chat_proxy.turn.turns import LiveTurns
from playing import FakeKeeper, FakeTools, ScriptedTurn, Step, soon, turn_limits
from turn.running import NEVER

ANSWER: list[Step] = [[Accepted(), TextDelta("Hi"), Completed()]]


class FakeJournal:
    """Holds one turn that has ended, or none, and those that processes which are no more have `left`."""

    def __init__(
        self, *, durable: bool = False, ended: EndedTurn | None = None, left: Sequence[OpenTurn] = ()
    ) -> None:
        self.durable = durable
        self.ended = ended
        self.left = list(left)
        self.busy: Callable[[], bool] = bool
        """Whether another process has a turn on the thread."""
        self.asked_within: list[float] = []
        self.seen: list[str] = []

    async def last(self, _: str, within: float) -> EndedTurn | None:
        self.asked_within.append(within)
        return self.ended

    async def unseen(self, _: str, message: UserMessage, within: float) -> EndedTurn | None:
        self.asked_within.append(within)
        return self.ended if message.text == "Unseen" else None

    async def saw(self, turn_id: str) -> None:
        self.seen.append(turn_id)

    async def elsewhere(self, _: str) -> str | None:
        return "other" if self.busy() else None

    async def adopt(self) -> Sequence[OpenTurn]:
        adopted, self.left = self.left, []
        return adopted


class FakeOthers:
    """One other process, which does not answer."""

    async def follow(self, _process: str, _thread_id: str) -> None:
        """It does not answer."""

    async def take(self, _process: str, _thread_id: str, _fingerprint: str, _within: float) -> Waited:
        return Waited.UNKNOWN

    async def stop(self, _process: str, _thread_id: str) -> bool:
        return False

    async def end(self, _process: str, _thread_id: str) -> None:
        """It does not answer."""

    async def close(self, _within: float) -> None:
        """Nothing of it is followed."""


class BenchKeeper(FakeKeeper):
    """A keeper whose thread is free for a turn when no other process has one on it."""

    def __init__(self, bench: "Bench") -> None:
        super().__init__()
        self._bench = bench

    async def begin(self) -> bool:
        await asyncio.sleep(0)
        return self._bench.free

    async def end(self, ended: EndedTurn, *, seen: bool) -> None:
        if self._bench.full:
            raise OSError("disk full")
        await super().end(ended, seen=seen)
        self._bench.free = True


class Bench:
    """`begun` are the turns that were begun, and `upstreams` what they follow, by the texts of their messages;
    `keepers` by their ids.
    """

    def __init__(self, journal: FakeJournal | None = None, **limits: Any) -> None:
        self.journal = journal or FakeJournal()
        self.others = FakeOthers()
        self.turns = LiveTurns(turn_limits(**limits), FakeTools(), self.journal, self._open, self.others)
        self.free = True
        self.journal.busy = lambda: not self.free
        self.full = False
        """Whether the store takes no ends of turns."""
        self.begun: list[str] = []
        self.upstreams: dict[str, ScriptedTurn] = {}
        self.keepers: dict[str, FakeKeeper] = {}

    def _open(self, opened: OpenTurn) -> tuple[ScriptedTurn, FakeKeeper]:
        text = opened.message.text

        async def note() -> None:
            self.begun.append(text)

        upstream = self.upstreams.setdefault(text, ScriptedTurn(NEVER))
        upstream.prepare = note
        keeper = self.keepers[opened.turn_id] = BenchKeeper(self)
        return upstream, keeper

    async def take(
        self, upstream: ScriptedTurn | None = None, thread_id: str = "a", text: str = ""
    ) -> LiveTurn:
        """The turn that answers a message, which is one of its own where it has no text."""
        text = text or f"Message {len(self.upstreams) + 1}"
        if upstream is not None:
            self.upstreams[text] = upstream
        else:
            self.upstreams.setdefault(text, ScriptedTurn(NEVER))
        turn = await soon(self.turns.take(thread_id, "visitor-1", UserMessage(text)))
        assert isinstance(turn, LiveTurn)
        return turn

    async def begin(self, thread_id: str = "a", script: list[Step] = NEVER, text: str = "") -> LiveTurn:
        """As `take`, when the back end has taken the message."""
        turn = await self.take(ScriptedTurn(script), thread_id, text)
        await soon(turn.log.begun())
        return turn

    async def refusal(self, thread_id: str = "a") -> tuple[Problem, ScriptedTurn]:
        """Why a message is not taken."""
        upstream = ScriptedTurn(ANSWER)
        with pytest.raises(ChatError) as raised:
            await self.take(upstream, thread_id)
        return raised.value.problem, upstream


@asynccontextmanager
async def bench_with(journal: FakeJournal | None = None, **limits: Any) -> AsyncIterator[Bench]:
    bench = Bench(journal, **limits)
    try:
        yield bench
    finally:
        for upstream in bench.upstreams.values():
            upstream.may_close.set()
        await soon(bench.turns.close())

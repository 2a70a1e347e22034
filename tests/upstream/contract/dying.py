"""Processes that die in the middle of a turn, and others that pick it up."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import aiohttp
from msgspec.structs import replace

from deep_chat_proxy.store.keeper import StoreKeeper
from deep_chat_proxy.store.processes import Process
from deep_chat_proxy.store.turns import SqliteTurns
from deep_chat_proxy.turn.events import ChatFile, FileMade, ToolCall, ToolOutput, TurnEvent
from deep_chat_proxy.turn.held import Held
from deep_chat_proxy.turn.journal import EndedTurn, OpenTurn
from deep_chat_proxy.turn.log import TurnLog
from deep_chat_proxy.turn.loop import TurnLoop
from deep_chat_proxy.turn.message import Attachment
from deep_chat_proxy.turn.transcript import Anchor, Entry, Memory
from deep_chat_proxy.upstream.client import ApiClient, Call, Endpoint
from upstream.contract.cases import Case
from upstream.contract.talk import FUNCTIONS, Talk
from upstream.playing import WAIT, Tools

T = TypeVar("T")


class DeadError(BaseException):
    """The process is no more; nothing catches this."""


class Fate:
    """Counts the steps of a process: each event that it shows, and the time before and behind each thing that it does
    to the store, to the back end or with a tool. It dies at the step `dies_at`, and nothing happens afterwards.
    """

    def __init__(self, dies_at: int | None = None) -> None:
        self.steps = 0
        self.dead = False
        self._dies_at = dies_at

    def step(self) -> None:
        self.steps += 1
        self.dead = self.dead or self.steps == self._dies_at
        if self.dead:
            raise DeadError

    async def do(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            self.step()
        except DeadError:
            work.close()
            raise
        done = await work
        self.step()
        return done


class MortalKeeper(StoreKeeper):
    """The keeper of a process that may die."""

    def __init__(self, talk: Talk, turns: SqliteTurns, turn: OpenTurn, fate: Fate) -> None:
        super().__init__(talk.store, turns, talk.shelf, turn)
        self._fate = fate

    async def memory(self) -> Memory:
        return await self._fate.do(super().memory())

    async def checkpoint(self, body: bytes, *held: Held) -> None:
        await self._fate.do(super().checkpoint(body, *held))

    async def record(
        self,
        add: Sequence[Entry] = (),
        *,
        anchor: Anchor | None = None,
        covered: bool = False,
        forget: bool = False,
        checkpoint: bytes | None = None,
    ) -> None:
        recorded = super().record(add, anchor=anchor, covered=covered, forget=forget, checkpoint=checkpoint)
        await self._fate.do(recorded)

    async def restart(self) -> None:
        await self._fate.do(super().restart())

    async def keep_file(self, attachment: Attachment) -> str:
        return await self._fate.do(super().keep_file(attachment))

    async def begin(self) -> bool:
        return await self._fate.do(super().begin())

    async def end(self, ended: EndedTurn, *, seen: bool) -> None:
        await self._fate.do(super().end(ended, seen=seen))

    async def begin_calls(
        self, calls: Sequence[ToolCall], *, picked_up: bool
    ) -> Mapping[str, ToolOutput | None]:
        return await self._fate.do(super().begin_calls(calls, picked_up=picked_up))

    async def call_ended(self, output: ToolOutput) -> None:
        await self._fate.do(super().call_ended(output))

    async def file_made(self, made: FileMade) -> ChatFile:
        return await self._fate.do(super().file_made(made))


class MortalClient(ApiClient):
    """The client of a process that may die."""

    def __init__(self, session: aiohttp.ClientSession, endpoint: Endpoint, fate: Fate) -> None:
        super().__init__(session, endpoint)
        self._fate = fate

    async def _request(self, call: Call, body: object, headers: dict[str, str]) -> aiohttp.ClientResponse:
        self._fate.step()
        response = await super()._request(call, body, headers)
        try:
            self._fate.step()
        except DeadError:
            response.close()
            raise
        return response


class MortalTools(Tools):
    """The tools of a process that may die."""

    def __init__(self, fate: Fate, *, may_be_repeated: bool) -> None:
        super().__init__()
        self._fate = fate
        if may_be_repeated:
            self.may_be_repeated = {str(function["name"]) for function in FUNCTIONS}

    async def run(self, call: ToolCall) -> ToolOutput:
        return await self._fate.do(super().run(call))


class Life:
    """One process: `log` is what it showed of the turn, `tools` what it ran."""

    def __init__(
        self, case: Case, talk: Talk, session: aiohttp.ClientSession, fate: Fate, *, may_be_repeated: bool
    ) -> None:
        self.fate = fate
        self.log = TurnLog(capacity=100_000, max_text=1_000_000)
        self.tools = MortalTools(fate, may_be_repeated=may_be_repeated)
        self.turns = SqliteTurns(talk.store.database, Process(None))
        self._dialect = case.make(MortalClient(session, talk.endpoint, fate), FUNCTIONS)
        self._talk = talk

    def _emit(self, events: Sequence[TurnEvent]) -> None:
        for event in events:
            self.log.extend([event])
            self.fate.step()

    async def play(self, turn: OpenTurn) -> None:
        """Play a turn to its end, or until death."""
        keeper = MortalKeeper(self._talk, self.turns, turn, self.fate)
        if not turn.picked_up:
            assert await keeper.begin()
        upstream = self._dialect.turn(keeper, turn.message)
        loop = TurnLoop(upstream, self.tools, keeper, self._emit, max_rounds=8, picked_up=turn.picked_up)
        try:
            await loop.play()
            await upstream.close()
        except BaseException:
            # What a process has open is closed with its death.
            await upstream.leave()
            raise
        await keeper.end(self.log.ended_as(turn.turn_id, turn.turn_id), seen=True)


@asynccontextmanager
async def lived(
    case: Case, talk: Talk, dies_at: int | None = None, *, may_be_repeated: bool = True
) -> AsyncIterator[Life]:
    """A process, whose connections break with its death."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield Life(case, talk, session, Fate(dies_at), may_be_repeated=may_be_repeated)


async def outlive(life: Life, turn: OpenTurn) -> None:
    """Play a turn in a process that may die of it."""
    async with asyncio.timeout(WAIT):
        try:
            await life.play(turn)
        except (DeadError, BaseExceptionGroup):
            assert life.fate.dead


async def had_ended(life: Life, turn: OpenTurn) -> bool:
    ended = await life.turns.last(turn.thread_id, WAIT)
    return ended is not None and ended.turn_id == turn.turn_id


async def picked_up(
    case: Case, talk: Talk, turn: OpenTurn, *deaths: int, may_be_repeated: bool = True
) -> list[Life]:
    """Processes that play a turn one after the other, which die at these steps but for the last; those that the turn
    needed.
    """
    lives: list[Life] = []
    for dies_at in (*deaths, None):
        async with lived(case, talk, dies_at, may_be_repeated=may_be_repeated) as life:
            adopted = await life.turns.adopt()
            if not adopted and await had_ended(life, turn):
                return lives
            # One that was not begun is that of the message when it is sent again.
            lives.append(life)
            await outlive(life, adopted[0] if adopted else replace(turn, picked_up=False))
        if not life.fate.dead:
            return lives
    raise AssertionError("the last process does not die")


def said_by(lives: Sequence[Life]) -> Any:
    """What whoever comes last has in front of them."""
    return lives[-1].log.text, lives[-1].log.end

"""Plays whole turns of the dialect, with tools and a keeper that remember what they were asked."""

import asyncio
from collections.abc import Sequence
from typing import Any, TypeVar

from deep_chat_proxy.errors import ChatError, Problem
from deep_chat_proxy.turn.events import (
    ChatFile,
    Failed,
    FileMade,
    Status,
    TerminalEvent,
    TextReplaced,
    ToolCall,
    ToolOutput,
    TurnEvent,
    joined,
)
from deep_chat_proxy.turn.log import TurnLog
from deep_chat_proxy.turn.loop import TurnLoop
from deep_chat_proxy.turn.message import Attachment, UserMessage
from deep_chat_proxy.turn.ports import Keeper as KeeperPort
from deep_chat_proxy.turn.ports import UpstreamTurn
from deep_chat_proxy.upstream.assistants.dialect import AssistantsDialect
from deep_chat_proxy.upstream.assistants.options import AssistantsOptions
from deep_chat_proxy.upstream.client import ApiClient
from deep_chat_proxy.upstream.pauses import PollPace
from playing import FakeKeeper, FakeThread

P = TypeVar("P", bound="Played")

WAIT = 10
QUICK = PollPace(first=0.001, longest=0.002)


class Tools:
    """Answers each call with its name and arguments."""

    def __init__(self) -> None:
        self.calls: list[ToolCall] = []
        self.may_be_repeated: set[str] = set()

    async def run(self, call: ToolCall) -> ToolOutput:
        self.calls.append(call)
        return ToolOutput(call.call_id, f"{call.name} {call.arguments}")

    def label(self, name: str) -> str:
        return f"Using {name}…"

    def repeatable(self, name: str) -> bool:
        return name in self.may_be_repeated


class Keeper(FakeKeeper):
    """Keeps what was made of files as well."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[FileMade] = []

    async def file_made(self, made: FileMade) -> ChatFile:
        self.made.append(made)
        return await super().file_made(made)


class Played:
    """What came of a turn on `thread`; `problem` is what it failed with, by an event or an exception."""

    def __init__(self, thread: FakeThread | None = None) -> None:
        self.thread = thread or FakeThread()
        self.log = TurnLog(capacity=100_000, max_text=1_000_000)
        self.tools = Tools()
        self.keeper = Keeper()
        self.error: ChatError | None = None

    @property
    def events(self) -> Sequence[TurnEvent]:
        """What was shown; how its text was cut by the network is left out."""
        return joined(self.log.after(0)[1])

    @property
    def text(self) -> str:
        return self.log.text

    @property
    def end(self) -> TerminalEvent | None:
        return self.log.end

    @property
    def problem(self) -> Problem | None:
        if isinstance(self.end, Failed):
            return self.end.problem
        return self.error.problem if self.error else None

    @property
    def statuses(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Status)]

    @property
    def said_anew(self) -> bool:
        """Whether text that was shown had to be taken back."""
        return any(isinstance(event, TextReplaced) for event in self.events)


def dialect_of(
    client: ApiClient, *, functions: Sequence[dict[str, Any]] = (), **options: Any
) -> AssistantsDialect:
    """The dialect for `asst_1`; `options` set fields of AssistantsOptions."""
    given = {"assistant_id": "asst_1", "pace": QUICK, **options}
    return AssistantsDialect(client, AssistantsOptions(**given), functions)


async def play_out(
    played: P, turn: UpstreamTurn, keeper: KeeperPort | None = None, *, max_rounds: int = 5
) -> P:
    """Play a turn to its end into `played`, whose keeper is `keeper` where it is not its own, and close it."""
    loop = TurnLoop(turn, played.tools, keeper or played.keeper, played.log.extend, max_rounds=max_rounds)
    async with asyncio.timeout(WAIT):
        try:
            await loop.play()
        except ChatError as fault:
            played.error = fault
        finally:
            await turn.close()
    return played


async def play_turn(turn: UpstreamTurn, *, max_rounds: int = 5) -> Played:
    """Play a turn to its end and close it."""
    return await play_out(Played(), turn, max_rounds=max_rounds)


async def play(
    dialect: AssistantsDialect,
    text: str = "Hello",
    *,
    thread_id: str | None = None,
    thread: FakeThread | None = None,
    attachments: Sequence[Attachment] = (),
) -> Played:
    """Send a message and play its turn to the end."""
    thread = thread or FakeThread(thread_id)
    turn = dialect.turn(thread, UserMessage(text, tuple(attachments)))
    return await play_out(Played(thread), turn)

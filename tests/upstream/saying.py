"""Says things to a back end in any dialect, on a thread that remembers as the store does."""

import asyncio

from deep_chat_proxy.turn.events import ChatFile, FileMade, TerminalEvent
from deep_chat_proxy.turn.message import Attachment, UserMessage
from deep_chat_proxy.turn.ports import Dialect, Thread, UpstreamTurn
from deep_chat_proxy.turn.transcript import AnchorKind, Entry
from playing import FakeThread
from upstream.playing import Keeper, Played, play_out

WEATHER = {"name": "get_weather", "description": "The weather.", "parameters": {"type": "object"}}


class RememberingThread(FakeThread):
    """Begins with these entries, of which the first `covered` are at the back end; files stay in memory."""

    def __init__(
        self,
        *entries: Entry,
        anchor: str | None = None,
        kind: AnchorKind = AnchorKind.CONVERSATION,
        covered: int = 0,
    ) -> None:
        super().__init__(anchor, kind)
        self.entries += entries
        self.covered = covered

    async def keep_file(self, attachment: Attachment) -> str:
        key = f"kept-{len(self.files)}"
        self.files[key] = await asyncio.to_thread(attachment.path.read_bytes)
        return key


class ReadingKeeper(Keeper):
    """Reads the files that come with their content; None for one that does not."""

    def __init__(self) -> None:
        super().__init__()
        self.contents: list[bytes | None] = []

    async def file_made(self, made: FileMade) -> ChatFile:
        self.contents.append(None if made.path is None else await asyncio.to_thread(made.path.read_bytes))
        return await super().file_made(made)


class Answer(Played):
    """What came of a turn."""

    def __init__(self) -> None:
        super().__init__()
        self.keeper: ReadingKeeper = ReadingKeeper()

    @property
    def outcome(self) -> tuple[str, TerminalEvent | None]:
        return self.text, self.end


async def answer_of(turn: UpstreamTurn, *, max_rounds: int = 5) -> Answer:
    """Play a turn to its end and close it."""
    return await play_out(Answer(), turn, max_rounds=max_rounds)


async def say(
    dialect: Dialect, text: str = "Hello", *attachments: Attachment, thread: Thread | None = None
) -> Answer:
    """Send a message and play its turn to the end."""
    return await answer_of(dialect.turn(thread or RememberingThread(), UserMessage(text, attachments)))

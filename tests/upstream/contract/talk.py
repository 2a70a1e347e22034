"""A conversation of one visitor with a back end: the dialect, the real store and the tool loop, without a page."""

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

from deep_chat_proxy.errors import ChatError
from deep_chat_proxy.local_openai.state import LocalState
from deep_chat_proxy.store.keeper import StoreKeeper
from deep_chat_proxy.store.processes import Process
from deep_chat_proxy.store.records import ThreadRecord
from deep_chat_proxy.store.shelf import Shelf
from deep_chat_proxy.store.sqlite import SqliteStore
from deep_chat_proxy.store.turns import SqliteTurns
from deep_chat_proxy.turn.events import FileKind, ToolCallsRequested
from deep_chat_proxy.turn.journal import OpenTurn
from deep_chat_proxy.turn.message import Attachment, UserMessage
from deep_chat_proxy.turn.ports import UpstreamTurn
from deep_chat_proxy.upstream.client import Endpoint
from playing import ended_turn
from upstream.playing import WAIT, Played, Tools, play_out

WEATHER = {
    "name": "get_weather",
    "description": "The weather of a place.",
    "parameters": {
        "type": "object",
        "properties": {"location": {"type": "string"}, "unit": {"type": "string"}},
        "required": ["location"],
    },
}
PONDER = {"name": "ponder", "description": "Thinks.", "parameters": {"type": "object", "properties": {}}}
FUNCTIONS = (WEATHER, PONDER)


class Talk:
    """One thread; `say` is a turn from its message to its end, `cut` one that is left in its middle."""

    def __init__(
        self,
        dialect: Any,
        store: SqliteStore,
        shelf: Shelf,
        thread: ThreadRecord,
        state: LocalState,
        folder: Path,
        endpoint: Endpoint,
    ) -> None:
        self.dialect = dialect
        self.endpoint = endpoint
        self.store = store
        self.turns = SqliteTurns(store.database, Process(None))
        self.shelf = shelf
        self.thread = thread
        self.state = state
        self._folder = folder
        self._files = 0

    def at(self, dialect: Any, state: LocalState | None = None, endpoint: Endpoint | None = None) -> "Talk":
        """The same thread, as another dialect or back end goes on with it."""
        return self._as(self.thread, dialect, state or self.state, endpoint or self.endpoint)

    async def another(self) -> "Talk":
        """Another thread with the same back end."""
        thread = ThreadRecord(secrets.token_urlsafe(8), "visitor")
        await self.store.add_thread(thread)
        return self._as(thread, self.dialect, self.state, self.endpoint)

    def _as(self, thread: ThreadRecord, dialect: Any, state: LocalState, endpoint: Endpoint) -> "Talk":
        return Talk(dialect, self.store, self.shelf, thread, state, self._folder, endpoint)

    def opened(self, text: str, *attachments: Attachment) -> OpenTurn:
        """A new turn."""
        message = UserMessage(text, attachments)
        return OpenTurn(secrets.token_hex(6), self.thread.thread_id, self.thread.visitor, message)

    def keeper(self, opened: OpenTurn) -> StoreKeeper:
        return StoreKeeper(self.store, self.turns, self.shelf, opened)

    def file(self, name: str, data: bytes, media_type: str, kind: FileKind = FileKind.ANY) -> Attachment:
        """A file as the server has spooled it."""
        self._files += 1
        path = self._folder / f"spooled-{self._files}"
        path.write_bytes(data)
        return Attachment(path, name, media_type, kind, len(data), hashlib.sha256(data).hexdigest())

    def turn(self, text: str, *attachments: Attachment) -> UpstreamTurn:
        opened = self.opened(text, *attachments)
        turn: UpstreamTurn = self.dialect.turn(self.keeper(opened), opened.message)
        return turn

    async def say(self, text: str, *attachments: Attachment) -> Played:
        """Play a turn to its end."""
        opened = self.opened(text, *attachments)
        keeper = self.keeper(opened)
        assert await keeper.begin()
        turn: UpstreamTurn = self.dialect.turn(keeper, opened.message)
        played = await play_out(Played(), turn, keeper, max_rounds=8)
        await keeper.end(ended_turn(opened.turn_id), seen=True)
        return played

    async def cut(self, text: str, after: int, *attachments: Attachment) -> int:
        """Leave a turn after so many events, as a visitor does who stops it; returns how many there were till then.

        Outputs of tools are given at once, so all rounds are counted through.
        """
        turn = self.turn(text, *attachments)
        seen = 0
        async with asyncio.timeout(WAIT):
            try:
                seen = await self._follow(turn, after)
            except ChatError:
                seen = after
            finally:
                await turn.close()
        return seen

    async def _follow(self, turn: UpstreamTurn, most: int) -> int:
        seen = 0
        tools = Tools()
        stream = turn.start()
        while True:
            calls: ToolCallsRequested | None = None
            async with aclosing(stream):
                async for batch in stream:
                    for event in batch:
                        if seen >= most:
                            return seen
                        seen += 1
                        calls = event if isinstance(event, ToolCallsRequested) else None
            if calls is None:
                return seen
            stream = turn.submit([await tools.run(call) for call in calls.calls])

    def active(self) -> Sequence[object]:
        """What still goes on at the back end."""
        return [*self.state.active_runs(), *self.state.active_responses()]


Make = Callable[..., Awaitable[Talk]]

"""One turn's hold on the store: implements the turn's `Thread` and `Keeper` ports."""

import secrets
from collections.abc import Mapping, Sequence

from deep_chat_proxy.store.records import FileRecord, Store
from deep_chat_proxy.store.shelf import Shelf
from deep_chat_proxy.store.turns import SqliteTurns
from deep_chat_proxy.turn.events import ChatFile, FileKind, FileMade, ToolCall, ToolOutput
from deep_chat_proxy.turn.filenames import safe_name
from deep_chat_proxy.turn.journal import EndedTurn, OpenTurn
from deep_chat_proxy.turn.message import Attachment
from deep_chat_proxy.turn.transcript import Anchor, Entry, Memory

_DEFAULT_NAMES = {FileKind.IMAGE: "image.png", FileKind.AUDIO: "audio", FileKind.ANY: "file"}
# More than a back end is sent of one conversation; bytes.
_MOST_READ = 8 * 1024 * 1024


class StoreKeeper:
    """The `turn` and its thread in the store; what no back end keeps goes onto the `shelf`."""

    def __init__(self, store: Store, turns: SqliteTurns, shelf: Shelf, turn: OpenTurn) -> None:
        self._store = store
        self._turns = turns
        self._shelf = shelf
        self._turn = turn

    @property
    def turn_id(self) -> str:
        """As in `Thread`."""
        return self._turn.turn_id

    async def memory(self) -> Memory:
        """As in `Thread`."""
        return await self._store.memory(self._turn.thread_id, self._turn.turn_id, _MOST_READ)

    async def checkpoint(self, body: bytes) -> None:
        """As in `Thread`."""
        await self._turns.checkpoint(self._turn.turn_id, body)

    async def record(
        self,
        add: Sequence[Entry] = (),
        *,
        anchor: Anchor | None = None,
        covered: bool = False,
        forget: bool = False,
    ) -> None:
        """As in `Thread`."""
        turn = self._turn
        await self._store.record(
            turn.thread_id, turn.turn_id, add, anchor=anchor, covered=covered, forget=forget
        )

    async def restart(self) -> None:
        """As in `Thread`."""
        await self._store.restart(self._turn.thread_id)

    async def keep_file(self, attachment: Attachment) -> str:
        """As in `Thread`."""
        return await self._shelf.copy(attachment.path)

    async def read_file(self, key: str) -> bytes | None:
        """As in `Thread`."""
        return await self._shelf.read(key)

    async def begin(self) -> bool:
        """As in `Keeper`."""
        return await self._turns.begin(self._turn)

    async def stopping(self) -> None:
        """As in `Keeper`."""
        await self._turns.stopping(self._turn.turn_id)

    async def end(self, ended: EndedTurn, *, seen: bool) -> None:
        """As in `Keeper`."""
        await self._turns.end(ended, seen=seen)

    async def begin_calls(
        self, calls: Sequence[ToolCall], *, picked_up: bool
    ) -> Mapping[str, ToolOutput | None]:
        """As in `Keeper`."""
        return await self._turns.begin_calls(self._turn.turn_id, calls, picked_up=picked_up)

    async def call_ended(self, output: ToolOutput) -> None:
        """As in `Keeper`."""
        await self._turns.call_ended(self._turn.turn_id, output)

    async def file_made(self, made: FileMade) -> ChatFile:
        """As in `Keeper`. One that was told of before is the same file: its turn was picked up, or asked once more."""
        before = (
            await self._store.file_made(self._turn.thread_id, made.upstream_id) if made.upstream_id else None
        )
        if before is not None:
            return ChatFile(before.file_id, before.name, before.kind)
        name = safe_name(made.name) if made.name else _DEFAULT_NAMES[made.kind]
        file_id = secrets.token_urlsafe(16)
        key = None if made.path is None else await self._shelf.take(made.path)
        turn = self._turn
        await self._store.add_file(
            FileRecord(file_id, turn.thread_id, turn.visitor, made.upstream_id, name, made.kind, key)
        )
        return ChatFile(file_id, name, made.kind)

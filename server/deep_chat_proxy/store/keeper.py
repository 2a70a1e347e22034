"""One turn's hold on the store: implements the turn's `Thread` and `Keeper` ports."""

import logging
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from sqlite3 import Connection

from deep_chat_proxy.store.holding import on_shelf
from deep_chat_proxy.store.memory import read_memory
from deep_chat_proxy.store.records import FileRecord, Store
from deep_chat_proxy.store.shelf import Shelf
from deep_chat_proxy.store.titles import Titles
from deep_chat_proxy.store.turns import SqliteTurns
from deep_chat_proxy.turn.events import ChatFile, Failed, FileKind, FileMade, ToolCall, ToolOutput
from deep_chat_proxy.turn.filenames import safe_name
from deep_chat_proxy.turn.held import Held, HeldKind
from deep_chat_proxy.turn.journal import EndedTurn, OpenTurn
from deep_chat_proxy.turn.message import Attachment
from deep_chat_proxy.turn.transcript import Anchor, Entry, Memory

logger = logging.getLogger("deep_chat_proxy.store")

_DEFAULT_NAMES = {FileKind.IMAGE: "image.png", FileKind.AUDIO: "audio", FileKind.ANY: "file"}
# More than a back end is sent of one conversation; bytes.
_MOST_READ = 8 * 1024 * 1024
# Of a turn whose files were the reason.
_REFUSED = frozenset({413, 415})


class StoreKeeper:
    """The `turn` and its thread in the store; what no back end keeps goes onto the `shelf`. What a message that failed
    has left at the back end is kept `spare` seconds.
    """

    def __init__(
        self,
        store: Store,
        turns: SqliteTurns,
        shelf: Shelf,
        turn: OpenTurn,
        *,
        titles: Titles | None = None,
        spare: float = 0.0,
    ) -> None:
        self._store = store
        self._turns = turns
        self._shelf = shelf
        self._turn = turn
        self._titles = titles
        self._spare = spare
        self._keys: dict[str, str] = {}
        self._memory: Memory | None = None

    @property
    def turn_id(self) -> str:
        """As in `Thread`."""
        return self._turn.turn_id

    async def memory(self) -> Memory:
        """As in `Thread`. What was read where the turn began is true until the turn itself writes something."""
        known, self._memory = self._memory, None
        return known or await self._store.memory(self._turn.thread_id, self._turn.turn_id, _MOST_READ)

    async def checkpoint(self, body: bytes, *held: Held) -> None:
        """As in `Thread`."""
        self._memory = None
        await self._turns.checkpoint(self._turn, body, *held)

    async def hold(self, held: Held) -> None:
        """As in `Thread`."""
        self._memory = None
        await self._store.hold(self._turn.thread_id, held)

    async def reuse(self, held: Held) -> bool:
        """As in `Thread`."""
        return await self._store.reuse(self._turn.thread_id, held)

    async def release(self, held: Held) -> None:
        """As in `Thread`."""
        self._memory = None
        await self._store.release(self._turn.thread_id, held)

    async def spare(self, held: Held) -> bool:
        """As in `Thread`."""
        if self._spare <= 0:
            return False
        await self._store.leave(held, time.time() + self._spare)
        return True

    async def record(
        self,
        add: Sequence[Entry] = (),
        *,
        anchor: Anchor | None = None,
        covered: bool = False,
        forget: bool = False,
        checkpoint: bytes | None = None,
    ) -> None:
        """As in `Thread`."""
        self._memory = None
        turn = self._turn
        await self._store.record(
            turn.thread_id,
            turn.turn_id,
            add,
            anchor=anchor,
            covered=covered,
            forget=forget,
            checkpoint=checkpoint,
        )

    async def restart(self) -> None:
        """As in `Thread`."""
        self._memory = None
        await self._store.restart(self._turn.thread_id)

    async def keep_file(self, attachment: Attachment) -> str:
        """As in `Thread`. It is the same copy that the visitor is shown."""
        key = self._keys.get(attachment.sha256)
        if key is None:
            key = self._keys[attachment.sha256] = await self._shelf.copy(attachment.path)
            await self._store.hold(self._turn.thread_id, on_shelf(key))
        return key

    async def read_file(self, key: str) -> bytes | None:
        """As in `Thread`."""
        return await self._shelf.read(key)

    async def begin(self) -> bool:
        """As in `Keeper`."""
        begun = await self._turns.begin(self._turn, self._remember)
        if begun and self._titles is not None:
            self._titles.begin(self._turn)
        if begun and self._turn.message.attachments:
            await self._keep_attachments()
        return begun

    def _remember(self, connection: Connection) -> None:
        self._memory = read_memory(connection, self._turn.thread_id, self._turn.turn_id, _MOST_READ)

    async def _keep_attachments(self) -> None:
        """The visitor finds in the thread what they sent."""
        try:
            await self._turns.keep_files(
                self._turn, [await self._kept(attachment) for attachment in self._turn.message.attachments]
            )
        except OSError as fault:
            # The message itself is none the worse.
            logger.warning("turn %s: its files are not kept: %s", self.turn_id, type(fault).__name__)

    async def _kept(self, attachment: Attachment) -> FileRecord:
        key = self._keys[attachment.sha256] = await self._shelf.copy(attachment.path)
        turn = self._turn
        return FileRecord(
            secrets.token_urlsafe(16),
            *(turn.thread_id, turn.visitor, ""),
            attachment.name,
            attachment.kind,
            key,
            attachment.identity,
        )

    async def stopping(self) -> None:
        """As in `Keeper`."""
        await self._turns.stopping(self._turn.turn_id)

    async def end(self, ended: EndedTurn, *, seen: bool) -> None:
        """As in `Keeper`."""
        await self._turns.end(ended, seen=seen)
        if isinstance(ended.end, Failed) and ended.end.problem.status in _REFUSED:
            for key in await self._turns.drop_files(self._turn):
                await self._shelf.remove(key)

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
        before = await self.known_file(made.upstream_id)
        if before is not None:
            return before
        name = _name(made)
        file_id = secrets.token_urlsafe(16)
        key = None if made.path is None else await self._shelf.take(made.path)
        turn = self._turn
        record = FileRecord(file_id, turn.thread_id, turn.visitor, made.upstream_id, name, made.kind, key)
        await self._store.add_file(record, *_held_for(record))
        return ChatFile(file_id, name, made.kind)

    async def known_file(self, upstream_id: str) -> ChatFile | None:
        """As in `Keeper`."""
        known = await self._store.file_made(self._turn.thread_id, upstream_id) if upstream_id else None
        return None if known is None else ChatFile(known.file_id, known.name, known.kind)


def _name(made: FileMade) -> str:
    """What a file is called for the visitor. Back ends call some by their own ids."""
    name = safe_name(made.name) if made.name else ""
    # Of one in a container, behind the container's.
    own_id = re.split(r"[^!-~]", made.upstream_id)[-1]
    if not name or (own_id and name.startswith(own_id)):
        return _DEFAULT_NAMES[made.kind]
    return name


def _held_for(file: FileRecord) -> tuple[Held, ...]:
    """What of a made file is to be deleted with its thread. One in a container goes with that, after minutes."""
    if file.key is not None:
        return (on_shelf(file.key),)
    return (Held(HeldKind.FILE, file.upstream_id),) if file.upstream_id.isprintable() else ()

"""One thread as a turn sees it: implements the turn's `Thread` and `Keeper` ports on the store."""

import secrets
from collections.abc import Sequence

from deep_chat_proxy.store.records import FileRecord, Store, ThreadRecord
from deep_chat_proxy.store.shelf import Shelf
from deep_chat_proxy.turn.events import ChatFile, FileKind, FileMade
from deep_chat_proxy.turn.filenames import safe_name
from deep_chat_proxy.turn.message import Attachment
from deep_chat_proxy.turn.transcript import Anchor, AnchorKind, Entry, Memory

_DEFAULT_NAMES = {FileKind.IMAGE: "image.png", FileKind.AUDIO: "audio", FileKind.ANY: "file"}
# More than a back end is sent of one conversation; bytes.
_MOST_READ = 8 * 1024 * 1024


class StoreKeeper:
    """The thread `thread` for a turn; what no back end keeps goes onto the `shelf`."""

    def __init__(self, store: Store, shelf: Shelf, thread: ThreadRecord) -> None:
        self._store = store
        self._shelf = shelf
        self._thread = thread

    async def memory(self) -> Memory:
        """As in `Thread`."""
        return await self._store.memory(self._thread.thread_id, _MOST_READ)

    async def record(
        self,
        add: Sequence[Entry] = (),
        *,
        anchor: Anchor | None = None,
        covered: bool = False,
        forget: bool = False,
    ) -> None:
        """As in `Thread`."""
        await self._store.record(self._thread.thread_id, add, anchor=anchor, covered=covered, forget=forget)

    async def restart(self) -> None:
        """As in `Thread`."""
        await self._store.restart(self._thread.thread_id)

    async def keep_file(self, attachment: Attachment) -> str:
        """As in `Thread`."""
        return await self._shelf.copy(attachment.path)

    async def read_file(self, key: str) -> bytes | None:
        """As in `Thread`."""
        return await self._shelf.read(key)

    async def thread_opened(self, upstream_id: str) -> None:
        """As in `Keeper`."""
        await self.record(anchor=Anchor(AnchorKind.THREAD, upstream_id), covered=True, forget=True)

    async def file_made(self, made: FileMade) -> ChatFile:
        """As in `Keeper`."""
        name = safe_name(made.name) if made.name else _DEFAULT_NAMES[made.kind]
        file_id = secrets.token_urlsafe(16)
        key = None if made.path is None else await self._shelf.take(made.path)
        await self._store.add_file(
            FileRecord(
                file_id, self._thread.thread_id, self._thread.visitor, made.upstream_id, name, made.kind, key
            )
        )
        return ChatFile(file_id, name, made.kind)

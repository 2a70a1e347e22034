"""One thread as a turn sees it: implements the turn's `Thread` and `Keeper` ports on the store."""

import secrets

from deep_chat_proxy.store.records import FileRecord, Store, ThreadRecord
from deep_chat_proxy.turn.events import ChatFile, FileKind, FileMade
from deep_chat_proxy.turn.filenames import safe_name

_DEFAULT_NAMES = {FileKind.IMAGE: "image.png", FileKind.AUDIO: "audio", FileKind.ANY: "file"}


class StoreKeeper:
    """The thread `thread` for a turn that is spoken in `dialect`."""

    def __init__(self, store: Store, thread: ThreadRecord, dialect: str) -> None:
        self._store = store
        self._thread = thread
        self._dialect = dialect

    async def upstream_id(self) -> str | None:
        """As in `Thread`; a thread of another dialect has no counterpart at this back end."""
        thread = await self._store.thread(self._thread.thread_id)
        return thread.upstream_id if thread is not None and thread.dialect == self._dialect else None

    async def thread_opened(self, upstream_id: str) -> None:
        """As in `Keeper`."""
        await self._store.set_upstream(self._thread.thread_id, self._dialect, upstream_id)

    async def file_made(self, made: FileMade) -> ChatFile:
        """As in `Keeper`."""
        name = safe_name(made.name) if made.name else _DEFAULT_NAMES[made.kind]
        file_id = secrets.token_urlsafe(16)
        await self._store.add_file(
            FileRecord(
                file_id, self._thread.thread_id, self._thread.visitor, made.upstream_id, name, made.kind
            )
        )
        return ChatFile(file_id, name, made.kind)

"""The embedded store: threads, what was said on them, and files, in SQLite."""

import time
from collections.abc import Sequence
from sqlite3 import Connection
from typing import Self

import msgspec

from deep_chat_proxy.errors import THREAD_NOT_FOUND, TOO_MANY_THREADS, ChatError
from deep_chat_proxy.store import holding
from deep_chat_proxy.store.database import Database, Row, rows
from deep_chat_proxy.store.memory import read_memory
from deep_chat_proxy.store.records import FileRecord, ThreadRecord
from deep_chat_proxy.turn.events import FileKind
from deep_chat_proxy.turn.held import Held, HeldKind
from deep_chat_proxy.turn.transcript import Anchor, Entry, Memory

_ADD_THREAD = "INSERT INTO thread (thread_id, visitor, used_at) VALUES (?, ?, ?)"
_COUNT = "SELECT COUNT(*) FROM thread WHERE visitor = ?"
_CLEAR_EMPTY = "DELETE FROM thread WHERE visitor = ? AND title IS NULL"
_FORGET = "DELETE FROM entry WHERE thread_id = ? AND turn_id IS NOT ?"
_NO_ANCHOR = "UPDATE thread SET anchor = NULL, upstream_id = NULL, newest = NULL WHERE thread_id = ?"
_ANCHOR = "UPDATE thread SET anchor = ?, upstream_id = ?, newest = ?, covered = 0 WHERE thread_id = ?"
_FILE = "SELECT file_id, thread_id, visitor, upstream_id, name, kind, key, content FROM file"
# What a visitor sent has its name at the back end, if any, in `held`.
_CALLED = """
thread_id = ?1 AND (upstream_id = ?2 OR content = (
    SELECT content FROM held WHERE thread_id = ?1 AND kind = 'file' AND held_id = ?2 AND content <> ''
))
"""
_ADD_FILE = """
INSERT INTO file (file_id, thread_id, visitor, upstream_id, name, kind, key, content)
SELECT ?1, thread_id, visitor, ?3, ?4, ?5, ?6, ?7 FROM thread WHERE thread_id = ?2
"""
# What is added after a restart or a forgetting comes after everything that was covered before.
_ADD = """
INSERT INTO entry (thread_id, position, body, turn_id)
SELECT ?1, MAX(COALESCE(MAX(position), 0), (SELECT covered FROM thread WHERE thread_id = ?1)) + 1, ?2, ?3
FROM entry WHERE thread_id = ?1
"""
_COVER = """
UPDATE thread SET covered = COALESCE((SELECT MAX(position) FROM entry WHERE thread_id = ?1), covered)
WHERE thread_id = ?1
"""


class SqliteStore:
    """Implements `Store`. Every call is a transaction of its own. A visitor can have `most_threads`."""

    def __init__(self, database: Database, most_threads: int) -> None:
        self.database = database
        self._most_threads = most_threads

    @classmethod
    async def open(cls, where: str, *, most_threads: int = 500) -> Self:
        """Open the file `where` (made with its folder if missing), or `:memory:`. Raises OSError."""
        return cls(await Database.open(where), most_threads)

    async def add_thread(self, thread: ThreadRecord) -> None:
        """As in `Store`."""

        def write(connection: Connection) -> None:
            ((count,),) = rows(connection, _COUNT, (thread.visitor,))
            # Those without a message make room.
            if (
                count >= self._most_threads
                and not connection.execute(_CLEAR_EMPTY, (thread.visitor,)).rowcount
            ):
                raise ChatError(TOO_MANY_THREADS, f"{count} threads")
            connection.execute(_ADD_THREAD, (thread.thread_id, thread.visitor, thread.used_at or time.time()))

        await self.database.write(write)

    async def thread(self, thread_id: str) -> ThreadRecord | None:
        """As in `Store`."""
        found = await self.database.read(
            "SELECT thread_id, visitor, used_at FROM thread WHERE thread_id = ?", (thread_id,)
        )
        return next((ThreadRecord(*row) for row in found), None)

    async def memory(self, thread_id: str, turn_id: str, most: int) -> Memory:
        """As in `Store`."""
        return await self.database.look(lambda connection: read_memory(connection, thread_id, turn_id, most))

    async def record(
        self,
        thread_id: str,
        turn_id: str,
        add: Sequence[Entry] = (),
        *,
        anchor: Anchor | None = None,
        covered: bool = False,
        forget: bool = False,
        checkpoint: bytes | None = None,
    ) -> None:
        """As in `Store`."""

        def write(connection: Connection) -> None:
            require_thread(connection, thread_id)
            for entry in add:
                connection.execute(_ADD, (thread_id, msgspec.json.encode(entry), turn_id))
            if anchor is not None:
                connection.execute(_ANCHOR, (anchor.kind.value, anchor.upstream_id, anchor.newest, thread_id))
                held = Held(HeldKind(anchor.kind.value), anchor.upstream_id)
                holding.hold(connection, thread_id, [held])
            if covered:
                connection.execute(_COVER, (thread_id,))
            if forget:
                connection.execute(_FORGET, (thread_id, turn_id))
            if checkpoint is not None:
                keep_checkpoint(connection, turn_id, checkpoint)

        await self.database.write(write)

    async def restart(self, thread_id: str) -> None:
        """As in `Store`."""

        def write(connection: Connection) -> None:
            connection.execute("DELETE FROM entry WHERE thread_id = ?", (thread_id,))
            connection.execute(_NO_ANCHOR, (thread_id,))

        await self.database.write(write)

    async def add_file(self, file: FileRecord, *held: Held) -> None:
        """As in `Store`."""

        def write(connection: Connection) -> None:
            add_file(connection, file)
            holding.hold(connection, file.thread_id, held)

        await self.database.write(write)

    async def hold(self, thread_id: str, *held: Held) -> None:
        """As in `Store`."""
        await self.database.write(lambda connection: holding.hold(connection, thread_id, held))

    async def release(self, thread_id: str, held: Held) -> None:
        """As in `Store`."""
        statement = "DELETE FROM held WHERE thread_id = ? AND kind = ? AND held_id = ?"
        await self.database.insert(statement, (thread_id, held.kind.value, held.held_id))

    async def reuse(self, thread_id: str, held: Held) -> bool:
        """As in `Store`."""
        return await self.database.write(lambda connection: holding.stay(connection, thread_id, held))

    async def leave(self, held: Held, due_at: float) -> None:
        """As in `Store`."""
        await self.database.write(lambda connection: holding.leave(connection, held, due_at))

    async def file_made(self, thread_id: str, upstream_id: str) -> FileRecord | None:
        """As in `Store`."""
        return await self._file(_CALLED, (thread_id, upstream_id))

    async def file(self, file_id: str) -> FileRecord | None:
        """As in `Store`."""
        return await self._file("file_id = ?", (file_id,))

    async def _file(self, where: str, values: Sequence[object]) -> FileRecord | None:
        found = await self.database.read(f"{_FILE} WHERE {where} LIMIT 1", values)
        return next(
            (_file(row) for row in found),
            None,
        )

    async def close(self) -> None:
        """As in `Store`."""
        await self.database.close()


def require_thread(connection: Connection, thread_id: str) -> None:
    """Raises ChatError where the thread was deleted."""
    if not rows(connection, "SELECT 1 FROM thread WHERE thread_id = ?", (thread_id,)):
        raise ChatError(THREAD_NOT_FOUND, "the thread was deleted")


def keep_checkpoint(connection: Connection, turn_id: str, body: bytes) -> None:
    """Keep where a turn is, within a transaction."""
    connection.execute("UPDATE turn SET checkpoint = ? WHERE turn_id = ?", (body, turn_id))


def add_file(connection: Connection, file: FileRecord) -> None:
    """Remember a file, within a transaction; that of a thread which is no more is not remembered."""
    values = (
        file.file_id,
        file.thread_id,
        file.upstream_id,
        file.name,
        file.kind.value,
        file.key,
        file.content,
    )
    connection.execute(_ADD_FILE, values)


def _file(row: Row) -> FileRecord:
    file_id, thread_id, visitor, upstream_id, name, kind, key, content = row
    return FileRecord(file_id, thread_id, visitor, upstream_id, name, FileKind(kind), key, content)

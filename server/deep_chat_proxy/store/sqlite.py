"""The embedded store: threads, what was said on them, and files, in SQLite."""

from collections.abc import Iterable, Sequence
from sqlite3 import Connection
from typing import Self

import msgspec

from deep_chat_proxy.store.database import Database, Row
from deep_chat_proxy.store.records import FileRecord, ThreadRecord
from deep_chat_proxy.turn.events import FileKind
from deep_chat_proxy.turn.transcript import Anchor, AnchorKind, Entry, Memory

_entry = msgspec.json.Decoder(Entry)

_ADD_THREAD = "INSERT INTO thread (thread_id, visitor) VALUES (?, ?)"
_THREAD = """
SELECT anchor, upstream_id, newest, covered, (SELECT checkpoint FROM turn WHERE turn_id = ?)
FROM thread WHERE thread_id = ?
"""
_FORGET = "DELETE FROM entry WHERE thread_id = ? AND turn_id IS NOT ?"
_NO_ANCHOR = "UPDATE thread SET anchor = NULL, upstream_id = NULL, newest = NULL WHERE thread_id = ?"
_ANCHOR = "UPDATE thread SET anchor = ?, upstream_id = ?, newest = ?, covered = 0 WHERE thread_id = ?"
_FILE = "SELECT file_id, thread_id, visitor, upstream_id, name, kind, key FROM file"
_ADD_FILE = """
INSERT INTO file (file_id, thread_id, visitor, upstream_id, name, kind, key) VALUES (?, ?, ?, ?, ?, ?, ?)
"""
_NEWEST = """
SELECT position, body, turn_id FROM (
    SELECT position, body, turn_id, SUM(LENGTH(body)) OVER (ORDER BY position DESC) AS together
    FROM entry WHERE thread_id = ?
) WHERE together <= ? ORDER BY position
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
    """Implements `Store`. Every call is a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self.database = database

    @classmethod
    async def open(cls, where: str) -> Self:
        """Open the file `where` (made with its folder if missing), or `:memory:`. Raises OSError."""
        return cls(await Database.open(where))

    async def add_thread(self, thread: ThreadRecord) -> None:
        """As in `Store`."""
        await self.database.insert(_ADD_THREAD, (thread.thread_id, thread.visitor))

    async def thread(self, thread_id: str) -> ThreadRecord | None:
        """As in `Store`."""
        rows = await self.database.read(
            "SELECT thread_id, visitor FROM thread WHERE thread_id = ?", (thread_id,)
        )
        return next((ThreadRecord(*row) for row in rows), None)

    async def memory(self, thread_id: str, turn_id: str, most: int) -> Memory:
        """As in `Store`."""
        threads = await self.database.read(_THREAD, (turn_id, thread_id))
        kind, upstream_id, newest, covered, checkpoint = next(iter(threads), ("", None, None, 0, None))
        rows = await self.database.read(_NEWEST, (thread_id, most))
        own = [row for row in rows if row[2] == turn_id]
        earlier = rows[: len(rows) - len(own)]
        return Memory(
            anchor=Anchor(AnchorKind(kind), upstream_id, newest) if upstream_id is not None else None,
            entries=_entries(earlier),
            covered=_covered(earlier, covered),
            own=_entries(own),
            own_covered=_covered(own, covered),
            checkpoint=checkpoint,
        )

    async def record(
        self,
        thread_id: str,
        turn_id: str,
        add: Sequence[Entry] = (),
        *,
        anchor: Anchor | None = None,
        covered: bool = False,
        forget: bool = False,
    ) -> None:
        """As in `Store`."""

        def write(connection: Connection) -> None:
            for entry in add:
                connection.execute(_ADD, (thread_id, msgspec.json.encode(entry), turn_id))
            if anchor is not None:
                connection.execute(_ANCHOR, (anchor.kind.value, anchor.upstream_id, anchor.newest, thread_id))
            if covered:
                connection.execute(_COVER, (thread_id,))
            if forget:
                connection.execute(_FORGET, (thread_id, turn_id))

        await self.database.write(write)

    async def restart(self, thread_id: str) -> None:
        """As in `Store`."""

        def write(connection: Connection) -> None:
            connection.execute("DELETE FROM entry WHERE thread_id = ?", (thread_id,))
            connection.execute(_NO_ANCHOR, (thread_id,))

        await self.database.write(write)

    async def add_file(self, file: FileRecord) -> None:
        """As in `Store`."""
        values = (file.file_id, file.thread_id, file.visitor, file.upstream_id, file.name, file.kind.value)
        await self.database.insert(_ADD_FILE, (*values, file.key))

    async def file_made(self, thread_id: str, upstream_id: str) -> FileRecord | None:
        """As in `Store`."""
        return await self._file("thread_id = ? AND upstream_id = ?", (thread_id, upstream_id))

    async def file(self, file_id: str) -> FileRecord | None:
        """As in `Store`."""
        return await self._file("file_id = ?", (file_id,))

    async def _file(self, where: str, values: Sequence[object]) -> FileRecord | None:
        found = await self.database.read(f"{_FILE} WHERE {where} LIMIT 1", values)
        return next(
            (FileRecord(row[0], row[1], row[2], row[3], row[4], FileKind(row[5]), row[6]) for row in found),
            None,
        )

    async def close(self) -> None:
        """As in `Store`."""
        await self.database.close()


def _entries(rows: Iterable[Row]) -> tuple[Entry, ...]:
    return tuple(_entry.decode(row[1]) for row in rows)


def _covered(rows: Iterable[Row], covered: int) -> int:
    return sum(row[0] <= covered for row in rows)

"""The embedded store: one SQLite file, or memory."""

import asyncio
import os
import sqlite3
from pathlib import Path
from typing import Self

import aiosqlite

from deep_chat_proxy.store.records import FileRecord, ThreadRecord
from deep_chat_proxy.turn.events import FileKind

# WAL lets other processes read while one writes, and NORMAL is durable enough against a crash of ours.
_SET_UP = """
PRAGMA journal_mode=WAL;
PRAGMA synchronous=NORMAL;
PRAGMA foreign_keys=ON;
CREATE TABLE IF NOT EXISTS thread (
    thread_id TEXT PRIMARY KEY,
    visitor TEXT NOT NULL,
    dialect TEXT NOT NULL,
    upstream_id TEXT,
    created_at INTEGER NOT NULL DEFAULT (unixepoch())
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS file (
    file_id TEXT PRIMARY KEY,
    thread_id TEXT NOT NULL REFERENCES thread ON DELETE CASCADE,
    visitor TEXT NOT NULL,
    upstream_id TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (unixepoch())
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS file_of_thread ON file (thread_id);
"""


def _check_place(where: str) -> None:
    """Make the folder and open the file once: aiosqlite leaves a thread behind where that fails."""
    Path(where).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # SQLite itself would make it readable for everyone; what it writes beside it gets the same mode.
    os.close(os.open(where, os.O_CREAT | os.O_RDWR, 0o600))
    sqlite3.connect(where).close()


class SqliteStore:
    """Implements `Store`. Every call is a transaction of its own, made on aiosqlite's thread."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    @classmethod
    async def open(cls, where: str) -> Self:
        """Open the file `where` (made with its folder if missing), or `:memory:`. Raises OSError."""
        try:
            if where != ":memory:":
                await asyncio.to_thread(_check_place, where)
            connection = await aiosqlite.connect(where, isolation_level=None)
            try:
                await connection.executescript(_SET_UP)
            except BaseException:
                # Its thread would keep the process from ending.
                await connection.close()
                raise
        except (sqlite3.Error, OSError) as fault:
            raise OSError(f"the store {where} cannot be opened: {fault}") from fault
        return cls(connection)

    async def add_thread(self, thread: ThreadRecord) -> None:
        """As in `Store`."""
        await self._connection.execute_insert(
            "INSERT INTO thread (thread_id, visitor, dialect, upstream_id) VALUES (?, ?, ?, ?)",
            (thread.thread_id, thread.visitor, thread.dialect, thread.upstream_id),
        )

    async def thread(self, thread_id: str) -> ThreadRecord | None:
        """As in `Store`."""
        rows = await self._connection.execute_fetchall(
            "SELECT thread_id, visitor, dialect, upstream_id FROM thread WHERE thread_id = ?", (thread_id,)
        )
        return next((ThreadRecord(*row) for row in rows), None)

    async def set_upstream(self, thread_id: str, dialect: str, upstream_id: str) -> None:
        """As in `Store`."""
        await self._connection.execute_insert(
            "UPDATE thread SET dialect = ?, upstream_id = ? WHERE thread_id = ?",
            (dialect, upstream_id, thread_id),
        )

    async def add_file(self, file: FileRecord) -> None:
        """As in `Store`."""
        await self._connection.execute_insert(
            "INSERT INTO file (file_id, thread_id, visitor, upstream_id, name, kind) VALUES (?, ?, ?, ?, ?, ?)",
            (file.file_id, file.thread_id, file.visitor, file.upstream_id, file.name, file.kind.value),
        )

    async def file(self, file_id: str) -> FileRecord | None:
        """As in `Store`."""
        rows = await self._connection.execute_fetchall(
            "SELECT file_id, thread_id, visitor, upstream_id, name, kind FROM file WHERE file_id = ?",
            (file_id,),
        )
        return next(
            (FileRecord(row[0], row[1], row[2], row[3], row[4], FileKind(row[5])) for row in rows), None
        )

    async def close(self) -> None:
        """As in `Store`."""
        await self._connection.close()

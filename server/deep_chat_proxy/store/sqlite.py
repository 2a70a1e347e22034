"""The embedded store: one SQLite file, or memory."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import aiosqlite
import msgspec

from deep_chat_proxy.store.records import FileRecord, ThreadRecord
from deep_chat_proxy.store.schema import SET_UP, STEPS
from deep_chat_proxy.tasks import Tasks
from deep_chat_proxy.turn.events import FileKind
from deep_chat_proxy.turn.transcript import Anchor, AnchorKind, Entry, Memory

_entry = msgspec.json.Decoder(Entry)

_ADD_THREAD = "INSERT INTO thread (thread_id, visitor) VALUES (?, ?)"
_ADD_FILE = """
INSERT INTO file (file_id, thread_id, visitor, upstream_id, name, kind, key) VALUES (?, ?, ?, ?, ?, ?, ?)
"""
_NEWEST = """
SELECT position, body FROM (
    SELECT position, body, SUM(LENGTH(body)) OVER (ORDER BY position DESC) AS together
    FROM entry WHERE thread_id = ?
) WHERE together <= ? ORDER BY position
"""
# What is added after a restart or a forgetting comes after everything that was covered before.
_ADD = """
INSERT INTO entry (thread_id, position, body)
SELECT ?1, MAX(COALESCE(MAX(position), 0), (SELECT covered FROM thread WHERE thread_id = ?1)) + 1, ?2
FROM entry WHERE thread_id = ?1
"""
_COVER = """
UPDATE thread SET covered = COALESCE((SELECT MAX(position) FROM entry WHERE thread_id = ?1), covered)
WHERE thread_id = ?1
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
        self._writing = asyncio.Lock()
        self._tasks = Tasks()

    @classmethod
    async def open(cls, where: str) -> Self:
        """Open the file `where` (made with its folder if missing), or `:memory:`. Raises OSError."""
        try:
            if where != ":memory:":
                await asyncio.to_thread(_check_place, where)
            connection = await aiosqlite.connect(where, isolation_level=None)
            try:
                store = cls(connection)
                await store._migrate()
            except BaseException:
                # Its thread would keep the process from ending.
                await connection.close()
                raise
        except (sqlite3.Error, OSError) as fault:
            raise OSError(f"the store {where} cannot be opened: {fault}") from fault
        return store

    async def _migrate(self) -> None:
        """Bring the tables of any earlier version to the newest one; of several processes, one does it.

        Raises OSError for those of a later version.
        """
        await self._connection.executescript(SET_UP)
        async with self._transaction():
            (row,) = await self._connection.execute_fetchall("PRAGMA user_version")
            if row[0] > len(STEPS):
                raise OSError("a newer version of the server has made it")
            for version, step in list(enumerate(STEPS, 1))[row[0] :]:
                for statement in step.split(";"):
                    await self._connection.execute_insert(statement)
                await self._connection.execute_insert(f"PRAGMA user_version={version}")

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[None]:
        """One at a time: a connection can hold no two of them."""
        async with self._writing:
            await self._connection.execute_insert("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                await self._connection.execute_insert("ROLLBACK")
                raise
            await self._connection.execute_insert("COMMIT")

    async def _write(self, work: Coroutine[Any, Any, None]) -> None:
        """Do all of `work`, also where whoever waits for it is stopped: half of it would stand in everyone's way."""
        await self._tasks.see_through(work, name="write to the store")

    async def add_thread(self, thread: ThreadRecord) -> None:
        """As in `Store`."""
        await self._write(self._insert(_ADD_THREAD, (thread.thread_id, thread.visitor)))

    async def _insert(self, statement: str, values: Sequence[object]) -> None:
        async with self._transaction():
            await self._connection.execute_insert(statement, values)

    async def thread(self, thread_id: str) -> ThreadRecord | None:
        """As in `Store`."""
        rows = await self._connection.execute_fetchall(
            "SELECT thread_id, visitor FROM thread WHERE thread_id = ?", (thread_id,)
        )
        return next((ThreadRecord(*row) for row in rows), None)

    async def memory(self, thread_id: str, most: int) -> Memory:
        """As in `Store`."""
        threads = await self._connection.execute_fetchall(
            "SELECT anchor, upstream_id, covered FROM thread WHERE thread_id = ?", (thread_id,)
        )
        kind, upstream_id, covered = next(iter(threads), ("", None, 0))
        rows = list(await self._connection.execute_fetchall(_NEWEST, (thread_id, most)))
        return Memory(
            anchor=Anchor(AnchorKind(str(kind)), str(upstream_id)) if upstream_id is not None else None,
            entries=tuple(_entry.decode(body) for _, body in rows),
            covered=sum(position <= covered for position, _ in rows),
        )

    async def record(
        self,
        thread_id: str,
        add: Sequence[Entry] = (),
        *,
        anchor: Anchor | None = None,
        covered: bool = False,
        forget: bool = False,
    ) -> None:
        """As in `Store`."""
        await self._write(self._record(thread_id, add, anchor, covered=covered, forget=forget))

    async def _record(
        self, thread_id: str, add: Sequence[Entry], anchor: Anchor | None, *, covered: bool, forget: bool
    ) -> None:
        write = self._connection.execute_insert
        async with self._transaction():
            for entry in add:
                await write(_ADD, (thread_id, msgspec.json.encode(entry)))
            if anchor is not None:
                await write(
                    "UPDATE thread SET anchor = ?, upstream_id = ?, covered = 0 WHERE thread_id = ?",
                    (anchor.kind.value, anchor.upstream_id, thread_id),
                )
            if covered:
                await write(_COVER, (thread_id,))
            if forget:
                await write("DELETE FROM entry WHERE thread_id = ?", (thread_id,))

    async def restart(self, thread_id: str) -> None:
        """As in `Store`."""
        await self._write(self._restart(thread_id))

    async def _restart(self, thread_id: str) -> None:
        async with self._transaction():
            await self._connection.execute_insert("DELETE FROM entry WHERE thread_id = ?", (thread_id,))
            await self._connection.execute_insert(
                "UPDATE thread SET anchor = NULL, upstream_id = NULL WHERE thread_id = ?", (thread_id,)
            )

    async def add_file(self, file: FileRecord) -> None:
        """As in `Store`."""
        values = (file.file_id, file.thread_id, file.visitor, file.upstream_id, file.name, file.kind.value)
        await self._write(self._insert(_ADD_FILE, (*values, file.key)))

    async def file(self, file_id: str) -> FileRecord | None:
        """As in `Store`."""
        rows = await self._connection.execute_fetchall(
            "SELECT file_id, thread_id, visitor, upstream_id, name, kind, key FROM file WHERE file_id = ?",
            (file_id,),
        )
        return next(
            (FileRecord(row[0], row[1], row[2], row[3], row[4], FileKind(row[5]), row[6]) for row in rows),
            None,
        )

    async def close(self) -> None:
        """As in `Store`."""
        await self._tasks.finish()
        await self._connection.close()

"""The threads of a visitor, as a list: named, deleted, and gone by themselves when they are old."""

import time
from sqlite3 import Connection

from deep_chat_proxy.store import exchanges, holding
from deep_chat_proxy.store.database import Database, rows
from deep_chat_proxy.store.records import ListedThread
from deep_chat_proxy.turn.exchange import Exchange

# One without a message is for a page that is about to send one; seconds.
_EMPTY_FOR = 24 * 3600.0
_AT_ONCE = 100

_LIST = """
SELECT thread_id, title, used_at,
EXISTS (SELECT 1 FROM turn WHERE turn.thread_id = thread.thread_id AND ended_at IS NULL)
FROM thread WHERE visitor = ? AND title IS NOT NULL ORDER BY used_at DESC, thread_id LIMIT ? OFFSET ?
"""
_OLD = """
SELECT thread_id FROM thread WHERE used_at < ?1
AND NOT EXISTS (SELECT 1 FROM turn WHERE turn.thread_id = thread.thread_id AND ended_at IS NULL) LIMIT ?2
"""
_EMPTY = "SELECT thread_id FROM thread WHERE used_at < ?1 AND title IS NULL LIMIT ?2"


class SqliteThreads:
    """Implements `Threads`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_visitor(self, visitor: str, *, size: int, skipped: int) -> list[ListedThread]:
        """As in `Threads`."""
        found = await self._database.read(_LIST, (visitor, size, skipped))
        return [ListedThread(row[0], row[1], row[2], answering=bool(row[3])) for row in found]

    async def ids(self, visitor: str) -> list[str]:
        """As in `Threads`."""
        found = await self._database.read("SELECT thread_id FROM thread WHERE visitor = ?", (visitor,))
        return [str(row[0]) for row in found]

    async def name(self, thread_id: str, title: str) -> None:
        """As in `Threads`."""
        await self._database.insert("UPDATE thread SET title = ? WHERE thread_id = ?", (title, thread_id))

    async def delete(self, *thread_ids: str) -> None:
        """As in `Threads`."""

        def write(connection: Connection) -> None:
            for thread_id in thread_ids:
                holding.delete_thread(connection, thread_id)

        await self._database.write(write)
        await self._database.forget()

    async def forget(self, visitor: str) -> None:
        """As in `Threads`."""
        await self._database.insert("DELETE FROM allowance WHERE visitor = ?", (visitor,))

    async def history(
        self, thread_id: str, *, before: int | None, size: int, skipped: int
    ) -> tuple[list[Exchange], bool]:
        """As in `Threads`."""
        return await exchanges.page(self._database, thread_id, before=before, size=size, skipped=skipped)

    async def keys(self, thread_id: str) -> dict[str, str]:
        """As in `Threads`."""
        statement = "SELECT file_id, key FROM file WHERE thread_id = ? AND key IS NOT NULL"
        return dict(await self._database.read(statement, (thread_id,)))

    async def kept_keys(self) -> set[str]:
        """The keys of everything that is to be on the shelf."""
        found = await self._database.read("SELECT held_id FROM held WHERE kind = 'shelf'")
        return {str(row[0]) for row in found}

    async def expire(self, kept: float) -> int:
        """Delete threads that were not used for `kept` seconds, some at once; returns how many."""
        now = time.time()

        def write(connection: Connection) -> int:
            old = rows(connection, _OLD, (now - kept, _AT_ONCE))
            empty = rows(connection, _EMPTY, (now - min(kept, _EMPTY_FOR), _AT_ONCE))
            return sum(holding.delete_thread(connection, row[0]) for row in (*old, *empty))

        return await self._database.write(write)

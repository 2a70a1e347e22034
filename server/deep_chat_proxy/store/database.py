"""The SQLite file: opened, brought to the newest version, written by one transaction at a time."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

import aiosqlite

from deep_chat_proxy.store.schema import SET_UP, STEPS
from deep_chat_proxy.tasks import Tasks

Row = sqlite3.Row
T = TypeVar("T")


def _check_place(where: str) -> None:
    """Make the folder and open the file once: aiosqlite leaves a thread behind where that fails."""
    Path(where).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # SQLite itself would make it readable for everyone; what it writes beside it gets the same mode.
    os.close(os.open(where, os.O_CREAT | os.O_RDWR, 0o600))
    sqlite3.connect(where).close()


class Database:
    """One connection, used on aiosqlite's thread."""

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
                database = cls(connection)
                await database._migrate()
            except BaseException:
                # Its thread would keep the process from ending.
                await connection.close()
                raise
        except (sqlite3.Error, OSError) as fault:
            raise OSError(f"the store {where} cannot be opened: {fault}") from fault
        return database

    async def _migrate(self) -> None:
        """Bring the tables of any earlier version to the newest one; of several processes, one does it.

        Raises OSError for those of a later version.
        """
        await self._connection.executescript(SET_UP)
        async with self.transaction():
            (row,) = await self._connection.execute_fetchall("PRAGMA user_version")
            if row[0] > len(STEPS):
                raise OSError("a newer version of the server has made it")
            for version, step in list(enumerate(STEPS, 1))[row[0] :]:
                for statement in step.split(";"):
                    await self._connection.execute_insert(statement)
                await self._connection.execute_insert(f"PRAGMA user_version={version}")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """One at a time: a connection can hold no two of them."""
        async with self._writing:
            await self._connection.execute_insert("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                await self._connection.execute_insert("ROLLBACK")
                raise
            await self._connection.execute_insert("COMMIT")

    async def read(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        """All rows that a statement finds."""
        return list(await self._connection.execute_fetchall(statement, values))

    async def execute(self, statement: str, values: Sequence[object] = ()) -> None:
        """One statement of a transaction."""
        await self._connection.execute_insert(statement, values)

    async def insert(self, statement: str, values: Sequence[object]) -> None:
        """One statement as a transaction of its own."""
        await self.write(self._alone(statement, values))

    async def _alone(self, statement: str, values: Sequence[object]) -> None:
        async with self.transaction():
            await self.execute(statement, values)

    async def write(self, work: Coroutine[Any, Any, T]) -> T:
        """Do all of `work`, also where whoever waits for it is stopped: half of it would stand in everyone's way."""
        return await self._tasks.see_through(work, name="write to the store")

    async def close(self) -> None:
        """Let what is being written be written, then close the file."""
        await self._tasks.finish()
        await self._connection.close()

"""The SQLite file: opened, brought to the newest version, read and written on a thread of its own."""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from sqlite3 import Connection
from typing import Any, Self, TypeVar

from deep_chat_proxy.store.schema import SET_UP, STEPS
from deep_chat_proxy.tasks import undisturbed

Row = tuple[Any, ...]
T = TypeVar("T")


class Database:
    """One connection on one thread, so that nothing on it happens at once, and a transaction costs one trip there."""

    def __init__(self, thread: ThreadPoolExecutor, connection: Connection) -> None:
        self._thread = thread
        self._connection = connection

    @classmethod
    async def open(cls, where: str) -> Self:
        """Open the file `where` (made with its folder if missing), or `:memory:`. Raises OSError."""
        thread = ThreadPoolExecutor(1, "store")
        try:
            connection = await asyncio.get_running_loop().run_in_executor(thread, _open, where)
        except BaseException as fault:
            thread.shutdown(wait=False)
            if isinstance(fault, sqlite3.Error | OSError):
                raise OSError(f"the store {where} cannot be opened: {fault}") from fault
            raise
        return cls(thread, connection)

    async def read(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        """All rows that a statement finds."""
        return await self._run(lambda: rows(self._connection, statement, values))

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Do all of `work` as one transaction; it may not wait for anything."""
        return await self._run(lambda: _transaction(self._connection, work))

    async def insert(self, statement: str, values: Sequence[object]) -> None:
        """One statement as a transaction of its own."""
        await self.write(lambda connection: connection.execute(statement, values))

    async def _run(self, work: Callable[[], T]) -> T:
        """Do `work`, also where whoever waits for it is stopped: half of it would stand in everyone's way."""
        return await undisturbed(asyncio.get_running_loop().run_in_executor(self._thread, work))

    async def close(self) -> None:
        """Let what is being written be written, then close the file."""
        await self._run(self._connection.close)
        self._thread.shutdown(wait=False)


def rows(connection: Connection, statement: str, values: Sequence[object] = ()) -> list[Row]:
    """All rows that a statement finds, within a transaction."""
    return connection.execute(statement, values).fetchall()


def _open(where: str) -> Connection:
    if where != ":memory:":
        Path(where).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite itself would make it readable for everyone; what it writes beside it gets the same mode.
        os.close(os.open(where, os.O_CREAT | os.O_RDWR, 0o600))
    connection = sqlite3.connect(where, isolation_level=None)
    try:
        connection.executescript(SET_UP)
        _transaction(connection, _migrate)
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: Connection) -> None:
    """Bring the tables of any earlier version to the newest one; of several processes, one does it.

    Raises OSError for those of a later version.
    """
    ((version,),) = rows(connection, "PRAGMA user_version")
    if version > len(STEPS):
        raise OSError("a newer version of the server has made it")
    for number, step in list(enumerate(STEPS, 1))[version:]:
        for statement in step.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version={number}")


def _transaction(connection: Connection, work: Callable[[Connection], T]) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = work(connection)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    return result

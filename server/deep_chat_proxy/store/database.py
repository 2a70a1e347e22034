"""The SQLite file: opened, brought to the newest version, read and written on a thread of its own."""

import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from sqlite3 import Connection
from typing import Any, Self, TypeVar

from deep_chat_proxy.store.schema import SET_UP, STEPS
from deep_chat_proxy.store.trips import Trips

Row = tuple[Any, ...]
T = TypeVar("T")

# SQLite waits for other processes by itself, but not where one of them is just making the file; seconds.
_BUSY = 5.0
_LOOK_AGAIN = 0.02


class Database:
    """One connection on one thread, so that nothing on it happens at once, and a transaction costs one trip there."""

    def __init__(self, trips: Trips, connection: Connection) -> None:
        self._trips = trips
        self._connection = connection

    @classmethod
    async def open(cls, where: str) -> Self:
        """Open the file `where` (made with its folder if missing), or `:memory:`. Raises OSError."""
        trips = Trips()
        try:
            connection = await trips.do(lambda: _open(where))
        except BaseException:
            trips.end()
            raise
        return cls(trips, connection)

    async def read(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        """All rows that a statement finds."""
        return await self._run(lambda: rows(self._connection, statement, values))

    async def look(self, work: Callable[[Connection], T]) -> T:
        """Do several reads in one trip."""
        return await self._run(lambda: work(self._connection))

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Do all of `work` as one transaction; it may not wait for anything."""
        return await self._run(lambda: _transaction(self._connection, work))

    async def insert(self, statement: str, values: Sequence[object]) -> None:
        """One statement as a transaction of its own."""
        await self.write(lambda connection: connection.execute(statement, values))

    async def _run(self, work: Callable[[], T]) -> T:
        """Do `work`, also where whoever waits for it is stopped: half of it would stand in everyone's way."""
        return await self._trips.do(work)

    async def forget(self) -> None:
        """Have what was deleted be nowhere in the files any more, unless another process reads just now."""
        await self._run(lambda: rows(self._connection, "PRAGMA wal_checkpoint(TRUNCATE)"))

    async def close(self) -> None:
        """Let what is being written be written, then close the file."""
        closing = self._trips.do(self._connection.close)
        self._trips.end()
        await closing


def rows(connection: Connection, statement: str, values: Sequence[object] = ()) -> list[Row]:
    """All rows that a statement finds, within a transaction."""
    return connection.execute(statement, values).fetchall()


def make_store(where: str) -> None:
    """Make the file `where`, or bring it to the newest version, without a loop. Raises OSError."""
    _open(where).close()


def _open(where: str) -> Connection:
    """Raises OSError."""
    try:
        return _opened(where)
    except (sqlite3.Error, OSError) as fault:
        raise OSError(f"the store {where} cannot be opened: {fault}") from fault


def _opened(where: str) -> Connection:
    if where != ":memory:":
        Path(where).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite itself would make it readable for everyone; what it writes beside it gets the same mode.
        os.close(os.open(where, os.O_CREAT | os.O_RDWR, 0o600))
    connection = sqlite3.connect(where, isolation_level=None)
    try:
        _set_up(connection)
        _transaction(connection, _migrate)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_up(connection: Connection) -> None:
    deadline = time.monotonic() + _BUSY
    while True:
        try:
            connection.executescript(SET_UP)
        except sqlite3.OperationalError as fault:
            if fault.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
            time.sleep(_LOOK_AGAIN)
        else:
            return


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

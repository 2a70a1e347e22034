"""What each visitor has sent today, so that a day can have a limit. Days are those of UTC."""

import time
from collections.abc import Callable
from sqlite3 import Connection

from msgspec import Struct

from deep_chat_proxy.store.database import Database, rows

_DAY = 24 * 3600
_USED = "SELECT files, bytes FROM allowance WHERE visitor = ? AND day = ?"
_ADD = """
INSERT INTO allowance (visitor, day, files, bytes) VALUES (?, ?, ?, ?)
ON CONFLICT (visitor, day) DO UPDATE SET files = files + excluded.files, bytes = bytes + excluded.bytes
"""
# A visitor whose data was deleted meanwhile stays unknown.
_GIVE_BACK = "UPDATE allowance SET files = files - ?3, bytes = bytes - ?4 WHERE visitor = ?1 AND day = ?2"
_OLD_DAYS = "DELETE FROM allowance WHERE day < ?"


class Amount(Struct, frozen=True):
    """A number of files, and their bytes together."""

    files: int
    bytes: int

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.files + other.files, self.bytes + other.bytes)

    def __neg__(self) -> "Amount":
        return Amount(-self.files, -self.bytes)

    def within(self, most: "Amount") -> bool:
        """Whether it is no more than that, in files and in bytes."""
        return self.files <= most.files and self.bytes <= most.bytes


class Counted(Struct, frozen=True):
    """A message whose files count for a visitor's `day`."""

    visitor: str
    day: int
    amount: Amount


class Allowances:
    """Each visitor may send `most` in a day."""

    def __init__(self, database: Database, most: Amount, clock: Callable[[], float] = time.time) -> None:
        self.most = most
        self._database = database
        self._clock = clock
        self._newest_day = 0

    @property
    def today(self) -> int:
        """The number of the day."""
        return int(self._clock() // _DAY)

    @property
    def until_tomorrow(self) -> float:
        """Seconds that are left of the day."""
        return _DAY - self._clock() % _DAY

    async def left(self, visitor: str) -> Amount:
        """What the visitor may still send."""
        (used,) = await self._database.read(_USED, (visitor, self.today)) or [(0, 0)]
        return self.most + -Amount(*used)

    async def take(self, visitor: str, amount: Amount) -> Counted | None:
        """Count a message; None where it would be too much, and then nothing is counted."""
        counted = Counted(visitor, self.today, amount)
        taken = await self._database.write(lambda connection: self._count(connection, counted))
        return counted if taken else None

    async def give_back(self, counted: Counted) -> None:
        """A message that was counted has not been taken."""
        await self._database.insert(_GIVE_BACK, _values(counted))

    def _count(self, connection: Connection, counted: Counted) -> bool:
        (used,) = rows(connection, _USED, (counted.visitor, counted.day)) or [(0, 0)]
        if not (Amount(*used) + counted.amount).within(self.most):
            return False
        connection.execute(_ADD, _values(counted))
        if counted.day > self._newest_day:
            connection.execute(_OLD_DAYS, (counted.day,))
            self._newest_day = counted.day
        return True


def _values(counted: Counted) -> tuple[str, int, int, int]:
    return counted.visitor, counted.day, counted.amount.files, counted.amount.bytes

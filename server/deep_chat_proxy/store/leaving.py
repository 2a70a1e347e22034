"""Deletes what no thread holds any longer, at the back end and on the shelf: until it is gone, or given up.

A thread is deleted at once for its visitor; a back end may be down just then, so what it holds is deleted when that is
possible, by this process or by the next.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from sqlite3 import Connection

from deep_chat_proxy.errors import ChatError
from deep_chat_proxy.store.database import Database, rows
from deep_chat_proxy.store.shelf import Shelf
from deep_chat_proxy.turn.held import Held, HeldKind

logger = logging.getLogger("deep_chat_proxy.store")

Delete = Callable[[Held], Awaitable[None]]

_AT_ONCE = 20
# Seconds: until a try that nobody reported of is made again, between two tries at first and at most, and between two
# looks where nothing is known to be due.
_CLAIM = 120.0
_FIRST_PAUSE = 30.0
_LONGEST_PAUSE = 6 * 3600.0
_LOOK = 60.0
_SHORTEST_LOOK = 0.1
# About four days.
_MOST_TRIES = 25

_DUE = "SELECT kind, held_id, tries FROM leaving WHERE due_at <= ? ORDER BY due_at LIMIT ?"
_TRY = "UPDATE leaving SET due_at = ?, tries = tries + 1 WHERE kind = ? AND held_id = ?"
_GONE = "DELETE FROM leaving WHERE kind = ? AND held_id = ?"
_NO_LONGER_HELD = "DELETE FROM held WHERE kind = ? AND held_id = ?"


class Leaving:
    """Works off what is due; `delete` deletes at the back end, `shelf` has our own files."""

    def __init__(self, database: Database, shelf: Shelf, delete: Delete) -> None:
        self._database = database
        self._shelf = shelf
        self._delete = delete
        self._news = asyncio.Event()

    def hurry(self) -> None:
        """Something is due now."""
        self._news.set()

    async def run(self) -> None:
        """Work for as long as the app runs."""
        while True:
            self._news.clear()
            try:
                while await self.work_off():
                    pass
                pause = await self._pause()
            except Exception as fault:  # noqa: BLE001 - a store that is busy or full now may not be the next time
                logger.warning(
                    "what no thread holds any longer could not be deleted: %s", type(fault).__name__
                )
                pause = _LOOK
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._news.wait()

    async def _pause(self) -> float:
        """Seconds until something is due, as far as it is known now."""
        ((due_at,),) = await self._database.read("SELECT MIN(due_at) FROM leaving")
        return _LOOK if due_at is None else min(_LOOK, max(_SHORTEST_LOOK, due_at - time.time()))

    async def work_off(self) -> int:
        """Delete some of what is due; returns how many were tried."""
        due = await self._database.write(_claim)
        for held, tries in due:
            if await self._gone(held, tries):
                await self._database.insert(_GONE, (held.kind.value, held.held_id))
        return len(due)

    async def _gone(self, held: Held, tries: int) -> bool:
        try:
            if held.kind is HeldKind.SHELF:
                await self._shelf.remove(held.held_id)
            else:
                await self._delete(held)
        except (ChatError, OSError) as fault:
            cause = fault.cause if isinstance(fault, ChatError) else type(fault).__name__
            if tries + 1 >= _MOST_TRIES:
                logger.warning("a %s that no thread holds any longer stays: %s", held.kind, cause)
                return True
            logger.info("a %s could not be deleted yet: %s", held.kind, cause)
            pause = min(_FIRST_PAUSE * 2**tries, _LONGEST_PAUSE)
            values = (time.time() + pause, held.kind.value, held.held_id)
            await self._database.insert(
                "UPDATE leaving SET due_at = ? WHERE kind = ? AND held_id = ?", values
            )
            return False
        return True


def _claim(connection: Connection) -> list[tuple[Held, int]]:
    """What is due, not due for other processes meanwhile, and no longer held by anybody."""
    now = time.time()
    due = rows(connection, _DUE, (now, _AT_ONCE))
    for kind, held_id, _ in due:
        connection.execute(_TRY, (now + _CLAIM, kind, held_id))
        connection.execute(_NO_LONGER_HELD, (kind, held_id))
    return [(Held(HeldKind(kind), held_id), tries) for kind, held_id, tries in due]

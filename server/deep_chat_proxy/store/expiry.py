"""What goes by itself: threads that were not used for long, and what a process that was killed left half done."""

import asyncio
import logging

from deep_chat_proxy.store.leaving import Leaving
from deep_chat_proxy.store.processes import Process
from deep_chat_proxy.store.shelf import Shelf
from deep_chat_proxy.store.threads import SqliteThreads
from deep_chat_proxy.store.turns import SqliteTurns

logger = logging.getLogger("deep_chat_proxy.store")

# Seconds between two looks.
_LOOK = 600.0


class Expiry:
    """Looks, every few minutes, for threads that were not used for `kept` seconds."""

    def __init__(
        self,
        threads: SqliteThreads,
        turns: SqliteTurns,
        process: Process,
        *,
        shelf: Shelf,
        leaving: Leaving,
        kept: float,
    ) -> None:
        self._threads = threads
        self._turns = turns
        self._process = process
        self._shelf = shelf
        self._leaving = leaving
        self._kept = kept

    async def run(self) -> None:
        """Work for as long as the app runs."""
        while True:
            try:
                await self.look()
            except Exception as fault:  # noqa: BLE001 - a store that is busy or full now may not be the next time
                logger.warning("what has had its time could not be deleted: %s", type(fault).__name__)
            await asyncio.sleep(min(_LOOK, self._kept / 2))

    async def look(self) -> None:
        """Delete what has had its time."""
        while await self._threads.expire(self._kept):
            self._leaving.hurry()
        await self._turns.clear_away()
        await self._process.clear_up(await self._turns.files())
        await self._shelf.clear_up(await self._threads.kept_keys())

"""Titles that a model makes of threads, in place of the first words of their first messages."""

import logging
from collections.abc import Awaitable, Callable

from deep_chat_proxy.errors import ChatError
from deep_chat_proxy.store.database import Database
from deep_chat_proxy.tasks import Tasks
from deep_chat_proxy.turn.exchange import title_of
from deep_chat_proxy.turn.journal import OpenTurn

logger = logging.getLogger("deep_chat_proxy.store")

Make = Callable[[str], Awaitable[str | None]]

# A title that the visitor has given meanwhile stays.
_NAME = "UPDATE thread SET title = ? WHERE thread_id = ? AND title = ?"
_COUNT = "SELECT COUNT(*) FROM exchange WHERE thread_id = ?"


class Titles:
    """Has titles made by `make`, which is given the text of a message, beside the turns and without holding them up."""

    def __init__(self, database: Database, make: Make, tasks: Tasks) -> None:
        self._database = database
        self._make = make
        self._tasks = tasks

    def begin(self, turn: OpenTurn) -> None:
        """A turn has begun; where it is the first of its thread, that gets a title."""
        if turn.message.text and not turn.picked_up:
            self._tasks.start(self._name(turn), name="name a thread")

    async def _name(self, turn: OpenTurn) -> None:
        if await self._database.read(_COUNT, (turn.thread_id,)) != [(1,)]:
            return
        try:
            title = await self._make(turn.message.text)
        except ChatError as fault:
            logger.warning(
                "turn %s: its thread keeps its first words for a title: %s", turn.turn_id, fault.cause
            )
            return
        if title:
            await self._database.insert(_NAME, (title, turn.thread_id, title_of(turn.message)))

"""A turn that another process plays, followed from here."""

import asyncio
import logging
from asyncio import StreamReader, StreamWriter
from collections.abc import Iterator
from contextlib import contextmanager

from deep_chat_proxy.errors import SHUTTING_DOWN
from deep_chat_proxy.peers.wire import Added, Anew, Found, Silent, read_answer
from deep_chat_proxy.tasks import Tasks
from deep_chat_proxy.turn.events import Failed
from deep_chat_proxy.turn.log import TurnLog

logger = logging.getLogger("deep_chat_proxy.peers")

# Between the finding of a turn and its follower here; seconds.
_ATTACHING = 5.0


class FollowedTurn:
    """Implements `RemoteTurn`: keeps a log the same as the one that `found` has the beginning of, by what comes over the
    connection, which is there for as long as somebody here follows.
    """

    def __init__(self, found: Found, reader: StreamReader, writer: StreamWriter, tasks: Tasks) -> None:
        self.turn_id = found.turn_id
        self.log_id = found.log_id
        self._log = TurnLog.of_copy(found.log)
        self._reader = reader
        self._writer = writer
        self._keeping_up = tasks.start(self._keep_up(), name=f"follow {found.turn_id}")
        self._unfollowed = asyncio.get_running_loop().call_later(_ATTACHING, self.leave)

    @contextmanager
    def attached(self) -> Iterator[TurnLog]:
        """As in `RemoteTurn`."""
        self._unfollowed.cancel()
        try:
            yield self._log
        finally:
            self.leave()

    def leave(self) -> None:
        """Nothing comes any more: where the turn has not ended, it has for whoever follows it here."""
        self._keeping_up.cancel()

    async def _keep_up(self) -> None:
        """Take what comes until the turn has ended.

        Where the other process is no more, it has ended here, too: whoever comes back finds it in the process that picks
        it up.
        """
        try:
            while not self._log.state.ended:
                await self._take_next()
        except (OSError, EOFError, ValueError) as fault:
            logger.warning("turn %s is lost from sight: %s", self.turn_id, type(fault).__name__)
        finally:
            self._unfollowed.cancel()
            self._writer.close()
            if not self._log.state.ended:
                self._log.extend([Failed(SHUTTING_DOWN)])

    async def _take_next(self) -> None:
        match await read_answer(self._reader):
            case Added(events):
                self._log.extend(events)
            case Anew(log):
                self._log.become(log)
            case Silent(seconds):
                self._log.heard(seconds)
            case answer:
                raise ValueError(f"{type(answer).__name__} is no part of a turn")

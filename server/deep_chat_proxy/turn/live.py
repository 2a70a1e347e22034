"""A turn under way: it runs in a task of its own, whoever follows it and for how long.

A turn that nobody follows any more is stopped after a grace period, so that a reload is not a stop.
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from traceback import format_tb

from deep_chat_proxy.errors import INTERNAL, TIMED_OUT, ChatError
from deep_chat_proxy.tasks import Tasks
from deep_chat_proxy.turn.context import current_turn
from deep_chat_proxy.turn.events import Failed, Stopped
from deep_chat_proxy.turn.limits import TurnLimits
from deep_chat_proxy.turn.log import TurnLog
from deep_chat_proxy.turn.loop import TurnLoop
from deep_chat_proxy.turn.ports import Keeper, Tools, UpstreamTurn

logger = logging.getLogger("deep_chat_proxy.turn")


class LiveTurn:
    """One turn; `log` holds what happens in it, `gone` is set when nothing of it runs any more."""

    def __init__(
        self,
        turn_id: str,
        thread_id: str,
        *,
        upstream: UpstreamTurn,
        tools: Tools,
        keeper: Keeper,
        limits: TurnLimits,
    ) -> None:
        self.turn_id = turn_id
        self.thread_id = thread_id
        self.log = TurnLog(capacity=limits.log_events, max_text=limits.answer_characters)
        self.gone = asyncio.Event()
        self._upstream = upstream
        self._loop = TurnLoop(upstream, tools, keeper, self.log.extend, max_rounds=limits.rounds)
        self._limits = limits
        self._followers = 0
        self._grace: asyncio.TimerHandle | None = None
        self._playing: asyncio.Task[None] | None = None
        self._end: Failed | Stopped = Stopped()

    @property
    def followed(self) -> bool:
        """Whether a connection follows it now."""
        return self._followers > 0

    @contextmanager
    def attached(self) -> Iterator[TurnLog]:
        """Follow the turn; leaving starts the grace period if nobody else follows."""
        self._followers += 1
        self._disarm()
        try:
            yield self.log
        finally:
            self._followers -= 1
            if not self._followers and not self.log.state.ended:
                self._grace = asyncio.get_running_loop().call_later(self._limits.grace, self.stop)

    def stop(self, end: Failed | Stopped | None = None) -> None:
        """Ask the turn to end, with `end` as its last event; does nothing for one that has ended."""
        if self._playing is not None and not self._playing.done():
            self._end = end or Stopped()
            self._playing.cancel()

    def _disarm(self) -> None:
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None

    async def run(self, tasks: Tasks) -> None:
        """Play the turn, end it whatever happens, then let the back end's side go."""
        current_turn.set(self.turn_id)
        self._playing = tasks.start(self._play(), name=f"play {self.turn_id}")
        try:
            await asyncio.wait([self._playing])
            self._conclude(self._playing)
        finally:
            self._disarm()
            self._playing.cancel()
            await self._upstream.close()

    async def _play(self) -> None:
        async with asyncio.timeout(self._limits.turn):
            await self._loop.play()

    def _conclude(self, played: asyncio.Task[None]) -> None:
        """Make sure that the log ends with a terminal event."""
        if played.cancelled():
            end: Failed | Stopped | None = self._end
        else:
            end = _failure(played.exception())
        if not self.log.state.ended and end is not None:
            self.log.extend([end])
        logger.info("turn %s %s", self.turn_id, self.log.state)


def _failure(fault: BaseException | None) -> Failed | None:
    match fault:
        case None:
            return None
        case ChatError():
            logger.warning("turn %s: %s: %s", current_turn.get(), fault.problem.code, fault.cause)
            return Failed(fault.problem, fault.retry_after)
        case TimeoutError():
            logger.warning("turn %s: took longer than a turn may", current_turn.get())
            return Failed(TIMED_OUT)
        case _:
            # The message of an unexpected exception may hold anything, so only its place is logged.
            place = "".join(format_tb(fault.__traceback__))
            logger.error("turn %s: unexpected %s\n%s", current_turn.get(), type(fault).__name__, place)
            return Failed(INTERNAL)

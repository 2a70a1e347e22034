"""A turn under way: it runs in a task of its own, whoever follows it and for how long.

A turn that nobody follows any more is stopped after a grace period, so that a reload is not a stop. One that another
process has begun has had its followers there, and goes on without any until its end.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager
from traceback import format_tb
from typing import Literal

from deep_chat_proxy.errors import FAILED, INTERNAL, SHUTTING_DOWN, TIMED_OUT, ChatError
from deep_chat_proxy.tasks import Tasks
from deep_chat_proxy.turn.context import current_turn
from deep_chat_proxy.turn.events import Completed, Failed, Stopped, TurnEvent
from deep_chat_proxy.turn.journal import OpenTurn
from deep_chat_proxy.turn.limits import TurnLimits
from deep_chat_proxy.turn.log import TurnLog
from deep_chat_proxy.turn.loop import TurnLoop
from deep_chat_proxy.turn.observer import TurnOutcome
from deep_chat_proxy.turn.ports import Keeper, Tools, UpstreamTurn

logger = logging.getLogger("deep_chat_proxy.turn")

# Between the start of a turn and its first follower; seconds.
_ATTACHING = 5.0


class LiveTurn:
    """One turn; `log` holds what happens in it, `gone` is set when nothing of it runs any more."""

    def __init__(
        self, opened: OpenTurn, *, upstream: UpstreamTurn, tools: Tools, keeper: Keeper, limits: TurnLimits
    ) -> None:
        self.turn_id = opened.turn_id
        # Whoever picks a turn up counts its events anew.
        self.log_id = f"{opened.turn_id}.{secrets.token_hex(2)}" if opened.picked_up else opened.turn_id
        self.thread_id = opened.thread_id
        self.message = opened.message
        self.log = TurnLog(capacity=limits.log_events, max_text=limits.answer_characters)
        self.gone = asyncio.Event()
        self._opened = opened
        self._begun_at = time.monotonic()
        self._upstream = upstream
        self._keeper = keeper
        self._loop = TurnLoop(
            upstream,
            tools,
            keeper,
            self._emit,
            max_text=limits.answer_characters,
            max_rounds=limits.rounds,
            picked_up=opened.picked_up,
            watched=lambda: self.log.watched,
        )
        self._limits = limits
        self._followers = 0
        self._followed_once = False
        self._awaiting = 0
        self._grace: asyncio.TimerHandle | None = None
        self._playing: asyncio.Task[None] | None = None
        self._wanted_end: Failed | Stopped | None = Failed(FAILED) if opened.lost else None
        self._asked_to_end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._left = False
        self._seen = False
        self._first_text: float | None = None
        self.unkept = False
        """Whether it has ended and nothing of that is kept yet."""

    @property
    def followed(self) -> bool:
        """Whether a connection follows it now."""
        return self._followers > 0

    @property
    def stopping(self) -> bool:
        """Whether it was asked to end."""
        return self._wanted_end is not None

    @property
    def left(self) -> bool:
        """Whether it was left to the next process, where it is to be looked for from now on."""
        return self._left

    def answers(self, fingerprint: str) -> bool:
        """Whether it is the message with this fingerprint that it answers, and for so short a time that it must have been
        sent again.
        """
        young = time.monotonic() - self._begun_at <= self._limits.resend
        over = (
            self.stopping or self._opened.stopping or self._seen or isinstance(self.log.end, Failed | Stopped)
        )
        return young and not over and self.message.fingerprint == fingerprint

    @contextmanager
    def attached(self) -> Iterator[TurnLog]:
        """Follow the turn; leaving starts the grace period if nobody else follows."""
        self._followers += 1
        self._followed_once = True
        self._seen = self._seen or self.log.state.ended
        self._disarm()
        try:
            yield self.log
        finally:
            self._followers -= 1
            if not self._followers and not self.log.state.ended:
                self._unfollowed()

    @contextmanager
    def awaited(self) -> Iterator[None]:
        """The visitor's next message waits: the turn goes on only for as long as somebody follows it.

        A page that stops an answer closes its connection, and the next message may be here before that.
        """
        self._awaiting += 1
        if self._followed_once and not self.followed:
            self.stop()
        try:
            yield
        finally:
            self._awaiting -= 1

    def _unfollowed(self) -> None:
        if self._awaiting:
            self.stop()
        else:
            self._stop_in(self._limits.grace)

    def expect_follower(self) -> None:
        """Whoever sent the message is about to follow; if they are gone already, the grace period begins."""
        self._stop_in(max(self._limits.grace, _ATTACHING))

    def _stop_in(self, seconds: float) -> None:
        self._disarm()
        self._grace = asyncio.get_running_loop().call_later(seconds, self.stop)

    def stop(self, end: Failed | Stopped | None = None) -> bool:
        """Ask the turn to end, with `end` as its last event; the first one asked for counts.

        Returns False for a turn that has ended already.
        """
        if self.log.state.ended:
            return False
        if self._wanted_end is None:
            self._wanted_end = end or Stopped()
            self._asked_to_end.set_result(None)
            # Once: a second cancellation would break into what the first one has the turn clean up.
            if self._playing is not None:
                self._playing.cancel()
        return True

    def leave(self) -> bool:
        """Leave the turn to the next process: its followers are told to try again, the back end is told nothing.

        Returns False for a turn that is ending, which should be let end.
        """
        if self.log.state.ended or self.stopping:
            return False
        self._left = self.stop(Failed(SHUTTING_DOWN))
        return self._left

    def _disarm(self) -> None:
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None

    async def run(self, tasks: Tasks) -> None:
        """Play the turn, end it whatever happens, then let the back end's side go."""
        current_turn.set(self.turn_id)
        try:
            # It may have been stopped before it came here.
            if self._wanted_end is None:
                self._playing = tasks.start(self._play(), name=f"play {self.turn_id}")
                await asyncio.wait([self._playing, self._asked_to_end], return_when=asyncio.FIRST_COMPLETED)
            if self.stopping and not self._left:
                # Before it is cleared up after, which may take a while.
                await _whatever_happens(self._keeper.stopping())
            if self._playing is not None:
                await asyncio.wait([self._playing])
        finally:
            self._conclude()
            self._disarm()
            await self._let_go()

    async def _play(self) -> None:
        async with asyncio.timeout(self._limits.turn):
            await self._loop.play()

    def _emit(self, events: Sequence[TurnEvent]) -> None:
        try:
            self.log.extend(events)
        finally:
            if self._first_text is None and self.log.has_all_text_until(self.log.last_id):
                self._first_text = time.monotonic() - self._begun_at
            # Whoever follows it is gone soon after its end.
            self._seen = self._seen or (self.log.state.ended and self.followed)
        if self._opened.stopping and self.log.accepted:
            # What goes on of it at the back end is known now, so it can be ended there.
            self.stop()

    def _conclude(self) -> None:
        """Make sure that the log ends with a terminal event."""
        played = self._playing
        if played is None or played.cancelled() or not played.done():
            end = self._wanted_end or Failed(SHUTTING_DOWN)
        else:
            end = _failure(played.exception())
        if not self.log.state.ended:
            self._emit([end])
        logger.info("turn %s %s", self.turn_id, "left to the next process" if self._left else self.log.state)

    async def _let_go(self) -> None:
        """Have the back end's side end, and keep what the turn came to."""
        if self._left:
            await _whatever_happens(self._upstream.leave())
            return
        await _whatever_happens(self._upstream.close())
        self.unkept = True
        await _whatever_happens(self.keep())

    def outcome(self) -> TurnOutcome:
        """What became of it, once it is gone."""
        end = self.log.end
        problem = end.problem.code if isinstance(end, Failed) and not self._left else ""
        ended: Literal["completed", "stopped", "failed", "left"] = "failed"
        if self._left:
            ended = "left"
        elif isinstance(end, Completed | Stopped):
            ended = "completed" if isinstance(end, Completed) else "stopped"
        seconds = time.monotonic() - self._begun_at
        return TurnOutcome(ended, problem, seconds, self._first_text, self._loop.used)

    async def keep(self) -> None:
        """Keep what the turn came to."""
        await self._keeper.end(self.log.ended_as(self.turn_id, self.log_id), seen=self._seen)
        self.unkept = False


async def _whatever_happens(work: Awaitable[None]) -> None:
    """A fault of one part must not keep the others from being ended, nor the thread from its next turn."""
    try:
        await work
    except Exception as fault:  # noqa: BLE001 - see above
        _log_unexpected(fault)


def _failure(fault: BaseException | None) -> Failed:
    match fault:
        case None:
            return Failed(INTERNAL)
        case ChatError():
            logger.warning("turn %s: %s: %s", current_turn.get(), fault.problem.code, fault.cause)
            return Failed(fault.problem, fault.retry_after)
        case TimeoutError():
            logger.warning("turn %s: took longer than a turn may", current_turn.get())
            return Failed(TIMED_OUT)
        case _:
            _log_unexpected(fault)
            return Failed(INTERNAL)


def _log_unexpected(fault: BaseException) -> None:
    """Where it happened, and no more: the message of an unexpected exception may hold anything."""
    place = "".join(format_tb(fault.__traceback__))
    logger.error("turn %s: unexpected %s\n%s", current_turn.get(), type(fault).__name__, place)

"""All turns under way: one a thread, so many in all, and none that outlives the app.

A turn may be played by another process that shares the store. It is asked then: whoever follows, stops or waits for a
turn finds no difference.
"""

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from weakref import WeakValueDictionary

from deep_chat_proxy.errors import SERVER_BUSY, SHUTTING_DOWN, TURN_ACTIVE, ChatError
from deep_chat_proxy.tasks import Tasks
from deep_chat_proxy.turn.events import Failed
from deep_chat_proxy.turn.journal import EndedTurn, Journal, OpenTurn
from deep_chat_proxy.turn.limits import TurnLimits
from deep_chat_proxy.turn.live import LiveTurn
from deep_chat_proxy.turn.log import TurnLog
from deep_chat_proxy.turn.message import UserMessage
from deep_chat_proxy.turn.observer import Observer
from deep_chat_proxy.turn.others import Others, RemoteTurn, Waited
from deep_chat_proxy.turn.ports import Keeper, Tools, UpstreamTurn

logger = logging.getLogger("deep_chat_proxy.turn")

# A dialect ends what is open at the back end within ten seconds, or gives up; a tool may take longer to be
# stopped, which is no reason to keep a visitor waiting.
_CLEARING = 15.0
# Between two looks at a turn of another process that does not answer, in seconds, and how often a page that comes back
# waits for what becomes of one.
_LOOK_AGAIN = 0.2
_LOOKS = 3
# Between two looks for turns of processes that are no more, in seconds.
_LOOK_FOR_LEFT = 2.0

FollowedTurn = LiveTurn | RemoteTurn | EndedTurn
Opening = Callable[[OpenTurn], tuple[UpstreamTurn, Keeper]]


class LiveTurns:
    """Starts turns, finds those of a thread in whatever process, picks up those of processes that are no more, and
    ends its own with the app.
    """

    def __init__(
        self,
        limits: TurnLimits,
        tools: Tools,
        journal: Journal,
        opening: Opening,
        others: Others,
        *,
        observer: Observer | None = None,
    ) -> None:
        self._limits = limits
        self._tool_runner = tools
        self._journal = journal
        self._opening = opening
        self._others = others
        self._observer = observer
        self._tasks = Tasks()
        self._active: dict[str, LiveTurn] = {}
        # A turn is in the store before it is known here, so nothing else may begin or be picked up meanwhile.
        self._entering = asyncio.Lock()
        self._queues: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._unkept: deque[LiveTurn] = deque(maxlen=limits.live)
        self._closing = False

    def __len__(self) -> int:
        return len(self._active)

    @property
    def closing(self) -> bool:
        """Whether no new turns are taken any more."""
        return self._closing

    def active(self, thread_id: str) -> LiveTurn | None:
        """The turn that this process plays on this thread."""
        return self._active.get(thread_id)

    def has_answered(self, thread_id: str) -> bool:
        """Whether the turn that this process plays on this thread has come to its end, and is only being cleared away."""
        active = self.active(thread_id)
        return active is not None and active.log.state.ended

    async def entered(self, thread_id: str) -> LiveTurn | None:
        """As `active`; one that begins just now, which the store may know already, is waited for."""
        async with self._entering:
            return self.active(thread_id)

    async def newest(self, thread_id: str) -> FollowedTurn | None:
        """The turn that is under way on this thread, or else the one that ended last, while its end can be had."""
        for _ in range(_LOOKS):
            if (active := await self._active_or_left(thread_id)) is not None:
                return active
            process = await self._journal.elsewhere(thread_id)
            if process is None:
                return await self._journal.last(thread_id, self._limits.readable)
            if (turn := await self._others.follow(process, thread_id)) is not None:
                return turn
            await asyncio.sleep(_LOOK_AGAIN)
        return None

    async def _active_or_left(self, thread_id: str) -> LiveTurn | None:
        if thread_id not in self._active:
            # The process that had it may just have ended.
            await self.pick_up()
        return self.active(thread_id)

    async def saw(self, turn: FollowedTurn) -> None:
        """Somebody is shown the end of a turn that has ended."""
        if isinstance(turn, EndedTurn):
            await self._journal.saw(turn.turn_id)

    async def take(
        self, thread_id: str, visitor: str, message: UserMessage, *, first: bool = False
    ) -> FollowedTurn:
        """The turn that answers a message: a new one, or that of the same message where it was sent again.

        A new one owns the message's files; `first`: nothing was sent on the thread before. Raises ChatError where the
        thread's turn goes on for longer than `busy_wait`, where too many turns are under way or the server is going
        down; the files are still the caller's then. Whoever calls this sees it through: a turn that begins must not be
        lost.
        """
        # Whoever sends the message once more that is being answered need not wait for those in line behind it.
        if not self._closing and (active := self.active(thread_id)) and active.answers(message.fingerprint):
            return active
        deadline = asyncio.get_running_loop().time() + self._limits.busy_wait
        queue = self._queues.setdefault(thread_id, asyncio.Lock())
        try:
            async with asyncio.timeout_at(deadline + _CLEARING if queue.locked() else None):
                await queue.acquire()
        except TimeoutError:
            raise ChatError(TURN_ACTIVE, "too many messages wait for the thread") from None
        try:
            # Looked for only now: a message that waits for the store may be overtaken by the next one.
            if not (first or self._closing or thread_id in self._active):
                answered = await self._journal.unseen(thread_id, message, self._limits.resend)
                if answered is not None:
                    return answered
            return await self._take(OpenTurn(secrets.token_hex(6), thread_id, visitor, message), deadline)
        finally:
            queue.release()

    async def _take(self, opened: OpenTurn, deadline: float) -> FollowedTurn:
        """Wait for the thread, then begin; messages come here one after the other."""
        while True:
            if self._closing:
                raise ChatError(SHUTTING_DOWN)
            if (active := self.active(opened.thread_id)) is not None:
                if active.answers(opened.message.fingerprint):
                    return active
                await self.wait_for(active, deadline)
            elif (turn := await self._begin(opened)) is not None:
                return turn
            elif not await self.pick_up() and (found := await self._elsewhere(opened, deadline)) is not None:
                return found

    async def _elsewhere(self, opened: OpenTurn, deadline: float) -> RemoteTurn | EndedTurn | None:
        """The turn that another process plays on the thread, where it answers this message; else wait for it."""
        thread_id, message = opened.thread_id, opened.message
        process = await self._journal.elsewhere(thread_id)
        left = deadline - asyncio.get_running_loop().time()
        if process is not None:
            found = await self._others.take(process, thread_id, message.fingerprint, max(0.0, left))
            if not isinstance(found, Waited):
                return found
            if found is Waited.UNKNOWN:
                await self._wait_for_others(deadline)
        elif left <= 0:
            raise ChatError(TURN_ACTIVE, "one turn after the other begins on this thread in other processes")
        # It may have answered this very message, with nobody there any more to see it.
        return await self._journal.unseen(thread_id, message, self._limits.resend)

    async def _begin(self, opened: OpenTurn) -> LiveTurn | None:
        """Begin a turn; None where another process has one on the thread."""
        async with self._entering:
            if len(self._active) >= self._limits.live:
                raise ChatError(SERVER_BUSY, f"{self._limits.live} turns are under way")
            upstream, keeper = self._opening(opened)
            # One may have been picked up meanwhile, which counts as this process's own.
            if self._closing or opened.thread_id in self._active or not await keeper.begin():
                return None
            turn = self._start(opened, upstream, keeper)
        turn.expect_follower()
        return turn

    def _start(self, opened: OpenTurn, upstream: UpstreamTurn, keeper: Keeper) -> LiveTurn:
        turn = LiveTurn(
            opened, upstream=upstream, tools=self._tool_runner, keeper=keeper, limits=self._limits
        )
        self._active[opened.thread_id] = turn
        if self._observer is not None:
            # Whoever has begun it has told of its files.
            files = () if opened.picked_up else opened.message.attachments
            self._observer.turn_began(len(files), sum(file.size for file in files))
        self._tasks.start(self._run(turn), name=f"turn {turn.turn_id}")
        return turn

    async def stop(self, thread_id: str) -> bool:
        """Stop what goes on on a thread; False where nothing does."""
        if (active := await self._active_or_left(thread_id)) is not None:
            return active.stop()
        process = await self._journal.elsewhere(thread_id)
        return process is not None and await self._others.stop(process, thread_id)

    async def end(self, thread_id: str) -> None:
        """Stop what goes on on a thread, and wait until it is over. Raises ChatError where that takes too long."""
        await self.end_here(thread_id)
        if (process := await self._journal.elsewhere(thread_id)) is not None:
            await self._others.end(process, thread_id)

    async def end_here(self, thread_id: str) -> None:
        """As `end`, for a turn of this process."""
        active = await self.entered(thread_id)
        if active is None:
            return
        active.stop()
        try:
            async with asyncio.timeout(_CLEARING):
                await active.gone.wait()
        except TimeoutError:
            raise ChatError(TURN_ACTIVE, "the turn did not end in time") from None

    async def pick_up(self) -> Sequence[OpenTurn]:
        """Go on with the turns of processes that are no more; returns them."""
        async with self._entering:
            if self._closing:
                return ()
            found = await self._journal.adopt()
            for opened in found:
                logger.info("turn %s is picked up", opened.turn_id)
                self._start(opened, *self._opening(opened))
        return found

    async def look_after(self) -> None:
        """Pick up what other processes leave from now on, and write down how turns ended that the store refused to take
        at their end. Never returns.
        """
        while True:
            await asyncio.sleep(_LOOK_FOR_LEFT)
            try:
                await self.pick_up()
                while self._unkept:
                    await self._unkept[-1].keep()
                    self._unkept.pop()
            except Exception as fault:  # noqa: BLE001 - a store that fails now may work the next time
                logger.warning("the store does not take what turns came to: %s", type(fault).__name__)

    @staticmethod
    async def wait_for(turn: LiveTurn, deadline: float) -> None:
        """A turn that nobody follows gives way to the visitor's next message; another is waited for. Raises ChatError
        where it goes on at the `deadline`, a time of the running loop.

        `busy_wait` is for a turn that goes on; one that has ended or was stopped is only being cleared away.
        """
        try:
            with turn.awaited():
                if not turn.stopping:
                    async with asyncio.timeout_at(deadline):
                        await turn.log.ended()
                async with asyncio.timeout(_CLEARING):
                    await turn.gone.wait()
        except TimeoutError:
            raise ChatError(TURN_ACTIVE, "the turn before it did not end in time") from None

    @staticmethod
    async def _wait_for_others(deadline: float) -> None:
        if asyncio.get_running_loop().time() >= deadline:
            raise ChatError(TURN_ACTIVE, "another process has a turn on this thread")
        await asyncio.sleep(_LOOK_AGAIN)

    async def _run(self, turn: LiveTurn) -> None:
        try:
            await turn.run(self._tasks)
        finally:
            del self._active[turn.thread_id]
            turn.gone.set()
            if self._observer is not None:
                self._observer.turn_ended(turn.outcome())
            if turn.unkept:
                self._unkept.append(turn)

    async def close(self, within: float = 0.0, clearing: float = _CLEARING) -> None:
        """No new turns; those under way may end within so many seconds. The others are left to the next process
        where there can be one, or else ended, with an error that says to try again; that may take `clearing` seconds.
        """
        self._closing = True
        await asyncio.gather(self._gone(within), self._others.close(within))
        for turn in list(self._active.values()):
            if not (self._journal.durable and turn.leave()):
                turn.stop(Failed(SHUTTING_DOWN))
        await self._gone(clearing)
        await self._tasks.close()

    async def _gone(self, within: float) -> None:
        """Wait until no turn is under way, for at most so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await asyncio.gather(*(turn.gone.wait() for turn in self._active.values()))


@contextmanager
def attached(turn: FollowedTurn) -> Iterator[TurnLog]:
    """Follow a turn, whether it goes on or not."""
    if isinstance(turn, EndedTurn):
        yield TurnLog.of_ended(turn)
        return
    with turn.attached() as log:
        yield log

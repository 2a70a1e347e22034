"""All turns under way: one a thread, so many in all, and none that outlives the app."""

import asyncio
import secrets

from deep_chat_proxy.errors import SERVER_BUSY, SHUTTING_DOWN, TURN_ACTIVE, ChatError
from deep_chat_proxy.tasks import Tasks
from deep_chat_proxy.turn.events import Failed
from deep_chat_proxy.turn.limits import TurnLimits
from deep_chat_proxy.turn.live import LiveTurn
from deep_chat_proxy.turn.ports import Keeper, Tools, UpstreamTurn

# A dialect ends what is open at the back end within ten seconds, or gives up; a tool may take longer to be
# stopped, which is no reason to keep a visitor waiting.
_CLEARING = 15.0


class LiveTurns:
    """Starts turns, finds the active one of a thread, and ends them all with the app."""

    def __init__(self, limits: TurnLimits, tools: Tools) -> None:
        self._limits = limits
        self._tool_runner = tools
        self._tasks = Tasks()
        self._active: dict[str, LiveTurn] = {}
        self._closing = False

    def __len__(self) -> int:
        return len(self._active)

    def active(self, thread_id: str) -> LiveTurn | None:
        """The turn that is under way on this thread."""
        return self._active.get(thread_id)

    async def start(self, thread_id: str, upstream: UpstreamTurn, keeper: Keeper) -> LiveTurn:
        """Start a turn; from here on it owns `upstream` and closes it.

        Raises ChatError where the thread's turn goes on for longer than `busy_wait`, where too many turns
        are under way or the server is going down; `upstream` is still the caller's then.
        """
        await self._wait_for_thread(thread_id)
        if self._closing:
            raise ChatError(SHUTTING_DOWN)
        if len(self._active) >= self._limits.live:
            raise ChatError(SERVER_BUSY, f"{self._limits.live} turns are under way")
        turn = LiveTurn(
            secrets.token_hex(6),
            thread_id,
            upstream=upstream,
            tools=self._tool_runner,
            keeper=keeper,
            limits=self._limits,
        )
        self._active[thread_id] = turn
        self._tasks.start(self._run(turn), name=f"turn {turn.turn_id}")
        return turn

    async def _wait_for_thread(self, thread_id: str) -> None:
        """A turn that nobody follows gives way to the visitor's next message; another is waited for.

        `busy_wait` is for a turn that goes on; one that has ended or was stopped is only being cleared away.
        """
        deadline = asyncio.get_running_loop().time() + self._limits.busy_wait
        try:
            while (turn := self._active.get(thread_id)) is not None:
                with turn.awaited():
                    if not turn.stopping:
                        async with asyncio.timeout_at(deadline):
                            await turn.log.ended()
                    async with asyncio.timeout(_CLEARING):
                        await turn.gone.wait()
        except TimeoutError:
            raise ChatError(TURN_ACTIVE, "the turn before it did not end in time") from None

    async def _run(self, turn: LiveTurn) -> None:
        try:
            await turn.run(self._tasks)
        finally:
            del self._active[turn.thread_id]
            turn.gone.set()

    async def close(self) -> None:
        """No new turns; end those under way with an error that says to try again, and wait for them."""
        self._closing = True
        turns = list(self._active.values())
        for turn in turns:
            turn.stop(Failed(SHUTTING_DOWN))
        await asyncio.gather(*(turn.gone.wait() for turn in turns))
        await self._tasks.close()

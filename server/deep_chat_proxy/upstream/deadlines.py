"""Deadlines that are moved on all the time and seldom come: one timer for all of them, none for each."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf


class Deadline:
    """Calls `reached` where what is waited for takes too long."""

    __slots__ = ("_clock", "_due", "_reached")

    def __init__(self, clock: "Deadlines", reached: Callable[[], None]) -> None:
        self._clock = clock
        self._due = inf
        self._reached = reached

    def expect(self, seconds: float) -> None:
        """Something is waited for from now on, for so long at most."""
        clock = self._clock
        self._due = due = asyncio.get_running_loop().time() + seconds
        if due < clock.next:
            clock.look_at(due)

    def lift(self) -> None:
        """Nothing is waited for."""
        self._due = inf

    @property
    def due(self) -> float:
        """When it is reached, by the loop's clock."""
        return self._due

    def reach(self) -> None:
        """It is reached: nothing more is waited for."""
        self._due = inf
        self._reached()


class Deadlines:
    """All deadlines of a loop. The timer stands where the next one was when it was set; one that was moved on since is
    found then, so that moving it costs no more than a number.
    """

    # The timer is not set for times that are nearer to each other than this; seconds.
    _GRAIN = 0.02

    def __init__(self) -> None:
        self.open: set[Deadline] = set()
        self.next = inf
        self._timer: asyncio.TimerHandle | None = None

    @contextmanager
    def within(self, reached: Callable[[], None]) -> Iterator[Deadline]:
        """A deadline, for as long as its context lasts."""
        deadline = Deadline(self, reached)
        self.open.add(deadline)
        try:
            yield deadline
        finally:
            self.open.discard(deadline)

    def look_at(self, due: float) -> None:
        """Look for what is reached at that time, by the loop's clock."""
        if self._timer is not None:
            self._timer.cancel()
        self.next = due
        self._timer = asyncio.get_running_loop().call_at(due, self._look)

    def _look(self) -> None:
        self._timer, self.next = None, inf
        now = asyncio.get_running_loop().time()
        for deadline in [deadline for deadline in self.open if deadline.due <= now]:
            deadline.reach()
        following = min((deadline.due for deadline in self.open), default=inf)
        if following < self.next:
            self.look_at(max(following, now + self._GRAIN))

"""When the network is read: at once while the loop has time, in frames when it is busy.

A stream of tokens costs a server mostly by how often it is touched, not by how much it says. Nobody sees fifty
milliseconds; so under load a stream is left alone for a while after each read, and what came meanwhile is read, decoded
and written in one. While the loop is idle nothing waits.
"""

import asyncio
import time
from collections.abc import Callable
from heapq import heappop, heappush
from math import inf

# What part of the loop's time may be used before anything waits, and from what part on frames are as long as they may.
_EASY, _BUSY = 0.1, 0.4
# From what part on, for seconds, there is too little time for all that comes, so that frames grow further, and how many
# times as long they are where there is none left: whoever gets more words at a time leaves time for the others.
_TOO_BUSY, _NO_TIME, _LONGER = 0.8, 0.9, 3.0
# Seconds between two looks at how busy the loop is, how many of them make the average, and the one over seconds.
_LOOK = 0.05
_LOOKS, _MANY_LOOKS = 4, 40
# Frames shorter than this are not worth their timer, and streams whose frames end within it are woken together; seconds.
_GRAIN = 0.02
# So many streams are woken at once: what begins meanwhile comes in between. Seconds until the next ones.
_AT_ONCE, _NEXT = 64, 0.001
# A read of so many bytes says that there is more: it is the back end's speed that is to be kept then, not ours.
_PLENTY = 32 * 1024
# Frames that bring so few events in the mean, of about as many as these, do not pay; after so many reads it is tried again.
_TOO_FEW = 1.25
_MEAN_OF = 4
_TRY_AGAIN = 8


class FrameClock:
    """One clock for all streams of a loop. `longest` is how long a frame may become, in seconds (0: nothing waits), and a
    third of how long it may where the loop has no time left; `used` tells how long this thread has been at work, in
    seconds.
    """

    def __init__(self, longest: float, *, used: Callable[[], float] = time.thread_time) -> None:
        self._longest = longest
        self._measure = used
        self._load = self._strain = 0.0
        self._looked_at = -inf
        self._used = 0.0
        self._held: list[tuple[float, int, Hold]] = []
        self._count = 0
        self._due = inf
        self._timer: asyncio.TimerHandle | None = None

    @property
    def length(self) -> float:
        """How long a frame is now, in seconds; 0 while nothing waits."""
        length = self._longest * min(1.0, (self._load - _EASY) / (_BUSY - _EASY))
        if self._strain > _TOO_BUSY:
            length *= 1 + (_LONGER - 1) * min(1.0, (self._strain - _TOO_BUSY) / (_NO_TIME - _TOO_BUSY))
        return 0.0 if length < _GRAIN else length

    def add(self, hold: "Hold", *, patient: bool = False) -> bool:
        """Release `hold` when a frame is over that begins now, as long as may be where it is `patient`; False where
        nothing waits.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now - self._looked_at >= _LOOK:
            self._look(now)
        length = self.length
        if not length:
            return False
        if patient:
            length = min(length, self._longest) * _LONGER
        self._count += 1
        heappush(self._held, (now + length, self._count, hold))
        if now + length + _GRAIN < self._due:
            self._set(now + length)
        return True

    def _set(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        # Not asked of the timer: uvloop's no longer knows once it has come.
        self._due = when
        self._timer = asyncio.get_running_loop().call_at(when, self._tick)

    def _look(self, now: float) -> None:
        """See what part of the time since the last look this thread was at work."""
        used = self._measure()
        passed = now - self._looked_at
        if passed > 1:
            # It was so idle that nobody asked.
            self._load = self._strain = 0.0
        else:
            load = (used - self._used) / passed
            looks = passed / _LOOK
            self._load += (load - self._load) * min(1.0, looks / _LOOKS)
            self._strain += (load - self._strain) * min(1.0, looks / _MANY_LOOKS)
        self._looked_at, self._used = now, used

    def _tick(self) -> None:
        self._timer, self._due = None, inf
        now = asyncio.get_running_loop().time()
        until = now + _GRAIN
        held = self._held
        for _ in range(_AT_ONCE):
            if not held or held[0][0] > until:
                break
            heappop(held)[2].release()
        if held:
            over = held[0][0] <= until
            self._set(now + _NEXT if over else max(held[0][0], until))


class Hold:
    """Holds one stream back: what it brings stays in the kernel until its frame is over. One that is not `watched` may
    be held for longer: who waits for a whole answer does not see its words come.
    """

    __slots__ = ("_alone", "_brought", "_clock", "_held", "_transport", "_watched")

    def __init__(self, clock: FrameClock, watched: Callable[[], bool] = lambda: True) -> None:
        self._clock = clock
        self._watched = watched
        self._transport: asyncio.Transport | None = None
        self._held = False
        self._alone = 0
        self._brought = 2.0

    def gather(self, transport: asyncio.Transport | None, size: int, events: int) -> None:
        """The stream's last read had that many bytes and events: let the next ones gather, where that pays."""
        if transport is None or self._transport is not None or size >= _PLENTY or not self._pays(events):
            return
        if self._clock.add(self, patient=not self._watched()):
            transport.pause_reading()
            self._transport = transport
            self._held = True

    def _pays(self, events: int) -> bool:
        """Whether more than one event is to be expected of a frame: not where the last ones brought hardly more."""
        held, self._held = self._held, False
        if self._alone:
            self._alone -= 1
        elif held:
            self._brought += (events - self._brought) / _MEAN_OF
            if self._brought < _TOO_FEW:
                # The next frame that brings but one says it again.
                self._alone, self._brought = _TRY_AGAIN, _TOO_FEW
        return not self._alone

    def release(self) -> None:
        """Read on."""
        transport, self._transport = self._transport, None
        if transport is not None and not transport.is_closing():
            transport.resume_reading()

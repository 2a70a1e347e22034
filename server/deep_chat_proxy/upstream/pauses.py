"""How long to wait between two looks at what the back end is doing: pauses that grow, or its own wish."""

import asyncio
import time
from collections.abc import Mapping

from msgspec import Struct

_MAX_DIGITS = 10
# Most of a server's wish that is obeyed, in seconds.
_LONGEST_HINT = 10.0
_now = time.monotonic


class PollPace(Struct, frozen=True):
    """Pauses between two looks at a run, in seconds: the first, the longest, and how fast they grow.

    With these a run of ten seconds is looked at ten times, and the end of none is seen later than 1.05 seconds after it.
    """

    first: float = 0.6
    longest: float = 1.05
    growth: float = 1.75

    def pauses(self) -> "Pauses":
        """The pauses of one run."""
        return Pauses(self)


class Pauses:
    """How long to wait before the next look. Pauses count from the beginning of the look before, so that a back end
    that takes its time does not make answers late; it has half of each pause to itself.
    """

    def __init__(self, pace: PollPace) -> None:
        self._pace = pace
        self._next = pace.first
        self._looked_at: float | None = None

    async def wait(self, hint: float | None) -> None:
        """Wait for the next look; `hint` is the server's wish in seconds, if it has one."""
        pause = self.length(hint)
        if self._looked_at is not None:
            pause -= min(_now() - self._looked_at, pause / 2)
        await asyncio.sleep(pause)
        self._looked_at = _now()

    def length(self, hint: float | None) -> float:
        """How long the next pause is, in seconds; a hint makes it longer, up to ten of them, and never shorter, as some
        servers wish for more looks than a visitor has use for.
        """
        pause = self._next if hint is None else max(self._next, min(hint, _LONGEST_HINT))
        self._next = min(self._next * self._pace.growth, self._pace.longest)
        return pause


def poll_hint(headers: Mapping[str, str]) -> float | None:
    """`openai-poll-after-ms` in seconds, as OpenAI's own SDK reads it."""
    value = headers.get("openai-poll-after-ms", "")
    return int(value) / 1000 if value.isdecimal() and len(value) < _MAX_DIGITS else None

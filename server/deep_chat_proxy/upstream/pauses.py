"""How long to wait between two looks at what the back end is doing: pauses that grow, or its own wish."""

import asyncio
from collections.abc import Mapping

from msgspec import Struct

_MAX_DIGITS = 10


class PollPace(Struct, frozen=True):
    """Pauses between two looks at a run, in seconds: the first, the longest, and how fast they grow."""

    first: float = 0.4
    longest: float = 1.0
    growth: float = 1.5

    def pauses(self) -> "Pauses":
        """The pauses of one run."""
        return Pauses(self)


class Pauses:
    """How long to wait before the next look."""

    def __init__(self, pace: PollPace) -> None:
        self._pace = pace
        self._next = pace.first

    async def wait(self, hint: float | None) -> None:
        """Wait for the next look; `hint` is the server's wish in seconds, if it has one."""
        await asyncio.sleep(self.length(hint))

    def length(self, hint: float | None) -> float:
        """How long the next pause is, in seconds; a hint is obeyed up to ten of them."""
        pause = self._next if hint is None else min(max(hint, self._pace.first), 10.0)
        self._next = min(self._next * self._pace.growth, self._pace.longest)
        return pause


def poll_hint(headers: Mapping[str, str]) -> float | None:
    """`openai-poll-after-ms` in seconds, as OpenAI's own SDK reads it."""
    value = headers.get("openai-poll-after-ms", "")
    return int(value) / 1000 if value.isdecimal() and len(value) < _MAX_DIGITS else None

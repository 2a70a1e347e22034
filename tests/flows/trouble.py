"""Many visitors at once, of a server whose back end fails in every way there is."""

import asyncio
import math
import random
from collections import Counter
from collections.abc import Iterator

from deep_chat_proxy import Settings
from flows.fault_proxy import FaultProxy
from flows.faults import Cut, Events, Fault, Moment, Point, Refuse, Reset, Seen, Split, Stall
from flows.scenes import SENTENCES
from flows.visitor import CSV, Visitor, answer_of

# More would only keep one another waiting for the processor.
AT_ONCE = 30
# Seconds after which the server gives up.
DEADLINES = {name: 0.3 for name in Settings.__struct_fields__ if name.endswith("_timeout")} | {
    "turn_timeout": 3,
    "tool_timeout": 30,
}
TEXTS = ("hello", "weather in Paris and Tokyo", "count to 20")
CUTS: tuple[Point, ...] = (Moment.BEFORE, Moment.DONE, *map(Events, (0, 1, 2, 4, 7, 11, 16)))
FAULTS: tuple[Fault, ...] = (
    *(Stall(at) for at in (Moment.BEFORE, Moment.DONE, Events(1), Events(6))),
    *(Cut(at) for at in CUTS),
    *(Reset(at) for at in (Moment.DONE, Events(3))),
    *(Refuse(status) for status in (500, 503, 429)),
    *(Refuse(429, {"Retry-After": wait}) for wait in ("0.05", "60")),
    Split(100),
)
# Seconds until a turn has ended, with the clearing away of the one before it.
_LONGEST = 30
# Of each fault, for each request.
CHANCE = 0.08


class Trouble:
    """Visitors of the server at `url`, whose back end is behind `proxy`; `ended` counts what they were told,
    `faults` what happened.
    """

    def __init__(self, url: str, proxy: FaultProxy, seed: int) -> None:
        self.ended: Counter[str] = Counter()
        self.faults: Counter[Fault] = Counter()
        self._url = url
        self._proxy = proxy
        self._random = random.Random(seed)

    async def talk(self, turns: int) -> None:
        """Have this many turns; returns when every visitor has closed their connections."""
        plans = [self._proxy.fail(fault, self._by_chance, times=math.inf) for fault in FAULTS]
        left = iter(range(turns))
        async with asyncio.TaskGroup() as group:
            for number in range(AT_ONCE):
                group.create_task(self._visit(left), name=f"visitor {number}")
        self._proxy.lift()
        self._proxy.forget()
        self.faults.update({plan.fault: plan.hits for plan in plans})

    def _by_chance(self, _: Seen) -> bool:
        return self._random.random() < CHANCE

    async def _visit(self, left: Iterator[int]) -> None:
        async with Visitor.at(self._url) as visitor:
            for _ in left:
                files = [CSV] if self._random.random() < 0.1 else []
                stream = self._random.random() < 0.6
                async with (
                    asyncio.timeout(_LONGEST),
                    visitor.saying(self._random.choice(TEXTS), *files, stream=stream) as response,
                ):
                    answer = await answer_of(response)
                assert answer.error in SENTENCES or answer.text, answer
                self.ended[answer.error or "answered"] += 1
                if self._random.random() < 0.1:
                    visitor.jar.clear()

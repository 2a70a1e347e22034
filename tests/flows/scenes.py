"""Messages whose back end fails in the middle of their turn, at one step of it or from there on, and what becomes of
them.
"""

import asyncio
import gc
import math
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager
from typing import Any, NamedTuple

from deep_chat_proxy import Settings, errors
from deep_chat_proxy.errors import Problem
from flows.fault_proxy import FaultProxy
from flows.faults import Fault, Passed, Plan, Seen, on, since
from flows.server import back_end
from flows.troubled import troubled
from flows.visitor import Answer, Visitor
from playing import until

SHORT: dict[str, Any] = {
    **{name: 1 for name in Settings.__struct_fields__ if name.endswith("_timeout")},
    "tool_timeout": 30,
    "turn_timeout": 60,
}
"""Seconds after which the server gives up on a call; the end of the turn saves nobody then."""
TURN_TIMEOUT = 4
"""Seconds after which it gives up on a turn whose back end goes on failing, whatever its calls come to."""
QUESTION = "weather in Paris and Tokyo"
WEATHER = "Here is the weather:\n\n- **Paris**: 21 °C, partly cloudy\n- **Tokyo**: 25 °C, sunny\n"
SENTENCES = {found.sentence for found in vars(errors).values() if isinstance(found, Problem)}
_AT_ONCE = 48
# Of those that do more than wait.
_BUSY = 4
# Seconds that an answer may come after the end of its turn, on a machine that is busy.
_SLACK = 3
_ID = re.compile(r"(?<=/)(thread|run|resp|conv)_\w+")


class Step(NamedTuple):
    """One of the requests of a turn, the `nth` of its kind, whose answer has so many events."""

    method: str
    path: str
    nth: int
    events: int

    @classmethod
    def each(cls, requests: Iterable[Passed]) -> list["Step"]:
        """All of a turn. What is only asked again and again, as a run is, is one."""
        counts: Counter[Seen] = Counter()
        steps = []
        for request in requests:
            kind = Seen(request.seen.method, _ID.sub("*", request.seen.path))
            counts[kind] += 1
            if kind.method != "GET" or counts[kind] == 1:
                steps.append(cls(*kind, counts[kind], request.events))
        return steps


class Harm(NamedTuple):
    """A fault at one step of a turn; a `lasting` one comes with all that follows, too, until it is lifted."""

    fault: Fault
    step: Step
    lasting: bool = False

    def plan(self, proxy: FaultProxy) -> Plan:
        when, nth = on(self.step.method, self.step.path), self.step.nth
        if self.lasting:
            return proxy.fail(self.fault, since(when, nth), times=math.inf)
        return proxy.fail(self.fault, when, nth=nth)


class Outcome(NamedTuple):
    """Whether the fault came, after how many seconds the answer did, and the answer to the next message, which tells
    whether the thread `goes_on`.
    """

    happened: bool
    took: float
    answer: Answer
    after: Answer
    goes_on: bool

    @property
    def told(self) -> bool:
        """Whether the visitor has a whole answer, or a sentence that says why not."""
        if self.answer.error is not None:
            return self.answer.error in SENTENCES and (self.answer.is_stream or self.answer.status >= 400)
        return self.answer.text == WEATHER

    @property
    def right(self) -> bool:
        """Whether it is what every outcome must be."""
        in_time = self.took < TURN_TIMEOUT + _SLACK
        return self.happened and in_time and self.told and self.goes_on

    def __str__(self) -> str:
        said = [(one.status, one.error or one.text) for one in (self.answer, self.after)]
        return f"happened={self.happened}, {self.took:.1f} s, {said}"


class Scene(NamedTuple):
    """A message that makes the assistant use its tools: the first of its thread, or a later one."""

    dialect: str
    follow: str = "stream"
    later: bool = False
    stream: bool = True

    async def steps(self) -> list[Step]:
        """What its turn asks of the back end where nothing is wrong; a first one with what the server asks before."""
        async with (
            back_end() as (base_url, _),
            FaultProxy.before(base_url) as proxy,
            self._server(proxy, SHORT) as visitor,
        ):
            before = await self._begin(proxy, visitor)
            answer = await visitor.say(QUESTION, stream=self.stream)
            assert answer.text == WEATHER
            await until(lambda: len(proxy.passed) == len(proxy.requests))
            return Step.each(proxy.passed[before:])

    async def play(self, harm: Harm, base_url: str, busy: asyncio.Semaphore) -> Outcome:
        """What becomes of it, and of the next message after the fault was lifted.

        Few are `busy` at once: a server that soon gives up on a back end that hangs would do so where many others keep
        a sound one waiting.
        """
        async with AsyncExitStack() as stack:
            async with busy:
                proxy = await stack.enter_async_context(FaultProxy.before(base_url))
                plan = None if self.later else harm.plan(proxy)
                deadlines = SHORT | {"turn_timeout": TURN_TIMEOUT} if harm.lasting else SHORT
                visitor = await stack.enter_async_context(self._server(proxy, deadlines))
                await self._begin(proxy, visitor)
                plan = plan or harm.plan(proxy)
            began = time.monotonic()
            answer = await visitor.say(QUESTION, stream=self.stream)
            took = time.monotonic() - began
            async with busy:
                proxy.lift()
                after = await visitor.say("what is my name?", thread_id=answer.thread_id)
        expected = "Your name is Ada." if self.later else "You have not told me your name."
        # How often a run is asked for depends on how fast it is.
        happened = plan.hits > 0 or harm.step.method == "GET"
        return Outcome(happened, took, answer, after, after.text == expected)

    def _server(
        self, proxy: FaultProxy, deadlines: Mapping[str, Any]
    ) -> AbstractAsyncContextManager[Visitor]:
        return troubled(proxy, self.dialect, follow=self.follow, **deadlines)

    async def _begin(self, proxy: FaultProxy, visitor: Visitor) -> int:
        """Have what comes before it; returns how many requests that took."""
        if self.later:
            await visitor.say("my name is Ada")
            await until(lambda: len(proxy.passed) == len(proxy.requests))
        return len(proxy.passed) if self.later else 0


async def wrong(
    scenes: Iterable[tuple[Scene, Harm]], holds: Callable[[Outcome], bool] = lambda _: True
) -> list[str]:
    """Those that did not end as they must, or otherwise than so that this `holds`; some are played at once."""
    places, busy = asyncio.Semaphore(_AT_ONCE), asyncio.Semaphore(_BUSY)

    async def play(scene: Scene, harm: Harm, base_url: str) -> str | None:
        async with places:
            try:
                found = await scene.play(harm, base_url, busy)
            except Exception as fault:  # noqa: BLE001 - told with the scene
                return f"{scene} {harm}: {fault!r}"
        return None if found.right and holds(found) else f"{scene} {harm}: {found}"

    with _short_collections():
        async with back_end() as (base_url, _), asyncio.TaskGroup() as group:
            playing = [group.create_task(play(*each, base_url)) for each in scenes]
    assert playing
    return [result for task in playing if (result := task.result()) is not None]


@contextmanager
def _short_collections() -> Iterator[None]:
    """Nothing that is there already is looked at for garbage, which takes as long as a server waits."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()

"""A server with a fault proxy between it and its back end, and a turn of two rounds of tools that they play."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

from yarl import URL

from deep_chat_proxy import create_app, tool
from deep_chat_proxy.local_openai.state import LocalState
from deep_chat_proxy.upstream.pauses import Pauses
from flows.fault_proxy import FaultProxy
from flows.faults import Fault, on
from flows.scenes import Step
from flows.server import DIALECTS, back_end, serving, settings_for
from flows.upstream_view import active, conversations
from flows.visitor import Visitor
from playing import until

QUICK = 0.2
TEXT = "weather in Paris then in Rome"


class Outcome(NamedTuple):
    """What came of the turn: the text that is shown at the end, what the tools were run for, what the back end holds of
    the conversation, and how many messages of the visitor's it counts in it.
    """

    text: str
    ran: tuple[str, ...]
    held: object
    counted: str


class Between:
    """The server at `url`; `state` is what its back end holds."""

    def __init__(self, url: str, proxy: FaultProxy, state: LocalState, ran: list[str]) -> None:
        self.url = url
        self.proxy = proxy
        self.state = state
        self._ran = ran

    async def steps(self) -> list[Step]:
        """What the turn asks of the back end where nothing is wrong."""
        async with Visitor.at(self.url) as visitor:
            await visitor.say("my name is Ada")
            await self._quiet()
            before = len(self.proxy.passed)
            await visitor.say(TEXT, stream=True)
            await self._quiet()
        return Step.each(self.proxy.passed[before:])

    async def _quiet(self) -> None:
        await until(lambda: len(self.proxy.passed) == len(self.proxy.requests))

    async def outcome(self, fault: Fault | None = None, step: Step | None = None) -> Outcome:
        """Play the turn, with a fault at one of its steps; raises AssertionError where it has not come."""
        async with Visitor.at(self.url) as visitor:
            await visitor.say("my name is Ada")
            self._ran.clear()
            plan = None
            if fault is not None and step is not None:
                plan = self.proxy.fail(fault, on(step.method, step.path), nth=step.nth)
            answer = await visitor.say(TEXT, stream=True)
            self.proxy.lift()
            assert plan is None or plan.hits
            return await self._outcome(visitor, answer.error or answer.text)

    async def _outcome(self, visitor: Visitor, text: str) -> Outcome:
        await until(lambda: not active(self.state))
        held, ran = conversations(self.state), tuple(self._ran)
        count = await visitor.say("how many messages?")
        return Outcome(text, ran, held[-1] if held else None, count.text)


@asynccontextmanager
async def between(dialect: str, **chosen: Any) -> AsyncIterator[Between]:
    """Run all three; `chosen` are settings of the server."""
    ran: list[str] = []

    @tool
    async def get_weather(location: str, unit: str = "celsius") -> str:
        """The weather of a place."""
        ran.append(f"{location} in {unit}")
        return "21 degrees"

    wanted = {**DIALECTS[dialect], **({"hosted_tools": ()} if dialect == "responses" else {}), **chosen}
    async with back_end() as (base_url, state), FaultProxy.to(URL(base_url).port or 0) as proxy:
        app = create_app(settings_for(proxy.base_url, **wanted), tools=[get_weather])
        async with serving(app) as port:
            # What is polled for is looked at sooner than is polite.
            with patch.object(Pauses, "length", lambda *_: QUICK):
                yield Between(f"http://127.0.0.1:{port}", proxy, state, ran)

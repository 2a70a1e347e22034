"""Leaving turns in their middle, as a visitor does who stops them."""

import asyncio
from contextlib import aclosing

from deep_chat_proxy.turn.events import UpstreamEvent
from deep_chat_proxy.turn.message import Attachment, UserMessage
from deep_chat_proxy.turn.ports import UpstreamTurn
from deep_chat_proxy.upstream.assistants.dialect import AssistantsDialect
from playing import FakeThread
from upstream.backend import Answer, Seen
from upstream.playing import WAIT


def a_turn(
    dialect: AssistantsDialect, *attachments: Attachment, thread_id: str | None = None
) -> UpstreamTurn:
    return dialect.turn(FakeThread(thread_id), UserMessage("Hello", attachments))


async def stop_after(turn: UpstreamTurn, batches: int) -> list[UpstreamEvent]:
    """Follow a turn for so many batches, then leave it and close it."""
    events: list[UpstreamEvent] = []
    async with asyncio.timeout(WAIT):
        async with aclosing(turn.start()) as stream:
            for _ in range(batches):
                events += await anext(stream)
        await turn.close()
    return events


class Held:
    """A reaction that waits until it is let go, and tells when the request is there."""

    def __init__(self, answer: Answer) -> None:
        self.asked = asyncio.Event()
        self.go = asyncio.Event()
        self._answer = answer

    async def __call__(self, _seen: Seen) -> Answer:
        self.asked.set()
        await self.go.wait()
        return self._answer


async def stop_while(turn: UpstreamTurn, held: Held) -> None:
    """Stop a turn while its call is on its way; the call is answered while the turn is being closed."""

    async def follow() -> None:
        async with aclosing(turn.start()) as stream:
            async for _ in stream:
                pass

    async with asyncio.timeout(WAIT), asyncio.TaskGroup() as group:
        following = group.create_task(follow())
        await held.asked.wait()
        following.cancel()
        await asyncio.wait([following])
        closing = group.create_task(turn.close())
        await asyncio.sleep(0)
        held.go.set()
        await closing

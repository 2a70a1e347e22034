"""What a turn tells of sources and files, whenever it does."""

import asyncio
from collections.abc import Sequence

from deep_chat_proxy.turn.events import Cited, Completed, FileMade, TextDelta, TextReplaced, UpstreamEvent
from deep_chat_proxy.turn.message import UserMessage
from deep_chat_proxy.turn.ports import Dialect, UpstreamTurn
from playing import FakeThread
from upstream.playing import WAIT


async def events_of(turn: UpstreamTurn) -> list[UpstreamEvent]:
    """Everything that a turn tells until it ends, or asks for the outputs of tools."""
    async with asyncio.timeout(WAIT):
        try:
            return [event async for batch in turn.start() for event in batch]
        finally:
            await turn.close()


async def told(dialect: Dialect, text: str = "Hello") -> list[UpstreamEvent]:
    """Everything that is told in answer to a message."""
    return await events_of(dialect.turn(FakeThread(), UserMessage(text)))


def named(events: Sequence[UpstreamEvent]) -> set[Cited | FileMade]:
    """The sources and files among events that end well; each comes once, and its marker or place behind its text."""
    assert isinstance(events[-1], Completed)
    found = [event for event in events if isinstance(event, Cited | FileMade)]
    assert len(found) == len(set(found))
    for event in found:
        so_far = _text(events[: events.index(event)])
        assert event.marker in so_far
        assert isinstance(event, FileMade) or event.after in so_far
    return set(found)


def _text(events: Sequence[UpstreamEvent]) -> str:
    text = ""
    for event in events:
        if isinstance(event, TextDelta):
            text += event.text
        elif isinstance(event, TextReplaced):
            text = event.text
    return text

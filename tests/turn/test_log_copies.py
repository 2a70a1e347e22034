"""A log that is kept the same as another one, by what is sent of it."""

import random
from collections.abc import Sequence

import msgspec
import pytest

from deep_chat_proxy.turn.events import (
    Accepted,
    ChatFile,
    Completed,
    FileKind,
    FileReady,
    Source,
    SourcesListed,
    Status,
    TextDelta,
    TextReplaced,
    ToolEnded,
    ToolStarted,
    TurnEvent,
    Usage,
)
from deep_chat_proxy.turn.log import LogCopy, TurnLog
from playing import follow, soon

FILE = ChatFile("file-1", "table.csv", FileKind.ANY)
SOURCES = (Source(1, "A page", "https://a.example"), Source(2, "A file", file=FILE))
EVENTS: list[list[TurnEvent]] = [
    [TextDelta("Hello ")],
    [TextDelta("all at once", whole=True)],
    [TextReplaced("Instead ")],
    [Status("Thinking…")],
    [ToolStarted("call-1", "ring", "Ringing…"), ToolEnded("call-1", "ring", ok=False)],
    [FileReady(FILE)],
    [SourcesListed("\n\n1. A page", SOURCES)],
    [Usage(3, 4)],
]
_sent: msgspec.msgpack.Decoder[LogCopy | tuple[TurnEvent, ...]] = msgspec.msgpack.Decoder(
    LogCopy | tuple[TurnEvent, ...]
)


def sent(part: LogCopy | Sequence[TurnEvent]) -> LogCopy | tuple[TurnEvent, ...]:
    """What comes of it in another process."""
    return _sent.decode(msgspec.msgpack.encode(part))


@pytest.mark.parametrize("seed", range(20))
async def test_a_copy_gives_whoever_comes_the_same_as_the_log_itself(seed: int) -> None:
    chance = random.Random(seed)
    log = TurnLog(capacity=chance.choice([1, 3, 100]), max_text=10_000)
    parts = log.copied()
    first = sent(await soon(anext(parts)))
    assert isinstance(first, LogCopy)
    copy = TurnLog.of_copy(first)
    log.extend([Accepted()])
    for _ in range(30):
        log.extend(chance.choice(EVENTS))
        if chance.random() < 0.4:
            take(copy, await soon(anext(parts)))
            check_same(copy, log)
    log.extend([Completed()])
    async for part in parts:
        take(copy, part)
    check_same(copy, log)
    assert copy.end == Completed()


def take(copy: TurnLog, part: LogCopy | Sequence[TurnEvent]) -> None:
    match sent(part):
        case LogCopy() as whole:
            copy.become(whole)
        case added:
            copy.extend(added)


def check_same(copy: TurnLog, log: TurnLog) -> None:
    assert (copy.state, copy.text, copy.files, copy.sources) == (log.state, log.text, log.files, log.sources)
    for event_id in range(log.last_id + 2):
        assert copy.after(event_id) == log.after(event_id)
        assert copy.anew(event_id) == log.anew(event_id)
        assert copy.has_all_text_until(event_id) == log.has_all_text_until(event_id)


async def test_who_follows_a_copy_hears_of_what_it_becomes() -> None:
    log = TurnLog(capacity=2, max_text=100)
    copy = TurnLog.of_copy(await soon(anext(log.copied())))  # type: ignore[arg-type]
    news = follow(copy)
    log.extend([Accepted(), TextDelta("one "), TextDelta("two"), Completed()])
    copy.become(await soon(anext(log.copied())))  # type: ignore[arg-type]

    assert [batch async for batch in news] == [(4, [Accepted(), TextReplaced("one two"), Completed()])]

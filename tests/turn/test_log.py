"""The event log: whoever follows, from wherever, has the same in front of them in the end."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deep_chat_proxy.errors import FAILED, ChatError
from deep_chat_proxy.turn.events import (
    Accepted,
    ChatFile,
    Completed,
    Failed,
    FileKind,
    FileReady,
    Source,
    SourcesListed,
    Status,
    Stopped,
    TextDelta,
    TextReplaced,
    ToolEnded,
    ToolStarted,
    TurnEvent,
)
from deep_chat_proxy.turn.journal import EndedTurn
from deep_chat_proxy.turn.log import TurnLog
from deep_chat_proxy.turn.sources import listed
from deep_chat_proxy.turn.states import IllegalEventError, TurnState
from playing import folded, follow, followed, settle, soon

STARTED: list[TurnEvent] = [Accepted()]


def file_ready(number: int) -> FileReady:
    return FileReady(ChatFile(f"file-{number}", "data.csv", FileKind.ANY))


def log_of(events: Sequence[TurnEvent], *, capacity: int = 100, max_text: int = 1000) -> TurnLog:
    log = TurnLog(capacity=capacity, max_text=max_text)
    for event in events:
        log.extend([event])
    return log


async def test_a_follower_gets_what_was_there_and_what_comes_up_to_the_end() -> None:
    log = log_of([Accepted(), TextDelta("One")])
    batches: list[tuple[int, Sequence[TurnEvent]]] = []

    async def remember() -> None:
        async for batch in follow(log):
            batches.append(batch)  # noqa: PERF401 - what came so far is looked at

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(remember())
        await settle()
        log.extend([TextDelta(" two"), TextDelta(" three")])
        await settle()
        log.extend([Completed()])

    assert batches == [
        (2, [Accepted(), TextDelta("One")]),
        (4, [TextDelta(" two"), TextDelta(" three")]),
        (5, [Completed()]),
    ]


async def test_a_slow_follower_gets_what_gathered_in_one_batch() -> None:
    log = log_of(STARTED)
    following = follow(log)
    assert await soon(anext(following)) == (1, [Accepted()])

    log.extend([TextDelta("a")])
    log.extend([TextDelta("b"), Completed()])

    assert await soon(anext(following)) == (4, [TextDelta("a"), TextDelta("b"), Completed()])
    with pytest.raises(StopAsyncIteration):
        await soon(anext(following))


async def test_a_follower_who_comes_after_the_end_gets_all_of_it() -> None:
    assert await followed(log_of([Accepted(), TextDelta("Hi"), Completed()])) == [
        Accepted(),
        TextDelta("Hi"),
        Completed(),
    ]


async def test_a_follower_who_has_seen_all_gets_nothing_more() -> None:
    assert await followed(log_of([Accepted(), Completed()]), 2) == []


async def test_a_follower_who_names_an_event_gets_the_text_anew_as_it_may_have_more_of_it() -> None:
    log = log_of([Accepted(), TextDelta("a"), file_ready(1), TextDelta("b"), file_ready(2), Completed()])

    assert await followed(log, 3) == [TextReplaced("ab"), file_ready(2), Completed()]


async def test_a_follower_who_names_an_event_behind_all_text_gets_none_of_it() -> None:
    log = log_of([Accepted(), TextDelta("a"), file_ready(1), Completed()])

    assert await followed(log, 2) == [file_ready(1), Completed()]


async def test_a_follower_who_names_the_newest_event_gets_what_comes_as_it_comes() -> None:
    log = log_of([Accepted(), TextDelta("a")])
    async with asyncio.TaskGroup() as group:
        following = group.create_task(followed(log, 2))
        await settle()
        log.extend([TextDelta("b"), Completed()])

    assert following.result() == [TextDelta("b"), Completed()]


@pytest.mark.parametrize("event_id", [4, 10**12])
async def test_an_event_of_another_turn_counts_as_none(event_id: int) -> None:
    assert await followed(log_of([Accepted(), TextDelta("a"), Completed()]), event_id) == [
        Accepted(),
        TextDelta("a"),
        Completed(),
    ]


async def test_one_who_comes_when_the_beginning_is_gone_gets_the_text_so_far_and_the_files() -> None:
    log = log_of(
        [
            Accepted(),
            TextDelta("Once"),
            file_ready(1),
            TextDelta(" upon"),
            ToolStarted("c", "clock", "Looking"),
            ToolEnded("c", "clock", ok=True),
            TextDelta(" a"),
            file_ready(2),
            Completed(),
        ],
        capacity=4,
    )

    assert await followed(log) == [
        Accepted(),
        TextReplaced("Once upon a"),
        file_ready(1),
        ToolEnded("c", "clock", ok=True),
        file_ready(2),
        Completed(),
    ]


async def test_a_file_that_was_seen_is_not_shown_again() -> None:
    log = log_of(
        [Accepted(), file_ready(1), TextDelta("a"), file_ready(2), TextDelta("b"), Completed()], capacity=2
    )

    assert await followed(log, 2) == [TextReplaced("ab"), file_ready(2), Completed()]


async def test_text_that_was_replaced_is_not_kept() -> None:
    log = log_of(
        [Accepted(), TextDelta("x" * 900), TextReplaced("y" * 900), TextReplaced("z" * 900), Completed()]
    )

    assert await followed(log, 1) == [TextReplaced("z" * 900), Completed()]
    assert (log.text, log.last_id) == ("z" * 900, 5)


events_between = st.lists(
    st.one_of(
        st.text(alphabet="ab", max_size=3).map(TextDelta),
        st.text(alphabet="cd", max_size=3).map(TextReplaced),
        st.integers(1, 9).map(file_ready),
        st.just(Status("Looking")),
    ),
    max_size=25,
)


@given(events_between, st.integers(1, 12), st.data())
def test_what_a_follower_sees_from_any_event_on_adds_up_to_the_whole(
    between: list[TurnEvent], capacity: int, data: st.DataObject
) -> None:
    events = [Accepted(), *between, Completed()]
    log = log_of(events, capacity=capacity)
    seen = data.draw(st.integers(0, len(events)))

    last_id, rest = log.after(seen)

    assert last_id == len(events)
    assert folded(rest, folded(events[:seen])) == folded(events) == log.text
    files = [event.file for event in [*events[:seen], *rest] if isinstance(event, FileReady)]
    assert files == log.files
    assert (rest[-1:] == [Completed()]) is (seen < len(events))


@given(st.lists(events_between, max_size=6), st.integers(1, 8))
def test_a_follower_of_a_turn_under_way_ends_with_the_whole_text(
    batches: list[list[TurnEvent]], capacity: int
) -> None:
    async def follow() -> tuple[str, str]:
        log = log_of(STARTED, capacity=capacity)
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            follower = group.create_task(followed(log))
            for batch in batches:
                log.extend(batch)
                await asyncio.sleep(0)
            log.extend([Completed()])
        return folded(follower.result()), log.text

    seen, text = asyncio.run(follow())

    assert seen == text


def test_an_answer_of_the_longest_length_is_taken() -> None:
    assert (
        len(
            log_of(
                [Accepted(), TextDelta("x" * 10), TextReplaced("y" * 5), TextDelta("z" * 5)], max_text=10
            ).text
        )
        == 10
    )


@pytest.mark.parametrize("too_much", [TextDelta("y"), TextReplaced("y" * 11)])
def test_one_character_more_is_refused_and_not_kept(too_much: TurnEvent) -> None:
    log = log_of([Accepted(), TextDelta("x" * 10)], max_text=10)

    with pytest.raises(ChatError) as raised:
        log.extend([Status("kept"), too_much, Status("not reached")])

    assert raised.value.problem is FAILED
    assert (log.text, log.last_id) == ("x" * 10, 3)


async def test_followers_hear_of_the_events_before_one_that_is_refused() -> None:
    log = log_of(STARTED)
    following = follow(log, 1)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(soon(anext(following)))
        await settle()
        with pytest.raises(IllegalEventError):
            log.extend([TextDelta("a"), Accepted()])

    assert waiting.result() == (2, [TextDelta("a")])


@pytest.mark.parametrize("end", [Completed(), Stopped(), Failed(FAILED)])
async def test_waiting_for_the_end_returns_with_it(end: TurnEvent) -> None:
    log = log_of(STARTED)
    async with asyncio.TaskGroup() as group:
        group.create_task(soon(log.ended()))
        await settle()
        assert log.end is None
        log.extend([end])

    assert log.end == end


@pytest.mark.parametrize(
    ("event", "accepted"), [(Accepted(), True), (Failed(FAILED), False), (Stopped(), False)]
)
async def test_a_turn_has_begun_when_it_is_accepted_or_ended_before(event: TurnEvent, accepted: bool) -> None:
    log = log_of([Status("Uploading")])
    async with asyncio.TaskGroup() as group:
        begun = group.create_task(soon(log.begun()))
        await settle()
        assert not begun.done()
        log.extend([event])

    assert log.accepted is accepted


async def test_a_follower_who_leaves_is_forgotten() -> None:
    log = log_of(STARTED)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(log.ended())
        await settle()
        waiting.cancel()

    assert not log._takers
    log.extend([Completed()])
    assert log.state is TurnState.COMPLETED


@given(events_between, st.integers(1, 12), st.data())
def test_it_is_known_whether_whoever_has_seen_so_much_has_all_text_of_the_answer(
    between: list[TurnEvent], capacity: int, data: st.DataObject
) -> None:
    events = [Accepted(), *between]
    seen = data.draw(st.integers(0, len(events)))
    texts = [at for at, event in enumerate(events, 1) if isinstance(event, TextDelta | TextReplaced)]

    log = log_of(events, capacity=capacity)
    known = log.has_all_text_until(seen)

    assert known is (log.text != "" and max(texts) <= seen)


@given(events_between, st.sampled_from([Completed(), Stopped(), Failed(FAILED)]), st.data())
def test_a_turn_that_ended_before_is_told_as_far_as_somebody_has_not_seen_it(
    between: list[TurnEvent], end: TurnEvent, data: st.DataObject
) -> None:
    events = [Accepted(), *between, end]
    before = log_of(events)
    seen = data.draw(st.integers(0, len(events)))

    ended = before.ended_as("turn-1", "turn-1.2")
    log = TurnLog.of_ended(msgspec.json.decode(msgspec.json.encode(ended), type=EndedTurn))
    rest = asyncio.run(followed(log, seen))

    assert (log.text, log.files, log.end, log.last_id) == (
        before.text,
        before.files,
        end,
        before.last_id,
    )
    files = [event.file for event in [*events[:seen], *rest] if isinstance(event, FileReady)]
    assert files == log.files
    if seen < len(events):
        assert rest[-1] == end
        assert folded(rest, folded(events[:seen])) == folded(events)


def test_of_a_turn_that_goes_on_nothing_can_be_kept_yet() -> None:
    with pytest.raises(ValueError, match="goes on"):
        log_of(STARTED).ended_as("turn-1", "turn-1.2")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time; a test sets it."""
    now = [100.0]
    monkeypatch.setattr("deep_chat_proxy.turn.log.time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def test_a_turn_is_silent_since_its_last_sign_of_life(clock: list[float]) -> None:
    log = log_of(STARTED)
    clock[0] += 30
    assert log.silent_for == 30

    log.extend([])
    assert (log.silent_for, log.last_id) == (0, 1)
    clock[0] += 5
    log.extend([TextDelta("a")])
    clock[0] += 2
    assert log.silent_for == 2


def test_a_turn_is_not_silent_while_its_tools_run(clock: list[float]) -> None:
    log = log_of([Accepted(), ToolStarted("c", "clock", "Looking")])
    clock[0] += 1000
    assert log.silent_for == 0

    log.extend([ToolEnded("c", "clock", ok=True), TextDelta("a")])
    clock[0] += 3
    assert log.silent_for == 3


async def test_a_sign_of_life_wakes_no_follower(clock: list[float]) -> None:
    log = log_of(STARTED)
    async with asyncio.TaskGroup() as group:
        following = group.create_task(followed(log, 1))
        await settle()
        clock[0] += 1
        log.extend([])
        await settle()
        assert not following.done()
        log.extend([Completed()])

    assert following.result() == [Completed()]


SOURCES = (Source(1, "S", "https://s.example"), Source(2, "a.pdf"))
LIST = SourcesListed(listed(SOURCES), SOURCES)


async def test_the_list_of_sources_is_text_of_the_answer() -> None:
    log = log_of([*STARTED, TextDelta("One."), LIST, Completed()])

    assert log.text == folded(await followed(log)) == f"One.{LIST.text}"
    assert log.sources == SOURCES


async def test_sources_come_again_with_the_text_of_whoever_may_have_missed_some() -> None:
    log = log_of([*STARTED, TextDelta("One."), LIST, Completed()])

    assert await followed(log, 1) == [TextReplaced("One."), LIST, Completed()]
    assert await followed(log, 3) == [Completed()]


async def test_sources_are_kept_of_a_turn_that_ended() -> None:
    ended = log_of([*STARTED, TextDelta("One."), LIST, Completed()]).ended_as("turn-1", "log-1")
    again = TurnLog.of_ended(msgspec.json.decode(msgspec.json.encode(ended), type=EndedTurn))

    assert (again.text, again.sources) == (ended.text, SOURCES)
    assert await followed(again, 1) == [TextReplaced("One."), LIST, Completed()]


def test_what_was_kept_before_there_were_sources_can_be_read() -> None:
    kept = msgspec.json.decode(msgspec.json.encode(log_of([*STARTED, Completed()]).ended_as("t", "l")))
    del kept["sources"]

    assert msgspec.convert(kept, EndedTurn).sources == ()


async def test_whoever_takes_what_comes_is_asked_by_whoever_brings_it_until_they_do_not() -> None:
    log = log_of(STARTED)
    taken: list[int] = []

    def take() -> bool:
        taken.append(log.last_id)
        return len(taken) < 3

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(log.while_taken(take))
        await settle()
        for piece in "abcd":
            log.extend([TextDelta(piece)])
        assert taken == [2, 3, 4]


async def test_whoever_takes_what_comes_is_woken_at_the_end_without_being_asked() -> None:
    log = log_of(STARTED)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(log.while_taken(lambda: pytest.fail("the end is for the woken")))
        await settle()
        log.extend([Completed()])

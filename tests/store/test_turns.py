"""The turns of a store: one a thread, found by whoever comes next, and how they ended for as long as it matters."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deep_chat_proxy.errors import FAILED
from deep_chat_proxy.store.processes import Process
from deep_chat_proxy.store.records import ThreadRecord
from deep_chat_proxy.store.sqlite import SqliteStore
from deep_chat_proxy.store.turns import SqliteTurns
from deep_chat_proxy.turn.events import (
    ChatFile,
    Completed,
    Cut,
    Failed,
    FileKind,
    Stopped,
    TerminalEvent,
    ToolCall,
    ToolOutput,
)
from deep_chat_proxy.turn.journal import EndedTurn, OpenTurn
from deep_chat_proxy.turn.message import Attachment, UserMessage
from playing import ended_turn, opened_turn

FILE = (4, ChatFile("f1", 'ü "x".csv', FileKind.ANY))
CALLS = [ToolCall("call_1", "weather", '{"location": "Oslo"}'), ToolCall("call_2", "clock", "{}")]
NOON = ToolOutput("call_2", "noon", ok=False)


def ended(turn_id: str = "turn-1", end: TerminalEvent | None = None) -> EndedTurn:
    return ended_turn(turn_id, files=[FILE], end=end)


class Shop:
    """A store in a file, and the turns of as many processes as a test wants; two threads, `thread-1` and `thread-2`."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "store.sqlite3"
        self._home = folder / "store.processes"
        self._open: list[tuple[SqliteStore, Process]] = []

    async def process(self, **options: float) -> SqliteTurns:
        store = await SqliteStore.open(str(self._path))
        process = await asyncio.to_thread(Process, self._home)
        if not self._open:
            for number in (1, 2):
                await store.add_thread(ThreadRecord(f"thread-{number}", "visitor-1"))
        self._open.append((store, process))
        return SqliteTurns(store.database, process, **options)

    async def die(self, which: int = 0) -> None:
        """Let a process go without a word, as when it is killed."""
        store, process = self._open.pop(which)
        await store.close()
        await process.close()

    async def close(self) -> None:
        while self._open:
            await self.die()


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    shop = Shop(tmp_path)
    yield shop
    await shop.close()


@pytest.fixture
async def turns(shop: Shop) -> SqliteTurns:
    return await shop.process()


async def test_a_thread_has_one_turn_at_a_time(shop: Shop, turns: SqliteTurns) -> None:
    other = await shop.process()
    assert await turns.begin(opened_turn("turn-1"))

    assert not await other.begin(opened_turn("turn-2"))
    assert await other.begin(opened_turn("turn-3", thread_id="thread-2"))
    await turns.end(ended("turn-1"), seen=True)
    assert await other.begin(opened_turn("turn-4"))


async def test_of_processes_that_begin_a_turn_at_once_one_does(shop: Shop) -> None:
    processes = [await shop.process() for _ in range(4)]
    begun = await asyncio.gather(
        *(turns.begin(opened_turn(f"turn-{number}")) for number, turns in enumerate(processes))
    )

    assert sorted(begun) == [False, False, False, True]


async def test_a_turn_that_a_process_of_its_own_never_ended_does_not_keep_the_thread_for_ever(
    turns: SqliteTurns,
) -> None:
    assert await turns.begin(opened_turn("turn-1"))
    assert await turns.begin(opened_turn("turn-2"))

    assert await turns.last("thread-1", 60) is None


async def test_a_living_process_keeps_its_turns(shop: Shop, turns: SqliteTurns) -> None:
    other = await shop.process()
    await turns.begin(opened_turn())

    assert await other.adopt() == []
    assert await turns.adopt() == []


async def test_the_turn_of_a_process_that_died_is_adopted_as_it_was(shop: Shop, turns: SqliteTurns) -> None:
    attachment = Attachment(Path("/spool/ä"), 'ü "x".csv', "text/csv", FileKind.ANY, 3, "ab" * 32)
    text = "Grüße \N{ROCKET}\0'; DROP TABLE turn; --"
    await turns.begin(opened_turn(text=text, attachments=(attachment,)))
    other = await shop.process()
    await shop.die()

    assert await other.adopt() == [
        OpenTurn("turn-1", "thread-1", "visitor-1", UserMessage(text, (attachment,)), picked_up=True)
    ]


async def test_an_adopted_turn_is_that_of_its_new_process(shop: Shop, turns: SqliteTurns) -> None:
    await turns.begin(opened_turn())
    other, third = await shop.process(), await shop.process()
    await shop.die()

    assert len(await other.adopt()) == 1
    assert await third.adopt() == []
    assert not await third.begin(opened_turn("turn-2"))
    await shop.die()
    assert len(await third.adopt()) == 1


async def test_each_turn_is_given_to_one_process_only(shop: Shop, turns: SqliteTurns) -> None:
    await turns.begin(opened_turn("turn-1"))
    await turns.begin(opened_turn("turn-2", thread_id="thread-2"))
    others = [await shop.process() for _ in range(4)]
    await shop.die()

    adopted = await asyncio.gather(*(turns.adopt() for turns in others))

    assert sorted(turn.turn_id for some in adopted for turn in some) == ["turn-1", "turn-2"]


async def test_a_turn_that_was_asked_to_end_says_so_to_whoever_adopts_it(
    shop: Shop, turns: SqliteTurns
) -> None:
    await turns.begin(opened_turn())
    await turns.stopping("turn-1")
    other = await shop.process()
    await shop.die()

    assert [turn.stopping for turn in await other.adopt()] == [True]


async def test_a_turn_that_its_processes_die_of_again_and_again_is_given_up(
    shop: Shop, turns: SqliteTurns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deep_chat_proxy.store.turns._MOST_PICKED_UP", 3)
    await turns.begin(opened_turn())
    lost = []
    for _ in range(5):
        other = await shop.process()
        await shop.die()
        lost += [turn.lost for turn in await other.adopt()]

    assert lost == [False, False, False, True, True]


async def test_an_end_that_somebody_was_shown_afterwards_is_no_answer_to_the_same_words(
    turns: SqliteTurns,
) -> None:
    await turns.begin(opened_turn(text="Hello"))
    await turns.end(ended(), seen=False)
    await turns.saw("turn-1")

    assert await turns.unseen("thread-1", UserMessage("Hello"), 60) is None
    assert await turns.last("thread-1", 60) == ended()


async def test_a_turn_that_ended_is_adopted_by_nobody(shop: Shop, turns: SqliteTurns) -> None:
    await turns.begin(opened_turn())
    await turns.end(ended(), seen=False)
    other = await shop.process()
    await shop.die()

    assert await other.adopt() == []


async def test_calls_of_a_new_turn_have_not_been_begun_before(turns: SqliteTurns) -> None:
    await turns.begin(opened_turn())

    assert await turns.begin_calls("turn-1", CALLS, picked_up=False) == {}
    assert await turns.begin_calls("turn-1", CALLS, picked_up=False) == {}


async def test_whoever_picks_a_turn_up_knows_its_calls_and_their_outputs(
    shop: Shop, turns: SqliteTurns
) -> None:
    await turns.begin(opened_turn())
    await turns.begin_calls("turn-1", CALLS, picked_up=False)
    await turns.call_ended("turn-1", NOON)
    other = await shop.process()
    await shop.die()

    for _ in range(2):
        assert await other.begin_calls("turn-1", CALLS, picked_up=True) == {"call_1": None, "call_2": NOON}


@pytest.mark.parametrize(
    "asked",
    [
        ToolCall("call_2", "clock", '{"zone": "UTC"}'),
        ToolCall("call_2", "weather", "{}"),
        ToolCall("call_3", "clock", "{}"),
    ],
)
async def test_a_call_that_asks_for_something_else_is_another_one(
    turns: SqliteTurns, asked: ToolCall
) -> None:
    await turns.begin(opened_turn())
    await turns.begin_calls("turn-1", CALLS, picked_up=False)
    await turns.call_ended("turn-1", NOON)

    assert await turns.begin_calls("turn-1", [asked], picked_up=True) == {}


async def test_the_calls_of_a_later_round_take_the_place_of_those_before(turns: SqliteTurns) -> None:
    await turns.begin(opened_turn())
    await turns.begin_calls("turn-1", CALLS, picked_up=False)
    await turns.call_ended("turn-1", NOON)
    await turns.begin_calls("turn-1", CALLS[1:], picked_up=False)

    assert await turns.begin_calls("turn-1", CALLS, picked_up=True) == {"call_2": None}


async def test_calls_of_different_turns_with_the_same_ids_are_different(turns: SqliteTurns) -> None:
    await turns.begin(opened_turn("turn-1"))
    await turns.begin(opened_turn("turn-2", thread_id="thread-2"))
    await turns.begin_calls("turn-1", CALLS, picked_up=False)
    await turns.begin_calls("turn-2", CALLS, picked_up=False)
    await turns.call_ended("turn-1", NOON)

    assert await turns.begin_calls("turn-2", CALLS, picked_up=True) == {"call_1": None, "call_2": None}


@pytest.mark.parametrize(
    "end",
    [Completed(), Completed(Cut.LENGTH), Stopped(), Failed(FAILED, 3.5)],
)
async def test_how_a_turn_ended_can_be_had_whole(turns: SqliteTurns, end: TerminalEvent) -> None:
    await turns.begin(opened_turn())
    await turns.end(ended(end=end), seen=True)

    assert await turns.last("thread-1", 60) == ended(end=end)


async def test_the_end_of_a_turn_can_be_had_for_so_long_and_of_its_own_thread(turns: SqliteTurns) -> None:
    await turns.begin(opened_turn())
    await turns.end(ended(), seen=True)

    assert await turns.last("thread-1", -1) is None
    assert await turns.last("thread-2", 60) is None


async def test_of_the_turns_of_a_thread_the_last_one_counts(turns: SqliteTurns) -> None:
    for number in range(3):
        await turns.begin(opened_turn(f"turn-{number}"))
        await turns.end(ended(f"turn-{number}"), seen=True)

    assert await turns.last("thread-1", 60) == ended("turn-2")


async def test_a_turn_that_goes_on_has_no_end_and_hides_those_before_it(
    shop: Shop, turns: SqliteTurns
) -> None:
    other = await shop.process()
    await turns.begin(opened_turn("turn-1"))
    await turns.end(ended("turn-1"), seen=True)
    await turns.begin(opened_turn("turn-2"))

    assert await other.last("thread-1", 60) is None


async def test_an_answer_that_nobody_saw_is_found_once_by_the_message_that_comes_again(
    turns: SqliteTurns,
) -> None:
    await turns.begin(opened_turn(text="Hello"))
    await turns.end(ended(), seen=False)

    assert await turns.unseen("thread-1", UserMessage("Hello!"), 60) is None
    assert await turns.unseen("thread-2", UserMessage("Hello"), 60) is None
    assert await turns.unseen("thread-1", UserMessage("Hello"), -1) is None
    assert await turns.unseen("thread-1", UserMessage("Hello"), 60) == ended()
    assert await turns.unseen("thread-1", UserMessage("Hello"), 60) is None


async def test_an_answer_that_somebody_saw_is_no_answer_to_the_same_words(turns: SqliteTurns) -> None:
    await turns.begin(opened_turn(text="Hello"))
    await turns.end(ended(), seen=True)

    assert await turns.unseen("thread-1", UserMessage("Hello"), 60) is None


@pytest.mark.parametrize("end", [Stopped(), Failed(FAILED)])
async def test_what_came_to_nothing_is_asked_anew(turns: SqliteTurns, end: TerminalEvent) -> None:
    await turns.begin(opened_turn(text="Hello"))
    await turns.end(ended(end=end), seen=False)

    assert await turns.unseen("thread-1", UserMessage("Hello"), 60) is None


async def test_only_the_newest_answer_of_a_thread_can_be_that_of_a_message_that_comes_again(
    turns: SqliteTurns,
) -> None:
    await turns.begin(opened_turn("turn-1", text="Hello"))
    await turns.end(ended("turn-1"), seen=False)
    await turns.begin(opened_turn("turn-2", text="And now?"))
    await turns.end(ended("turn-2"), seen=True)

    assert await turns.unseen("thread-1", UserMessage("Hello"), 60) is None


async def test_the_files_of_messages_that_are_being_answered_are_known_to_every_process(
    shop: Shop, turns: SqliteTurns
) -> None:
    other = await shop.process()
    paths = [Path("/spool/1"), Path("/spool/2")]
    for number, path in enumerate(paths, 1):
        sent = Attachment(path, "a", "text/plain", FileKind.ANY, 1, "0")
        await turns.begin(opened_turn(f"turn-{number}", thread_id=f"thread-{number}", attachments=(sent,)))
    assert await other.files() == set(paths)

    await turns.end(ended("turn-1"), seen=True)
    assert await other.files() == {paths[1]}


async def test_what_a_turn_needed_to_be_picked_up_does_not_stay_when_it_has_ended(turns: SqliteTurns) -> None:
    await turns.begin(opened_turn())
    await turns.checkpoint(opened_turn(), b"somewhere")
    await turns.begin_calls("turn-1", CALLS, picked_up=False)
    await turns.end(ended(), seen=True)

    assert await turns.begin_calls("turn-1", CALLS, picked_up=True) == {}


async def test_turns_in_memory_are_left_to_nobody(turns: SqliteTurns) -> None:
    store = await SqliteStore.open(":memory:")
    await store.add_thread(ThreadRecord("thread-1", "visitor-1"))
    in_memory = SqliteTurns(store.database, Process(None))
    begun = await in_memory.begin(opened_turn())
    adopted = await in_memory.adopt()
    await store.close()

    assert (begun, adopted) == (True, [])
    assert (in_memory.durable, turns.durable) == (False, True)


async def test_what_a_turn_came_to_is_kept_for_as_long_as_it_can_be_read_and_no_longer(shop: Shop) -> None:
    turns, forgetful = await shop.process(), await shop.process(kept=0.0)
    await turns.begin(opened_turn("turn-1"))
    await turns.end(ended("turn-1"), seen=True)
    assert await turns.begin(opened_turn("turn-2", thread_id="thread-2"))
    assert await turns.last("thread-1", 60) == ended("turn-1")

    await turns.end(ended("turn-2"), seen=True)
    await forgetful.clear_away()
    assert await turns.last("thread-1", 60) is None


async def test_no_turn_that_goes_on_is_cleared_away_however_long_it_does(shop: Shop) -> None:
    turns, forgetful = await shop.process(), await shop.process(kept=-1000.0)
    await turns.begin(opened_turn("turn-1"))
    await forgetful.begin(opened_turn("turn-2", thread_id="thread-2"))

    assert not await forgetful.begin(opened_turn("turn-3"))

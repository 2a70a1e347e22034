"""What a store remembers of a conversation, and in what order it forgets it."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deep_chat_proxy.store.records import ThreadRecord
from deep_chat_proxy.store.sqlite import SqliteStore
from deep_chat_proxy.tasks import Tasks
from deep_chat_proxy.turn.events import FileKind, ToolCall, ToolOutput
from deep_chat_proxy.turn.transcript import (
    Anchor,
    AnchorKind,
    AssistantSaid,
    AttachedFile,
    CallsMade,
    Entry,
    Memory,
    OutputsGiven,
    UserSaid,
)

PLENTY = 1_000_000
EARLIER, NOW = "turn-1", "turn-2"
CONVERSATION = Anchor(AnchorKind.CONVERSATION, "conv_1")
ENTRIES: tuple[Entry, ...] = (
    UserSaid("Grüße \N{ROCKET}", (AttachedFile("a.png", "image/png", FileKind.IMAGE, key="k"),)),
    CallsMade((ToolCall("call_1", "get_weather", '{"location": "Paris"}'),), "Let me see."),
    OutputsGiven((ToolOutput("call_1", "sunny", ok=False),)),
    AssistantSaid("It is sunny."),
)


@pytest.fixture
async def store() -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(":memory:")
    await store.add_thread(ThreadRecord("t", "v"))
    yield store
    await store.close()


async def test_what_was_said_is_remembered_as_it_was(store: SqliteStore) -> None:
    await store.record("t", EARLIER, ENTRIES[:2])
    await store.record("t", EARLIER, ENTRIES[2:])

    assert await store.memory("t", NOW, PLENTY) == Memory(None, ENTRIES, 0)


async def test_the_anchor_covers_what_was_there_when_it_was_said_to(store: SqliteStore) -> None:
    await store.record("t", EARLIER, ENTRIES[:2], anchor=CONVERSATION, covered=True)
    await store.record("t", EARLIER, ENTRIES[2:])

    assert await store.memory("t", NOW, PLENTY) == Memory(CONVERSATION, ENTRIES, 2)


async def test_a_forgetting_leaves_what_the_turn_itself_has_said(store: SqliteStore) -> None:
    await store.record("t", EARLIER, ENTRIES[:1], anchor=CONVERSATION, covered=True)
    await store.record("t", NOW, ENTRIES[1:2])
    await store.record("t", NOW, ENTRIES[2:3], anchor=CONVERSATION, covered=True, forget=True)

    assert await store.memory("t", "turn-3", PLENTY) == Memory(CONVERSATION, ENTRIES[1:3], 2)


async def test_what_comes_after_a_forgetting_is_not_covered(store: SqliteStore) -> None:
    await store.record("t", EARLIER, ENTRIES[:3], anchor=CONVERSATION, covered=True)
    await store.record("t", NOW, forget=True)
    assert await store.memory("t", NOW, PLENTY) == Memory(CONVERSATION, (), 0)

    await store.record("t", NOW, ENTRIES[3:])
    assert await store.memory("t", "turn-3", PLENTY) == Memory(CONVERSATION, ENTRIES[3:], 0)


async def test_whoever_picks_a_turn_up_knows_what_it_has_said_from_what_was_before(
    store: SqliteStore,
) -> None:
    await store.record("t", EARLIER, ENTRIES[:1], anchor=CONVERSATION, covered=True)
    await store.record("t", NOW, ENTRIES[1:3])

    assert await store.memory("t", NOW, PLENTY) == Memory(
        CONVERSATION, ENTRIES[:1], 1, own=ENTRIES[1:3], own_covered=0
    )


async def test_the_anchor_holds_what_the_turn_itself_has_said_where_that_was_written_with_it(
    store: SqliteStore,
) -> None:
    await store.record("t", EARLIER, ENTRIES[:1])
    await store.record("t", NOW, ENTRIES[1:2], anchor=CONVERSATION, covered=True)
    await store.record("t", NOW, ENTRIES[2:3])

    assert await store.memory("t", NOW, PLENTY) == Memory(
        CONVERSATION, ENTRIES[:1], 1, own=ENTRIES[1:3], own_covered=1
    )


async def test_the_newest_thing_that_an_anchor_holds_is_remembered_with_it(store: SqliteStore) -> None:
    anchor = Anchor(AnchorKind.CONVERSATION, "conv_1", "msg_7")
    await store.record("t", EARLIER, anchor=anchor)
    assert (await store.memory("t", NOW, PLENTY)).anchor == anchor

    await store.record("t", EARLIER, anchor=CONVERSATION)
    assert (await store.memory("t", NOW, PLENTY)).anchor == CONVERSATION


async def test_a_new_anchor_holds_nothing_of_what_was_said(store: SqliteStore) -> None:
    await store.record("t", EARLIER, ENTRIES, anchor=Anchor(AnchorKind.RESPONSE, "resp_1"), covered=True)
    await store.record("t", EARLIER, anchor=CONVERSATION)

    assert await store.memory("t", NOW, PLENTY) == Memory(CONVERSATION, ENTRIES, 0)


async def test_a_restart_leaves_neither_anchor_nor_entries(store: SqliteStore) -> None:
    await store.record("t", EARLIER, ENTRIES, anchor=CONVERSATION, covered=True)
    await store.restart("t")
    assert await store.memory("t", NOW, PLENTY) == Memory()

    await store.record("t", EARLIER, ENTRIES[:1])
    assert await store.memory("t", NOW, PLENTY) == Memory(None, ENTRIES[:1], 0)


async def test_of_a_long_conversation_the_newest_part_is_read(store: SqliteStore) -> None:
    said = [AssistantSaid(f"{number}" * 100) for number in range(10)]
    await store.record("t", EARLIER, said, anchor=CONVERSATION, covered=True)
    await store.record("t", EARLIER, [UserSaid("new")])

    memory = await store.memory("t", NOW, 500)

    assert memory.entries == (*said[-3:], UserSaid("new"))
    assert memory.covered == 3


async def test_threads_know_nothing_of_each_other(store: SqliteStore) -> None:
    await store.add_thread(ThreadRecord("u", "v"))
    await store.record("t", EARLIER, ENTRIES, anchor=CONVERSATION, covered=True)
    await store.record("u", EARLIER, ENTRIES[:1])
    await store.restart("t")

    assert await store.memory("u", NOW, PLENTY) == Memory(None, ENTRIES[:1], 0)


async def test_records_of_two_processes_at_once_are_all_there(tmp_path: Path) -> None:
    path = str(tmp_path / "store.sqlite3")
    one, other = await SqliteStore.open(path), await SqliteStore.open(path)
    await one.add_thread(ThreadRecord("t", "v"))
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        for number in range(40):
            group.create_task(
                (one, other)[number % 2].record("t", EARLIER, [UserSaid(str(number))], covered=True)
            )

    memory = await one.memory("t", NOW, PLENTY)
    await one.close()
    await other.close()

    assert {entry.text for entry in memory.entries if isinstance(entry, UserSaid)} == {
        str(number) for number in range(40)
    }
    assert memory.covered == 40


async def test_a_write_whose_visitor_has_gone_is_done_and_the_next_ones_too(tmp_path: Path) -> None:
    path = str(tmp_path / "store.sqlite3")
    store = await SqliteStore.open(path)
    await store.add_thread(ThreadRecord("t", "v"))
    # Another process that writes makes ours wait, so that it is stopped in the middle of its transaction.
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")
    tasks = Tasks()
    writing = tasks.start(store.record("t", EARLIER, ENTRIES[:1]), name="a visitor who leaves")
    await asyncio.sleep(0)
    writing.cancel()
    await asyncio.wait([writing])
    await asyncio.to_thread(other.execute, "COMMIT")
    other.close()
    await store.record("t", EARLIER, ENTRIES[1:])
    memory = await store.memory("t", NOW, PLENTY)
    await store.close()

    assert memory.entries == ENTRIES

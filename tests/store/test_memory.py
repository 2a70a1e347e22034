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
CONVERSATION = Anchor(AnchorKind.CONVERSATION, "conv_1")
ENTRIES: tuple[Entry, ...] = (
    UserSaid("Grüße \N{ROCKET}", (AttachedFile("a.png", "image/png", FileKind.IMAGE, key="k"),)),
    CallsMade((ToolCall("call_1", "get_weather", '{"location": "Paris"}'),), "Let me see."),
    OutputsGiven((ToolOutput("call_1", "sunny", ok=False),)),
    AssistantSaid("It is sunny."),
)
# The tables as the first version made them, with a thread in them.
FIRST_VERSION = """
CREATE TABLE thread (
    thread_id TEXT PRIMARY KEY, visitor TEXT NOT NULL, dialect TEXT NOT NULL, upstream_id TEXT,
    created_at INTEGER NOT NULL DEFAULT (unixepoch())
) WITHOUT ROWID;
CREATE TABLE file (
    file_id TEXT PRIMARY KEY, thread_id TEXT NOT NULL REFERENCES thread ON DELETE CASCADE, visitor TEXT NOT NULL,
    upstream_id TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (unixepoch())
) WITHOUT ROWID;
CREATE INDEX file_of_thread ON file (thread_id);
INSERT INTO thread (thread_id, visitor, dialect, upstream_id) VALUES ('t', 'v', 'assistants', 'thread_1');
INSERT INTO thread (thread_id, visitor, dialect, upstream_id) VALUES ('new', 'v', 'assistants', NULL);
INSERT INTO file (file_id, thread_id, visitor, upstream_id, name, kind)
VALUES ('f', 't', 'v', 'file-1', 'a.csv', 'any');
"""


@pytest.fixture
async def store() -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(":memory:")
    await store.add_thread(ThreadRecord("t", "v"))
    yield store
    await store.close()


async def test_what_was_said_is_remembered_as_it_was(store: SqliteStore) -> None:
    await store.record("t", ENTRIES[:2])
    await store.record("t", ENTRIES[2:])

    assert await store.memory("t", PLENTY) == Memory(None, ENTRIES, 0)


async def test_the_anchor_covers_what_was_there_when_it_was_said_to(store: SqliteStore) -> None:
    await store.record("t", ENTRIES[:2], anchor=CONVERSATION, covered=True)
    await store.record("t", ENTRIES[2:])

    assert await store.memory("t", PLENTY) == Memory(CONVERSATION, ENTRIES, 2)


async def test_what_comes_after_a_forgetting_is_not_covered(store: SqliteStore) -> None:
    await store.record("t", ENTRIES[:3], anchor=CONVERSATION, covered=True, forget=True)
    assert await store.memory("t", PLENTY) == Memory(CONVERSATION, (), 0)

    await store.record("t", ENTRIES[3:])
    assert await store.memory("t", PLENTY) == Memory(CONVERSATION, ENTRIES[3:], 0)


async def test_a_new_anchor_holds_nothing_of_what_was_said(store: SqliteStore) -> None:
    await store.record("t", ENTRIES, anchor=Anchor(AnchorKind.RESPONSE, "resp_1"), covered=True)
    await store.record("t", anchor=CONVERSATION)

    assert await store.memory("t", PLENTY) == Memory(CONVERSATION, ENTRIES, 0)


async def test_a_restart_leaves_neither_anchor_nor_entries(store: SqliteStore) -> None:
    await store.record("t", ENTRIES, anchor=CONVERSATION, covered=True)
    await store.restart("t")
    assert await store.memory("t", PLENTY) == Memory()

    await store.record("t", ENTRIES[:1])
    assert await store.memory("t", PLENTY) == Memory(None, ENTRIES[:1], 0)


async def test_of_a_long_conversation_the_newest_part_is_read(store: SqliteStore) -> None:
    said = [AssistantSaid(f"{number}" * 100) for number in range(10)]
    await store.record("t", said, anchor=CONVERSATION, covered=True)
    await store.record("t", [UserSaid("new")])

    memory = await store.memory("t", 500)

    assert memory.entries == (*said[-3:], UserSaid("new"))
    assert memory.covered == 3


async def test_threads_know_nothing_of_each_other(store: SqliteStore) -> None:
    await store.add_thread(ThreadRecord("u", "v"))
    await store.record("t", ENTRIES, anchor=CONVERSATION, covered=True)
    await store.record("u", ENTRIES[:1])
    await store.restart("t")

    assert await store.memory("u", PLENTY) == Memory(None, ENTRIES[:1], 0)


async def test_records_of_two_processes_at_once_are_all_there(tmp_path: Path) -> None:
    path = str(tmp_path / "store.sqlite3")
    one, other = await SqliteStore.open(path), await SqliteStore.open(path)
    await one.add_thread(ThreadRecord("t", "v"))
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        for number in range(40):
            group.create_task((one, other)[number % 2].record("t", [UserSaid(str(number))], covered=True))

    memory = await one.memory("t", PLENTY)
    await one.close()
    await other.close()

    assert {entry.text for entry in memory.entries if isinstance(entry, UserSaid)} == {
        str(number) for number in range(40)
    }
    assert memory.covered == 40


async def test_a_store_of_the_first_version_is_taken_over_with_its_threads_and_files(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    old = sqlite3.connect(path)
    old.executescript(FIRST_VERSION)
    old.close()

    for _ in range(2):
        store = await SqliteStore.open(str(path))
        thread, memory = await store.thread("t"), await store.memory("t", PLENTY)
        file = await store.file("f")
        await store.close()

        assert thread == ThreadRecord("t", "v")
        assert memory == Memory(Anchor(AnchorKind.THREAD, "thread_1"))
        assert not memory.whole
        assert file is not None
        assert (file.upstream_id, file.key) == ("file-1", None)


async def test_a_thread_of_the_first_version_without_a_message_has_nothing_to_go_on_from(
    tmp_path: Path,
) -> None:
    path = tmp_path / "store.sqlite3"
    old = sqlite3.connect(path)
    old.executescript(FIRST_VERSION)
    old.close()
    store = await SqliteStore.open(str(path))
    memory = await store.memory("new", PLENTY)
    await store.close()

    assert memory == Memory()
    assert memory.whole


async def test_a_write_whose_visitor_has_gone_is_done_and_the_next_ones_too(tmp_path: Path) -> None:
    path = str(tmp_path / "store.sqlite3")
    store = await SqliteStore.open(path)
    await store.add_thread(ThreadRecord("t", "v"))
    # Another process that writes makes ours wait, so that it is stopped in the middle of its transaction.
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")
    tasks = Tasks()
    writing = tasks.start(store.record("t", ENTRIES[:1]), name="a visitor who leaves")
    await asyncio.sleep(0)
    writing.cancel()
    await asyncio.wait([writing])
    await asyncio.to_thread(other.execute, "COMMIT")
    other.close()
    await store.record("t", ENTRIES[1:])
    memory = await store.memory("t", PLENTY)
    await store.close()

    assert memory.entries == ENTRIES


async def test_a_store_of_a_later_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    later = sqlite3.connect(path)
    later.execute("PRAGMA user_version=9")
    later.close()

    with pytest.raises(OSError, match="a newer version of the server has made it"):
        await SqliteStore.open(str(path))

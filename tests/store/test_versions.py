"""Stores that earlier versions have made: taken over with all that is in them; those of later ones are refused."""

import asyncio
import sqlite3
from pathlib import Path

import msgspec
import pytest

from deep_chat_proxy.store.processes import Process
from deep_chat_proxy.store.records import ThreadRecord
from deep_chat_proxy.store.schema import STEPS
from deep_chat_proxy.store.sqlite import SqliteStore
from deep_chat_proxy.store.threads import SqliteThreads
from deep_chat_proxy.store.turns import SqliteTurns
from deep_chat_proxy.turn.events import FileKind
from deep_chat_proxy.turn.transcript import (
    Anchor,
    AnchorKind,
    AssistantSaid,
    AttachedFile,
    Entry,
    Memory,
    UserSaid,
)
from playing import ended_turn, opened_turn

PLENTY = 1_000_000
NOW = "turn-2"
SAID: tuple[Entry, ...] = (UserSaid("Hello"), AssistantSaid("Hello yourself."))
# The tables as the first version made them, with two threads and a file in them.
FIRST = """
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
# As the second one made them, where there are entries and other anchors than threads.
SECOND = """
CREATE TABLE thread (
    thread_id TEXT PRIMARY KEY, visitor TEXT NOT NULL, upstream_id TEXT,
    created_at INTEGER NOT NULL DEFAULT (unixepoch()), anchor TEXT, covered INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE file (
    file_id TEXT PRIMARY KEY, thread_id TEXT NOT NULL REFERENCES thread ON DELETE CASCADE, visitor TEXT NOT NULL,
    upstream_id TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (unixepoch()), key TEXT
) WITHOUT ROWID;
CREATE INDEX file_of_thread ON file (thread_id);
CREATE TABLE entry (
    thread_id TEXT NOT NULL REFERENCES thread ON DELETE CASCADE, position INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (thread_id, position)
) WITHOUT ROWID;
INSERT INTO thread (thread_id, visitor, upstream_id, anchor, covered) VALUES ('t', 'v', 'conv_1', 'conversation', 1);
PRAGMA user_version=2;
"""


async def taken_over(folder: Path, version: str) -> SqliteStore:
    """The store that a file of an earlier version has become."""
    path = folder / "store.sqlite3"
    if not path.exists():
        old = sqlite3.connect(path)
        old.executescript(version)
        if version is SECOND:
            for position, entry in enumerate(SAID, 1):
                old.execute("INSERT INTO entry VALUES ('t', ?, ?)", (position, msgspec.json.encode(entry)))
        old.commit()
        old.close()
    return await SqliteStore.open(str(path))


async def test_a_store_of_the_first_version_is_taken_over_with_its_threads_and_files(tmp_path: Path) -> None:
    for _ in range(2):
        store = await taken_over(tmp_path, FIRST)
        thread, memory = await store.thread("t"), await store.memory("t", NOW, PLENTY)
        file = await store.file("f")
        await store.close()

        assert thread is not None
        assert thread == ThreadRecord("t", "v", thread.used_at)
        assert thread.used_at > 1_700_000_000
        assert memory == Memory(Anchor(AnchorKind.THREAD, "thread_1"))
        assert not memory.whole
        assert file is not None
        assert (file.upstream_id, file.key) == ("file-1", None)


async def test_a_thread_of_the_first_version_without_a_message_has_nothing_to_go_on_from(
    tmp_path: Path,
) -> None:
    store = await taken_over(tmp_path, FIRST)
    memory = await store.memory("new", NOW, PLENTY)
    await store.close()

    assert memory == Memory()
    assert memory.whole


async def test_a_store_of_the_second_version_is_taken_over_with_all_that_was_said(tmp_path: Path) -> None:
    for _ in range(2):
        store = await taken_over(tmp_path, SECOND)
        memory = await store.memory("t", NOW, PLENTY)
        await store.close()

        assert memory == Memory(Anchor(AnchorKind.CONVERSATION, "conv_1"), SAID, 1)


async def test_what_was_said_before_there_were_turns_is_of_none_and_can_be_forgotten(tmp_path: Path) -> None:
    store = await taken_over(tmp_path, SECOND)
    await store.record("t", NOW, [UserSaid("And now?")], forget=True)
    memory = await store.memory("t", NOW, PLENTY)
    await store.close()

    assert (memory.entries, memory.own) == ((), (UserSaid("And now?"),))


async def test_turns_can_begin_in_a_store_of_the_second_version(tmp_path: Path) -> None:
    store = await taken_over(tmp_path, SECOND)
    turns = SqliteTurns(store.database, Process(None))
    begun = await turns.begin(opened_turn(thread_id="t"))
    await store.close()

    assert begun


@pytest.mark.parametrize("version", ["", FIRST, SECOND])
async def test_every_store_comes_to_have_the_same_tables(tmp_path: Path, version: str) -> None:
    store = await taken_over(tmp_path, version)
    await store.close()

    def columns() -> dict[str, set[tuple[str, str, int]]]:
        connection = sqlite3.connect(tmp_path / "store.sqlite3")
        assert connection.execute("PRAGMA user_version").fetchone() == (len(STEPS),)
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {
            table: {(row[1], row[2], row[5]) for row in connection.execute(f"PRAGMA table_info({table})")}
            for table in tables
        }
        connection.close()
        return found

    found = await asyncio.to_thread(columns)

    assert set(found) == {
        *("thread", "file", "entry", "turn", "call"),
        *("exchange", "held", "leaving", "allowance"),
    }
    assert {name for name, _, _ in found["thread"]} == {
        "thread_id",
        "visitor",
        "upstream_id",
        "created_at",
        "anchor",
        "covered",
        "newest",
        "title",
        "used_at",
    }
    assert {name for name, _, _ in found["entry"]} == {"thread_id", "position", "body", "turn_id"}


async def test_of_processes_that_take_a_store_over_at_once_one_does_it(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    old = sqlite3.connect(path)
    old.executescript(FIRST)
    old.close()

    stores = await asyncio.gather(*(SqliteStore.open(str(path)) for _ in range(4)))
    memories = [await store.memory("t", NOW, PLENTY) for store in stores]
    for store in stores:
        await store.close()

    assert memories == [Memory(Anchor(AnchorKind.THREAD, "thread_1"))] * 4


async def test_a_store_of_a_later_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    later = sqlite3.connect(path)
    later.execute(f"PRAGMA user_version={len(STEPS) + 1}")
    later.close()

    with pytest.raises(OSError, match="a newer version of the server has made it"):
        await SqliteStore.open(str(path))


def third(path: Path) -> None:
    """A store of the third version: a thread with a picture in what was said on it, a made file, and two turns, one of
    which goes on.
    """
    old = sqlite3.connect(path)
    for step in STEPS[:3]:
        old.executescript(step)
    said = UserSaid("Look", (AttachedFile("a.png", "image/png", FileKind.IMAGE, key="0" * 32),))
    old.execute(
        "INSERT INTO thread (thread_id, visitor, anchor, upstream_id) VALUES ('t', 'v', 'response', 'resp_1')"
    )
    old.execute(
        "INSERT INTO entry (thread_id, position, body) VALUES ('t', 1, ?)", (msgspec.json.encode(said),)
    )
    old.execute("INSERT INTO file VALUES ('f', 't', 'v', '', 'a.csv', 'any', 0, 'key-1')")
    for turn_id, ended_at in (("ended", 1.0), ("open", None)):
        message = msgspec.json.encode({"text": "Hello", "attachments": []})
        old.execute(
            "INSERT INTO turn (turn_id, thread_id, visitor, process, fingerprint, message, ended_at)"
            " VALUES (?, 't', 'v', 'gone', 'f', ?, ?)",
            (turn_id, message, ended_at),
        )
    old.execute("PRAGMA user_version=3")
    old.commit()
    old.close()


async def test_what_a_store_of_the_third_version_holds_elsewhere_goes_with_its_thread(tmp_path: Path) -> None:
    await asyncio.to_thread(third, tmp_path / "store.sqlite3")
    store = await SqliteStore.open(str(tmp_path / "store.sqlite3"))
    threads = SqliteThreads(store.database)
    await threads.delete("t")
    leaving = await store.database.read("SELECT kind, held_id FROM leaving ORDER BY held_id")
    await store.close()

    assert leaving == [("shelf", "0" * 32), ("shelf", "key-1"), ("response", "resp_1")]


async def test_a_turn_that_the_third_version_has_left_is_picked_up_and_shown(tmp_path: Path) -> None:
    await asyncio.to_thread(third, tmp_path / "store.sqlite3")
    store = await SqliteStore.open(str(tmp_path / "store.sqlite3"))
    process = await asyncio.to_thread(Process, tmp_path / "processes")
    turns, threads = SqliteTurns(store.database, process), SqliteThreads(store.database)
    (picked_up,) = await turns.adopt()
    await turns.end(ended_turn("open"), seen=False)
    (exchange,), _ = await threads.history("t", before=None, size=5, skipped=0)
    await process.close()
    await store.close()

    assert (picked_up.turn_id, exchange.asked.text) == ("open", "Hello")
    assert exchange.answered == ended_turn("open")

"""The embedded store: what is remembered, for how long, and how it fails."""

import asyncio
import threading
from pathlib import Path

import pytest

from deep_chat_proxy.store.records import FileRecord, ThreadRecord
from deep_chat_proxy.store.sqlite import SqliteStore
from deep_chat_proxy.turn.events import FileKind
from deep_chat_proxy.turn.transcript import Memory
from playing import until

THREAD = ThreadRecord("t1", "visitor-1", 1.5)
FILE = FileRecord("f1", "t1", "visitor-1", "file-abc", 'ü "x".csv', FileKind.ANY, "key-1")
AWKWARD = "'; DROP TABLE thread; -- \x00 \N{ROCKET} %_"


async def test_a_thread_is_remembered_with_its_visitor() -> None:
    store = await SqliteStore.open(":memory:")
    await store.add_thread(THREAD)

    assert await store.thread("t1") == THREAD
    await store.close()


async def test_a_file_is_remembered_whole() -> None:
    store = await SqliteStore.open(":memory:")
    await store.add_thread(THREAD)
    await store.add_file(FILE)

    assert await store.file("f1") == FILE
    await store.close()


async def test_what_is_not_there_is_none() -> None:
    store = await SqliteStore.open(":memory:")

    assert await store.thread(AWKWARD) is None
    assert await store.file(AWKWARD) is None
    assert await store.memory(AWKWARD, AWKWARD, 100) == Memory()
    await store.close()


async def test_any_text_is_kept_as_it_is() -> None:
    store = await SqliteStore.open(":memory:")
    awkward = ThreadRecord(AWKWARD, AWKWARD, 1.5)
    await store.add_thread(awkward)

    assert await store.thread(AWKWARD) == awkward
    await store.close()


async def test_a_store_outlives_a_restart_and_its_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "store.sqlite3"
    store = await SqliteStore.open(str(path))
    await store.add_thread(THREAD)
    await store.close()

    again = await SqliteStore.open(str(path))
    assert await again.thread("t1") == THREAD
    await again.close()
    assert (tmp_path / "new" / "folder").stat().st_mode & 0o077 == 0


async def test_two_processes_share_a_store(tmp_path: Path) -> None:
    path = str(tmp_path / "store.sqlite3")
    one, other = await SqliteStore.open(path), await SqliteStore.open(path)
    threads = [ThreadRecord(f"t{number}", "v", 1.5) for number in range(20)]
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        for number, thread in enumerate(threads):
            group.create_task((one, other)[number % 2].add_thread(thread))

    assert [await one.thread(thread.thread_id) for thread in threads] == threads
    await one.close()
    await other.close()


async def test_what_is_no_store_is_refused_by_its_name_and_leaves_no_thread(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite3").write_bytes(b"this is no database" * 100)

    for path in (tmp_path / "store.sqlite3", tmp_path):
        with pytest.raises(OSError, match=f"the store {path} cannot be opened"):
            await SqliteStore.open(str(path))
    await until(lambda: not any("_connection_worker" in thread.name for thread in threading.enumerate()))


async def test_the_file_is_for_its_owner_only_in_a_folder_that_is_for_everyone(tmp_path: Path) -> None:
    store = await SqliteStore.open(str(tmp_path / "store.sqlite3"))
    await store.add_thread(ThreadRecord("t", "v"))

    modes = await asyncio.to_thread(
        lambda: {file.name: file.stat().st_mode & 0o777 for file in tmp_path.glob("*.sqlite3*")}
    )
    await store.close()

    assert modes
    assert set(modes.values()) == {0o600}


async def test_processes_that_make_the_store_at_the_same_time_all_come_to_have_it(tmp_path: Path) -> None:
    for number in range(10):
        where = str(tmp_path / str(number) / "store.sqlite3")
        stores = await asyncio.gather(*(SqliteStore.open(where) for _ in range(12)))
        for store in stores:
            await store.close()

"""What goes by itself: old threads, messages that were answered long ago, files that nobody knows of."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deep_chat_proxy.store.expiry import Expiry
from deep_chat_proxy.store.leaving import Leaving
from deep_chat_proxy.store.processes import Process
from deep_chat_proxy.store.records import ThreadRecord
from deep_chat_proxy.store.shelf import Shelf
from deep_chat_proxy.store.sqlite import SqliteStore
from deep_chat_proxy.store.threads import SqliteThreads
from deep_chat_proxy.store.turns import SqliteTurns
from deep_chat_proxy.turn.held import Held, HeldKind
from playing import ended_turn, opened_turn, soon

DAY = 24 * 3600.0
KEPT = 30 * DAY


class Site:
    """A store, its shelf, and what clears both."""

    def __init__(self, store: SqliteStore, process: Process, folder: Path) -> None:
        self.store = store
        self.shelf = Shelf(folder, 1000)
        self.turns = SqliteTurns(store.database, process, kept=0.0)
        self.gone: list[Held] = []
        threads = SqliteThreads(store.database)
        self.leaving = Leaving(store.database, self.shelf, self._delete)
        self.expiry = Expiry(threads, self.turns, process, shelf=self.shelf, leaving=self.leaving, kept=KEPT)

    async def _delete(self, held: Held) -> None:
        self.gone.append(held)

    async def used(self, thread_id: str, ago: float) -> None:
        statement = "UPDATE thread SET used_at = unixepoch() - ? WHERE thread_id = ?"
        await self.store.database.insert(statement, (ago, thread_id))


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    process = await asyncio.to_thread(Process, tmp_path / "processes")
    site = Site(await SqliteStore.open(":memory:"), process, tmp_path / "shelf")
    yield site
    await process.close()
    await site.store.close()


async def talked(site: Site, thread_id: str, ago: float, *, over: bool = True) -> None:
    """A thread with a turn that was begun so long ago."""
    await site.store.add_thread(ThreadRecord(thread_id, "v"))
    turn = opened_turn(f"turn-{thread_id}", thread_id=thread_id)
    await site.turns.begin(turn)
    if over:
        await site.turns.end(ended_turn(turn.turn_id), seen=True)
    await site.used(thread_id, ago)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_threads_go_that_were_not_used_for_long_with_what_is_held_for_them(site: Site) -> None:
    await talked(site, "old", KEPT + 60)
    await talked(site, "young", KEPT - 60)
    held = Held(HeldKind.CONVERSATION, "conv_1")
    await site.store.hold("old", held)
    await site.expiry.look()
    await site.leaving.work_off()

    assert await site.store.thread("old") is None
    assert await site.store.thread("young") is not None
    assert site.gone == [held]


async def test_a_thread_that_is_being_answered_stays_however_old_it_is(site: Site) -> None:
    await talked(site, "old", KEPT + 60, over=False)
    await site.expiry.look()

    assert await site.store.thread("old") is not None


async def test_threads_without_a_message_stay_for_a_day(site: Site) -> None:
    for thread_id, ago in (("young", DAY - 60), ("old", DAY + 60)):
        await site.store.add_thread(ThreadRecord(thread_id, "v"))
        await site.used(thread_id, ago)
    await site.expiry.look()

    assert await site.store.thread("young") is not None
    assert await site.store.thread("old") is None


async def test_many_old_threads_go_at_one_look(site: Site) -> None:
    for number in range(250):
        await site.store.add_thread(ThreadRecord(f"t{number}", f"v{number}", 1.0))
    await site.expiry.look()

    assert await site.store.database.read("SELECT COUNT(*) FROM thread") == [(0,)]


async def test_messages_of_turns_that_ended_long_ago_are_forgotten(site: Site) -> None:
    await talked(site, "t", 0)
    await site.expiry.look()

    assert await site.store.database.read("SELECT COUNT(*) FROM turn") == [(0,)]
    assert await site.store.database.read("SELECT COUNT(*) FROM exchange") == [(1,)]


async def test_files_that_nobody_knows_of_are_removed_from_the_shelf(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"1")
    await site.store.add_thread(ThreadRecord("t", "v"))
    known, unknown = await site.shelf.copy(path), await site.shelf.copy(path)
    await site.store.hold("t", Held(HeldKind.SHELF, known))
    await site.expiry.look()
    assert len(names(tmp_path / "shelf")) == 2

    monkeypatch.setattr("deep_chat_proxy.store.shelf._SURELY_WRITTEN_DOWN", -1.0)
    await site.expiry.look()

    assert names(tmp_path / "shelf") == [known]
    assert await site.shelf.read(unknown) is None


async def test_files_that_a_killed_process_left_of_messages_are_removed(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deep_chat_proxy.store.processes._IN_THE_MAKING", -1.0)
    left = tmp_path / "processes" / "killed" / "deep-chat-abc"
    left.parent.mkdir()
    left.write_bytes(b"1")
    await site.expiry.look()

    assert not left.exists()


async def test_a_look_that_the_store_does_not_bear_is_not_the_last_one(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("deep_chat_proxy.store.expiry._LOOK", 0.0)
    faults = [OSError("disk full")]
    expire = site.expiry._threads.expire

    looked = asyncio.Event()

    async def failing(kept: float) -> int:
        if faults:
            raise faults.pop()
        expired = await expire(kept)
        looked.set()
        return expired

    monkeypatch.setattr(site.expiry._threads, "expire", failing)
    await talked(site, "old", 2 * KEPT)
    looking = asyncio.get_running_loop().create_task(site.expiry.run())
    await soon(looked.wait())
    looking.cancel()
    await asyncio.wait([looking])

    assert "what has had its time could not be deleted: OSError" in caplog.text
    assert await site.store.thread("old") is None

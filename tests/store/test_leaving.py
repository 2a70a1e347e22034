"""What no thread holds any longer: deleted where it lies, as often as that takes, and by one process only."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deep_chat_proxy.errors import UNREACHABLE, ChatError
from deep_chat_proxy.store.leaving import Leaving
from deep_chat_proxy.store.records import ThreadRecord
from deep_chat_proxy.store.shelf import Shelf
from deep_chat_proxy.store.sqlite import SqliteStore
from deep_chat_proxy.store.threads import SqliteThreads
from deep_chat_proxy.tasks import Tasks
from deep_chat_proxy.turn.held import Held, HeldKind
from deep_chat_proxy.turn.transcript import Anchor, AnchorKind
from playing import soon, until

COUNTS = {"leaving": "SELECT COUNT(*) FROM leaving", "held": "SELECT COUNT(*) FROM held"}
FILE = Held(HeldKind.FILE, "file-1", "sha text/plain a.txt")
CONVERSATION = Held(HeldKind.CONVERSATION, "conv_1")


class BackEnd:
    """Deletes, unless it is down."""

    def __init__(self) -> None:
        self.down = False
        self.asked: list[Held] = []

    async def delete(self, held: Held) -> None:
        self.asked.append(Held(held.kind, held.held_id))
        if self.down:
            raise ChatError(UNREACHABLE, "no connection")


class Site:
    """A store with one thread, and what deletes."""

    def __init__(self, store: SqliteStore, folder: Path) -> None:
        self.store = store
        self.threads = SqliteThreads(store.database)
        self.shelf = Shelf(folder, 1000)
        self.back_end = BackEnd()
        self.leaving = Leaving(store.database, self.shelf, self.back_end.delete)

    async def rows(self, table: str) -> int:
        ((count,),) = await self.store.database.read(COUNTS[table])
        return int(count)

    async def make_due(self) -> None:
        await self.store.database.insert("UPDATE leaving SET due_at = 0", ())


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    site = Site(await SqliteStore.open(":memory:"), tmp_path / "shelf")
    await site.store.add_thread(ThreadRecord("t", "v"))
    yield site
    await site.store.close()


async def test_what_was_held_for_a_thread_that_was_deleted_is_deleted(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"1")
    key = await site.shelf.copy(tmp_path / "file")
    await site.store.hold("t", FILE, Held(HeldKind.SHELF, key))
    await site.store.record("t", "turn-1", anchor=Anchor(AnchorKind.CONVERSATION, "conv_1"))
    await site.threads.delete("t")

    assert await site.leaving.work_off() == 3

    assert {held.held_id for held in site.back_end.asked} == {"file-1", "conv_1"}
    assert await site.shelf.read(key) is None
    assert await site.rows("leaving") == await site.rows("held") == 0
    assert await site.leaving.work_off() == 0


async def test_nothing_is_deleted_of_a_thread_that_is_there(site: Site) -> None:
    await site.store.hold("t", FILE)

    assert await site.leaving.work_off() == 0


async def test_what_cannot_be_deleted_now_is_deleted_later(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await site.store.hold("t", FILE)
    await site.threads.delete("t")
    site.back_end.down = True
    await site.leaving.work_off()

    assert await site.leaving.work_off() == 0
    assert "a file could not be deleted yet: no connection" in caplog.text
    assert "file-1" not in caplog.text
    await site.make_due()
    site.back_end.down = False
    await site.leaving.work_off()

    assert len(site.back_end.asked) == 2
    assert await site.rows("leaving") == 0


async def test_what_can_never_be_deleted_is_given_up(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    await site.store.hold("t", FILE)
    await site.threads.delete("t")
    site.back_end.down = True
    for _ in range(30):
        await site.leaving.work_off()
        await site.make_due()

    assert len(site.back_end.asked) == 25
    assert "a file that no thread holds any longer stays" in caplog.text
    assert await site.rows("leaving") == 0


async def test_what_was_spared_goes_when_its_time_has_come_and_not_before(site: Site) -> None:
    await site.store.hold("t", FILE)
    await site.store.leave(FILE, 1e12)

    assert await site.leaving.work_off() == 0
    assert (await site.store.memory("t", "turn-1", 100)).uploads == {FILE.content: "file-1"}
    await site.make_due()
    assert await site.leaving.work_off() == 1

    assert (await site.store.memory("t", "turn-1", 100)).uploads == {}
    assert await site.rows("held") == 0


async def test_what_is_used_once_more_stays(site: Site) -> None:
    await site.store.hold("t", FILE)
    await site.store.leave(FILE, 0)

    assert await site.store.reuse("t", FILE)
    assert await site.leaving.work_off() == 0


async def test_what_is_being_deleted_cannot_be_used_once_more(site: Site) -> None:
    await site.store.hold("t", FILE)
    await site.store.leave(FILE, 0)
    await site.leaving.work_off()

    assert not await site.store.reuse("t", FILE)


async def test_what_is_made_for_a_thread_that_is_no_more_is_deleted(site: Site) -> None:
    await site.threads.delete("t")
    await site.store.hold("t", CONVERSATION)
    await site.leaving.work_off()

    assert site.back_end.asked == [CONVERSATION]


async def test_of_two_processes_one_deletes(tmp_path: Path) -> None:
    path = str(tmp_path / "s.sqlite3")
    sites = [Site(await SqliteStore.open(path), tmp_path / "shelf") for _ in range(2)]
    await sites[0].store.add_thread(ThreadRecord("t", "v"))
    await sites[0].store.hold("t", *(Held(HeldKind.FILE, f"file-{number}") for number in range(40)))
    await sites[0].threads.delete("t")

    async with asyncio.timeout(5):
        while sum(await asyncio.gather(*(site.leaving.work_off() for site in sites))):
            pass

    asked = [held.held_id for site in sites for held in site.back_end.asked]
    assert len(asked) == len(set(asked)) == 40
    for site in sites:
        await site.store.close()


async def test_what_becomes_due_is_deleted_as_soon_as_it_is_told(site: Site) -> None:
    tasks = Tasks()
    tasks.start(site.leaving.run(), name="leaving")
    await site.store.hold("t", FILE)
    await site.threads.delete("t")
    site.leaving.hurry()
    await until(lambda: site.back_end.asked)
    await soon(tasks.close())


async def test_a_store_that_fails_once_keeps_nothing_from_being_deleted_later(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("deep_chat_proxy.store.leaving._LOOK", 0.0)
    faults = [OSError("disk full")]
    work_off = site.leaving.work_off

    async def failing() -> int:
        if faults:
            raise faults.pop()
        return await work_off()

    monkeypatch.setattr(site.leaving, "work_off", failing)
    await site.store.hold("t", FILE)
    await site.threads.delete("t")
    working = asyncio.get_running_loop().create_task(site.leaving.run())
    await until(lambda: site.back_end.asked)
    working.cancel()
    await asyncio.wait([working])

    assert "what no thread holds any longer could not be deleted: OSError" in caplog.text

"""Files that are kept beside the store: whole, for the owner only, and no more than there is room for."""

import asyncio
import os
from pathlib import Path

import pytest

from deep_chat_proxy.store.shelf import Shelf


def spooled(folder: Path, data: bytes) -> Path:
    path = folder / f"spooled-{data[:1].decode()}"
    path.write_bytes(data)
    return path


async def test_a_file_that_is_taken_is_moved_and_can_be_read(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "new" / "shelf", 1000)
    path = spooled(tmp_path, b"abc")

    key = await shelf.take(path)

    assert await shelf.read(key) == b"abc"
    assert not path.exists()


async def test_a_file_that_is_copied_stays_where_it_was(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "shelf", 1000)
    path = spooled(tmp_path, b"abc")

    key = await shelf.copy(path)

    assert (await shelf.read(key), path.read_bytes()) == (b"abc", b"abc")


async def test_what_is_not_there_is_none(tmp_path: Path) -> None:
    for shelf in (Shelf(None, 1000), Shelf(tmp_path / "shelf", 1000)):
        assert await shelf.read("0" * 32) is None


async def test_files_and_folder_are_for_the_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "shelf"
    path = spooled(tmp_path, b"abc")
    path.chmod(0o644)
    key = await Shelf(folder, 1000).copy(path)

    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / key).stat().st_mode & 0o777 == 0o600


async def test_the_oldest_files_make_room_for_the_newest(tmp_path: Path) -> None:
    folder = tmp_path / "shelf"
    shelf = Shelf(folder, 10)
    keys = []
    for number, data in enumerate((b"aaaa", b"bbbb", b"cccc", b"dd")):
        keys.append(await shelf.take(spooled(tmp_path, data)))
        os.utime(folder / keys[-1], ns=(number, number))

    assert [await shelf.read(key) for key in keys] == [None, b"bbbb", b"cccc", b"dd"]


@pytest.mark.parametrize("most", [4, 5])
async def test_at_the_bound_a_file_still_fits(tmp_path: Path, most: int) -> None:
    shelf = Shelf(tmp_path / "shelf", most)
    first = await shelf.take(spooled(tmp_path, b"aaaa"))
    assert await shelf.read(first) == b"aaaa"

    second = await shelf.take(spooled(tmp_path, b"b"))
    assert await shelf.read(first) == (b"aaaa" if most == 5 else None)
    assert await shelf.read(second) == b"b"


async def test_files_that_come_at_once_are_all_kept(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "shelf", 1000)
    paths = [spooled(tmp_path, letter.encode() * 3) for letter in "abcdefgh"]
    async with asyncio.timeout(5):
        keys = await asyncio.gather(*(shelf.take(path) for path in paths))

    assert [await shelf.read(key) for key in keys] == [letter.encode() * 3 for letter in "abcdefgh"]


async def test_a_shelf_without_a_folder_is_gone_when_it_is_closed(tmp_path: Path) -> None:
    shelf = Shelf(None, 1000)
    key = await shelf.take(spooled(tmp_path, b"abc"))
    path = await shelf.find(key)
    await shelf.close()

    assert path is not None
    assert not await asyncio.to_thread(path.parent.exists)


async def test_a_file_that_cannot_be_taken_leaves_nothing_on_the_shelf(tmp_path: Path) -> None:
    folder = tmp_path / "shelf"
    with pytest.raises(OSError, match="No such file"):
        await Shelf(folder, 1000).take(tmp_path / "nothing")

    assert list(folder.iterdir()) == []


async def test_a_file_that_is_larger_than_the_shelf_drives_no_other_from_it(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "shelf", 5)
    kept = await shelf.take(spooled(tmp_path, b"aaaa"))
    too_large = await shelf.copy(spooled(tmp_path, b"bbbbbb"))

    assert (await shelf.read(kept), await shelf.read(too_large)) == (b"aaaa", None)


async def test_processes_that_make_room_at_the_same_time_do_not_disturb_each_other(tmp_path: Path) -> None:
    shelves = [Shelf(tmp_path / "shelf", 3) for _ in range(4)]
    files = [tmp_path / f"file-{number}" for number in range(80)]
    for file in files:
        file.write_bytes(b"x")
    keys = await asyncio.gather(*(shelves[number % 4].take(file) for number, file in enumerate(files)))

    assert len(keys) == len(files)
    assert 1 <= len(list((tmp_path / "shelf").iterdir())) <= 8

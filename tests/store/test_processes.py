"""Processes that share a store know which of them live, and clear up after those that do not."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deep_chat_proxy.store.processes import Process

# Makes a process's folder as the server does, says its name and waits to be killed.
OTHER = """
import sys
from pathlib import Path
from deep_chat_proxy.store.processes import Process
process = Process(Path(sys.argv[1]))
(process.folder / "deep-chat-upload").write_bytes(b"sent")
print(process.name, flush=True)
sys.stdin.read()
"""


@pytest.fixture
async def home(tmp_path: Path) -> Path:
    return tmp_path / "store.processes"


@pytest.fixture
async def other(home: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Another process, with a file of a visitor."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OTHER, str(home), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    yield process
    if process.returncode is None:
        process.kill()
    await process.communicate()


async def name_of(other: asyncio.subprocess.Process) -> str:
    assert other.stdout is not None
    async with asyncio.timeout(10):
        return (await other.stdout.readline()).decode().strip()


async def killed(other: asyncio.subprocess.Process) -> None:
    other.kill()
    async with asyncio.timeout(10):
        await other.wait()


def grown_old(folder: Path) -> None:
    os.utime(folder, (0, 0))


async def opened(home: Path | None) -> Process:
    return await asyncio.to_thread(Process, home)


async def closed(*processes: Process) -> None:
    for process in processes:
        await process.close()


async def test_each_process_has_a_name_and_a_folder_of_its_own(home: Path) -> None:
    one, two = await opened(home), await opened(home)
    folders = [one.folder, two.folder]
    modes = {folder.stat().st_mode & 0o777 for folder in folders if folder is not None}
    await closed(one, two)

    assert one.name != two.name
    assert folders == [home / one.name, home / two.name]
    assert modes == {0o700}


async def test_a_process_that_lives_is_not_gone_and_one_that_ended_well_is(home: Path) -> None:
    one, two = await opened(home), await opened(home)
    assert await one.gone([one.name, two.name]) == []

    await closed(two)
    assert await one.gone([two.name]) == [two.name]
    await closed(one)


async def test_a_process_that_was_killed_is_gone_at_once(
    home: Path, other: asyncio.subprocess.Process
) -> None:
    name = await name_of(other)
    process = await opened(home)
    assert await process.gone([name]) == []

    await killed(other)
    assert await process.gone([name]) == [name]
    await closed(process)


async def test_looking_whether_a_process_lives_leaves_it_its_lock(
    home: Path, other: asyncio.subprocess.Process
) -> None:
    name = await name_of(other)
    process = await opened(home)
    looks = await asyncio.gather(*(process.gone([name]) for _ in range(5)))
    await closed(process)

    assert looks == [[]] * 5


async def test_a_process_that_never_was_is_gone_and_leaves_no_folder(home: Path) -> None:
    process = await opened(home)
    gone = await process.gone(["never-was"])
    await closed(process)

    assert gone == ["never-was"]
    assert not (home / "never-was").exists()


async def test_a_file_of_somebody_else_among_the_folders_does_no_harm(home: Path) -> None:
    process = await opened(home)
    stray = home / ".DS_Store"
    stray.write_bytes(b"")
    grown_old(stray)
    await process.clear_up([])
    await closed(process)

    assert stray.exists()


async def test_what_a_killed_process_has_left_is_removed_but_for_what_is_wanted(
    home: Path, other: asyncio.subprocess.Process
) -> None:
    folder = home / await name_of(other)
    await killed(other)
    upload, wanted = folder / "deep-chat-upload", folder / "deep-chat-wanted"
    wanted.write_bytes(b"for a turn")
    grown_old(folder)
    process = await opened(home)

    await process.clear_up([wanted])
    assert not upload.exists()
    assert wanted.exists()

    grown_old(folder)
    await process.clear_up([])
    await closed(process)
    assert not folder.exists()


async def test_what_a_process_has_that_lives_is_not_touched(
    home: Path, other: asyncio.subprocess.Process
) -> None:
    folder = home / await name_of(other)
    grown_old(folder)
    process = await opened(home)
    await process.clear_up([])
    await closed(process)

    assert (folder / "deep-chat-upload").exists()


async def test_a_folder_that_is_only_just_made_is_left_to_whoever_makes_it(home: Path) -> None:
    process = await opened(home)
    fresh = home / "fresh"
    fresh.mkdir()
    await process.clear_up([])
    await closed(process)

    assert fresh.exists()


async def test_a_process_does_not_remove_its_own_files_when_it_clears_up(home: Path) -> None:
    process = await opened(home)
    assert process.folder is not None
    upload = process.folder / "deep-chat-upload"
    upload.write_bytes(b"sent")
    grown_old(process.folder)
    await process.clear_up([])

    assert upload.exists()
    await closed(process)


@pytest.mark.parametrize("files", [[], ["deep-chat-upload"]])
async def test_a_process_that_ends_leaves_its_folder_only_where_a_turn_needs_what_is_in_it(
    home: Path, files: list[str]
) -> None:
    process = await opened(home)
    folder = process.folder
    assert folder is not None
    for name in files:
        (folder / name).write_bytes(b"sent")
    await closed(process)

    left = await asyncio.to_thread(lambda: sorted(path.name for path in home.rglob("*")))
    assert left == (sorted([*files, process.name]) if files else [])


async def test_many_processes_that_clear_up_at_once_do_not_disturb_each_other(home: Path) -> None:
    dead = await opened(home)
    assert dead.folder is not None
    for number in range(20):
        (dead.folder / f"deep-chat-{number}").write_bytes(b"")
    await closed(dead)
    grown_old(home / dead.name)
    processes = [await opened(home) for _ in range(5)]

    await asyncio.gather(*(process.clear_up([]) for process in processes))
    assert not (home / dead.name).exists()
    assert await processes[0].gone([process.name for process in processes]) == []
    await closed(*processes)


async def test_a_store_in_memory_is_of_one_process_that_leaves_nothing() -> None:
    process = await opened(None)
    await process.clear_up([])

    assert process.folder is None
    assert await process.gone(["another"]) == ["another"]
    await closed(process)


async def test_a_home_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(OSError, match="file"):
        await opened(tmp_path / "file" / "home")

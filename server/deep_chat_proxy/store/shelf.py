"""Files that no back end keeps for us: in one folder, bounded, and those that came first make room for the newest."""

import asyncio
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path

Put = Callable[[Path, Path], object]

# Seconds.
_SURELY_WRITTEN_DOWN = 3600.0
_KEY = re.compile(r"[0-9a-f]{32}")


class Shelf:
    """A folder that holds at most `most` bytes; `folder` is made when the first file comes. A file that is larger
    than all of it is not kept, and its key leads nowhere.

    Without a folder the files are in a temporary one, gone when the shelf is closed.
    """

    def __init__(self, folder: Path | None, most: int) -> None:
        self._folder = folder
        self._most = most
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._making_room = asyncio.Lock()

    async def take(self, path: Path) -> str:
        """Move the file at `path` onto the shelf; returns its key. Raises OSError."""
        return await self._put(path, shutil.move)

    async def copy(self, path: Path) -> str:
        """Put the file at `path` onto the shelf too; returns its key. Neither may be written to any more. Raises OSError."""
        return await self._put(path, _linked)

    async def _put(self, path: Path, how: Put) -> str:
        key = secrets.token_hex(16)
        async with self._making_room:
            await asyncio.to_thread(self._place, path, key, how)
        return key

    def _place(self, path: Path, key: str, how: Put) -> None:
        folder = self._open()
        size = path.stat().st_size
        if size > self._most:
            # All the others would have to go for it, and it would be the next to go.
            return
        self._make_room(folder, size)
        # Under its name it appears whole: another process may be looking for it.
        draft = folder / f".{key}"
        how(path, draft)
        draft.chmod(0o600)
        draft.rename(folder / key)

    def _open(self) -> Path:
        if self._folder is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="deep-chat-shelf-")
            self._folder = Path(self._temporary.name)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self._folder

    def _make_room(self, folder: Path, size: int) -> None:
        there = sorted((found.st_mtime_ns, found.st_size, path) for path, found in _files_in(folder))
        excess = sum(each[1] for each in there) + size - self._most
        for _, freed, path in there:
            if excess <= 0:
                return
            # Another process may be placing a file just now.
            if not path.name.startswith("."):
                path.unlink(missing_ok=True)
                excess -= freed

    async def find(self, key: str) -> Path | None:
        """Where a file is, None where it is no longer."""
        return await asyncio.to_thread(self._find, key)

    def _find(self, key: str) -> Path | None:
        path = None if self._folder is None else self._folder / key
        return path if path is not None and path.is_file() else None

    def has(self, keys: Iterable[str]) -> set[str]:
        """Those of the keys under which a file is there; looks at the disk."""
        return {key for key in keys if self._find(key) is not None}

    async def read(self, key: str) -> bytes | None:
        """What a file holds, None where it is no longer there."""
        return await asyncio.to_thread(self._read, key)

    def _read(self, key: str) -> bytes | None:
        path = self._find(key)
        try:
            return None if path is None else path.read_bytes()
        except FileNotFoundError:
            return None

    async def remove(self, key: str) -> None:
        """Remove a file; one that is not there does not matter. Raises OSError."""
        if self._folder is not None and _KEY.fullmatch(key):
            await asyncio.to_thread((self._folder / key).unlink, missing_ok=True)

    async def clear_up(self, known: Collection[str]) -> None:
        """Remove what is not `known`, but for what came just now: a process may have ended before it was written down."""
        await asyncio.to_thread(self._clear_up, known)

    def _clear_up(self, known: Collection[str]) -> None:
        if self._folder is None or not self._folder.is_dir():
            return
        for path, found in _files_in(self._folder):
            if time.time() - found.st_ctime > _SURELY_WRITTEN_DOWN and path.name not in known:
                path.unlink(missing_ok=True)

    async def close(self) -> None:
        """Let go of a temporary folder."""
        if self._temporary is not None:
            await asyncio.to_thread(self._temporary.cleanup)


def _files_in(folder: Path) -> list[tuple[Path, os.stat_result]]:
    """What lies in a folder and how it is, but for what another process removes meanwhile."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                found.append((Path(entry.path), entry.stat()))
    return found


def _linked(path: Path, draft: Path) -> None:
    """A second name for the same bytes, where the file system can."""
    try:
        os.link(path, draft)
    except OSError:
        shutil.copyfile(path, draft)

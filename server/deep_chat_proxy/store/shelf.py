"""Files that no back end keeps for us: in one folder, bounded, and those that came first make room for the newest."""

import asyncio
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

Put = Callable[[Path, Path], object]


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
        """Put a copy of the file at `path` onto the shelf; returns its key. Raises OSError."""
        return await self._put(path, shutil.copyfile)

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
        with os.scandir(folder) as entries:
            there = sorted((entry.stat().st_mtime_ns, entry.stat().st_size, entry.path) for entry in entries)
        excess = sum(each[1] for each in there) + size - self._most
        for _, freed, path in there:
            if excess <= 0:
                return
            Path(path).unlink(missing_ok=True)
            excess -= freed

    async def find(self, key: str) -> Path | None:
        """Where a file is, None where it is no longer."""
        return await asyncio.to_thread(self._find, key)

    def _find(self, key: str) -> Path | None:
        path = None if self._folder is None else self._folder / key
        return path if path is not None and path.is_file() else None

    async def read(self, key: str) -> bytes | None:
        """What a file holds, None where it is no longer there."""
        return await asyncio.to_thread(self._read, key)

    def _read(self, key: str) -> bytes | None:
        path = self._find(key)
        try:
            return None if path is None else path.read_bytes()
        except FileNotFoundError:
            return None

    async def close(self) -> None:
        """Let go of a temporary folder."""
        if self._temporary is not None:
            await asyncio.to_thread(self._temporary.cleanup)

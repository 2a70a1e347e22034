"""The processes that share a store: each holds a lock for as long as it lives, so that its turns can be told from
those of one that is no more, and keeps the files there that visitors send.
"""

import asyncio
import secrets
import shutil
import sqlite3
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

# A folder without a lock may belong to a process that is just making it; seconds.
_IN_THE_MAKING = 60.0


class Process:
    """The process that runs this, under a `name` of its own; `folder` is for its files, None for a store in memory."""

    def __init__(self, home: Path | None) -> None:
        """`home` holds a folder for each process. Raises OSError."""
        self.name = secrets.token_hex(8)
        self._home = home
        self.folder = None if home is None else home / self.name
        self._lock: sqlite3.Connection | None = None
        if self.folder is not None:
            self.folder.mkdir(mode=0o700, parents=True)
            self._lock = _locked(self.folder)
            if self._lock is None:
                raise OSError(f"{self.folder} cannot be locked")

    def address(self, name: str) -> Path | None:
        """Where the process of this name listens for what the others ask of it, in its folder, which nobody else may look
        into; None for a store in memory, which no other process knows.
        """
        return None if self._home is None else self._home / name / "turns"

    async def gone(self, names: Iterable[str]) -> list[str]:
        """Those of these processes that are no more."""
        return await asyncio.to_thread(lambda: [name for name in names if not self._lives(name)])

    def _lives(self, name: str) -> bool:
        if self._home is None:
            return False
        folder = self._home / name
        if not folder.is_dir():
            return False
        try:
            lock = _locked(folder)
        except sqlite3.OperationalError:
            # Another process has cleared it up meanwhile.
            return False
        if lock is not None:
            lock.close()
        return lock is None

    async def clear_up(self, wanted: Iterable[Path]) -> None:
        """Remove what processes that are no more have left, but for the files that are `wanted`."""
        await asyncio.to_thread(self._clear_up, frozenset(wanted))

    def _clear_up(self, wanted: frozenset[Path]) -> None:
        if self._home is None:
            return
        for folder in self._home.iterdir():
            if folder != self.folder and folder.is_dir() and _is_old(folder) and not self._lives(folder.name):
                _remove(folder, wanted)

    async def close(self) -> None:
        """Let go of the lock; a folder with nothing in it is removed."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        if self._lock is not None and self.folder is not None:
            self._lock.close()
            _remove(self.folder, frozenset(self.folder.glob("deep-chat-*")))


def _locked(folder: Path) -> sqlite3.Connection | None:
    """The lock of a folder; None where its process lives. SQLite's locks end with their process, on every system."""
    connection = sqlite3.connect(folder / "lock", timeout=0, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError:
        connection.close()
        return None
    return connection


def _is_old(folder: Path) -> bool:
    try:
        return time.time() - folder.stat().st_mtime > _IN_THE_MAKING
    except FileNotFoundError:
        return False


def _remove(folder: Path, wanted: frozenset[Path]) -> None:
    # Another process may be doing the same.
    with suppress(FileNotFoundError):
        left = [path for path in folder.iterdir() if path not in wanted]
        for path in left:
            path.unlink(missing_ok=True)
        if not any(folder.iterdir()):
            shutil.rmtree(folder)

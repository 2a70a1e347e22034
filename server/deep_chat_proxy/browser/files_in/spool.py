"""One file on disk while it arrives. Everything here blocks and belongs in a worker thread."""

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import BinaryIO


class Spool:
    """A temporary file that is written, hashed and closed, or else removed.

    A request can be cancelled while a thread still writes for it. So the lock makes `discard` wait for that
    write (closing under it could hit a descriptor that another file got meanwhile), and a write that comes
    after `discard` makes no file.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._lock = Lock()
        self._discarded = False
        self._file: BinaryIO | None = None
        self._path: Path | None = None
        self._digest = hashlib.sha256()

    def append(self, data: bytes) -> None:
        """Write `data` at the end; the file is made by the first call. Raises OSError, as on a full disk."""
        with self._lock:
            if self._discarded:
                return
            if self._file is None:
                descriptor, path = tempfile.mkstemp(prefix="deep-chat-", dir=self._folder)
                self._path = Path(path)
                self._file = os.fdopen(descriptor, "wb")
            self._file.write(data)
            self._digest.update(data)

    def finish(self) -> tuple[Path, str]:
        """Close the file; returns where it is and its SHA-256 in hex. There has been an `append` before."""
        with self._lock:
            if self._file is None or self._path is None:
                raise ValueError("nothing was spooled")
            self._file.close()
            return self._path, self._digest.hexdigest()

    def discard(self) -> None:
        """Close and remove the file if there is one; may be called again."""
        with self._lock:
            self._discarded = True
            if self._file is not None:
                # What is still buffered is not wanted; a full disk may refuse it once more.
                with suppress(OSError):
                    self._file.close()
            if self._path is not None:
                self._path.unlink(missing_ok=True)

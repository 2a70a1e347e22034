"""Sockets in the file system, wherever that is: their addresses may have about a hundred bytes, and paths more."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# With the byte that ends it, the shortest that any system has.
_LONGEST = 103
_DESCRIPTORS = Path("/proc/self/fd")


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """An address of the socket at `path` that is short enough, good for as long as it is held. On systems without
    /proc a path that is too long leads nowhere. Raises OSError where its folder is not there.
    """
    if len(os.fsencode(path)) <= _LONGEST:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield str(_DESCRIPTORS / str(folder) / path.name)
    finally:
        os.close(folder)


def listening_at(address: str) -> socket.socket:
    """A socket that listens at an address in the file system, for its own user alone. Raises OSError."""
    listening = socket.socket(socket.AF_UNIX)
    try:
        listening.bind(address)
        Path(address).chmod(0o600)
        # A connection that finds no place in the queue would be taken for one that was made.
        listening.listen(1024)
    except BaseException:
        listening.close()
        raise
    return listening

"""How much of all requests that are being read is held in memory at once."""

from collections.abc import Iterator
from contextlib import contextmanager

from deep_chat_proxy.errors import SERVER_BUSY, ChatError

# Seconds until there may be room again: most requests are read in less.
_AGAIN_IN = 1.0


class BodyMemory:
    """Room for `most` bytes, of which every request that is being read has a share."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.held = 0

    @contextmanager
    def share(self) -> Iterator["Share"]:
        """The share of one request, given back at the end. Raises ChatError (503) where all room is taken."""
        if self.held >= self._most:
            raise _full()
        share = Share(self)
        try:
            yield share
        finally:
            self.held -= share.size

    def take(self, size: int) -> None:
        """Take so many bytes of the room. Raises ChatError (503) where there are not as many left."""
        if self.held + size > self._most:
            raise _full()
        self.held += size


class Share:
    """What one request holds."""

    def __init__(self, memory: BodyMemory) -> None:
        self._memory = memory
        self.size = 0

    def hold(self, size: int) -> None:
        """So many bytes more are held. Raises ChatError (503), which makes room for the others."""
        self._memory.take(size)
        self.size += size


def _full() -> ChatError:
    return ChatError(
        SERVER_BUSY, "the requests that are being read take all their memory", retry_after=_AGAIN_IN
    )

"""What is remembered, and what a store must be able to do."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from deep_chat_proxy.turn.events import FileKind
from deep_chat_proxy.turn.transcript import Anchor, Entry, Memory


class ThreadRecord(Struct, frozen=True):
    """A conversation of one visitor."""

    thread_id: str
    visitor: str


class FileRecord(Struct, frozen=True):
    """A file that the assistant made in a thread. `upstream_id` is the back end's name for it; where `key` is not
    None, the file itself is on the shelf under it.
    """

    file_id: str
    thread_id: str
    visitor: str
    upstream_id: str
    name: str
    kind: FileKind
    key: str | None = None


class Store(Protocol):
    """Remembers threads and files. Ids are checked by whoever asks: a store knows no visitor's rights."""

    async def add_thread(self, thread: ThreadRecord) -> None:
        """Remember a new thread."""

    async def thread(self, thread_id: str) -> ThreadRecord | None:
        """The thread of that id."""

    async def memory(self, thread_id: str, turn_id: str, most: int) -> Memory:
        """What is known of a thread's conversation, for a turn: of its entries the newest, up to `most` bytes."""

    async def record(
        self,
        thread_id: str,
        turn_id: str,
        add: Sequence[Entry] = (),
        *,
        anchor: Anchor | None = None,
        covered: bool = False,
        forget: bool = False,
    ) -> None:
        """As `record` of the turn's `Thread`, in one transaction."""

    async def restart(self, thread_id: str) -> None:
        """As `restart` of the turn's `Thread`."""

    async def add_file(self, file: FileRecord) -> None:
        """Remember a new file."""

    async def file_made(self, thread_id: str, upstream_id: str) -> FileRecord | None:
        """The file that was made in a thread under the back end's name `upstream_id`."""

    async def file(self, file_id: str) -> FileRecord | None:
        """The file of that id."""

    async def close(self) -> None:
        """Let go of what is open."""

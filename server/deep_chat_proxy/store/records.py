"""What is remembered, and what a store must be able to do."""

from typing import Protocol

from msgspec import Struct

from deep_chat_proxy.turn.events import FileKind


class ThreadRecord(Struct, frozen=True):
    """A conversation of one visitor; `upstream_id` is the thread of `dialect`'s back end, None before the first
    answer.
    """

    thread_id: str
    visitor: str
    dialect: str
    upstream_id: str | None


class FileRecord(Struct, frozen=True):
    """A file that the assistant made in a thread."""

    file_id: str
    thread_id: str
    visitor: str
    upstream_id: str
    name: str
    kind: FileKind


class Store(Protocol):
    """Remembers threads and files. Ids are checked by whoever asks: a store knows no visitor's rights."""

    async def add_thread(self, thread: ThreadRecord) -> None:
        """Remember a new thread."""

    async def thread(self, thread_id: str) -> ThreadRecord | None:
        """The thread of that id."""

    async def set_upstream(self, thread_id: str, dialect: str, upstream_id: str) -> None:
        """From now on the thread continues `upstream_id` at the back end of `dialect`."""

    async def add_file(self, file: FileRecord) -> None:
        """Remember a new file."""

    async def file(self, file_id: str) -> FileRecord | None:
        """The file of that id."""

    async def close(self) -> None:
        """Let go of what is open."""

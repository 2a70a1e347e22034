"""What is remembered, and what a store must be able to do."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from deep_chat_proxy.turn.events import FileKind
from deep_chat_proxy.turn.exchange import Exchange
from deep_chat_proxy.turn.held import Held
from deep_chat_proxy.turn.transcript import Anchor, Entry, Memory


class ThreadRecord(Struct, frozen=True):
    """A conversation of one visitor, used last at `used_at` (Unix seconds)."""

    thread_id: str
    visitor: str
    used_at: float = 0.0


class ListedThread(Struct, frozen=True):
    """A thread as its visitor finds it in a list; `answering`: a turn is under way."""

    thread_id: str
    title: str
    used_at: float
    answering: bool


class FileRecord(Struct, frozen=True):
    """A file that the assistant made in a thread, or that the visitor sent. `upstream_id` is the back end's name for
    it, "" where there is none; where `key` is not None, the file itself is on the shelf under it. `content` recognises
    one that was sent (`Attachment.identity`).
    """

    file_id: str
    thread_id: str
    visitor: str
    upstream_id: str
    name: str
    kind: FileKind
    key: str | None = None
    content: str | None = None


class Threads(Protocol):
    """The threads of visitors. Ids are checked by whoever asks."""

    async def of_visitor(self, visitor: str, *, size: int, skipped: int) -> list[ListedThread]:
        """At most `size` threads with a message in them, the one that was used last first, without the first
        `skipped`.
        """

    async def ids(self, visitor: str) -> list[str]:
        """All threads of the visitor."""

    async def name(self, thread_id: str, title: str) -> None:
        """The thread is called so from now on."""

    async def delete(self, *thread_ids: str) -> None:
        """Delete threads with all that belongs to them; what is held for them elsewhere is deleted soon."""

    async def forget(self, visitor: str) -> None:
        """Delete what is known of a visitor beside their threads."""

    async def history(
        self, thread_id: str, *, before: int | None, size: int, skipped: int
    ) -> tuple[list[Exchange], bool]:
        """`size` exchanges in front of the position `before` (None: the newest), without the `skipped` ones nearest to
        it, oldest first; and whether there are older ones.
        """

    async def keys(self, thread_id: str) -> dict[str, str]:
        """The keys of the thread's files that are on the shelf, by the files' ids."""


class Store(Protocol):
    """Remembers threads and files. Ids are checked by whoever asks: a store knows no visitor's rights."""

    async def add_thread(self, thread: ThreadRecord) -> None:
        """Remember a new thread, used now where nothing else is said. Raises ChatError where the visitor has as many as there can be."""

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
        checkpoint: bytes | None = None,
    ) -> None:
        """As `record` of the turn's `Thread`, in one transaction."""

    async def restart(self, thread_id: str) -> None:
        """As `restart` of the turn's `Thread`."""

    async def add_file(self, file: FileRecord, *held: Held) -> None:
        """Remember a new file, and what is held for its thread with it."""

    async def hold(self, thread_id: str, *held: Held) -> None:
        """These are held for a thread; they are deleted with it."""

    async def release(self, thread_id: str, held: Held) -> None:
        """Something is no longer held, as it is no more."""

    async def reuse(self, thread_id: str, held: Held) -> bool:
        """Something that was to leave stays; False where it is being deleted."""

    async def leave(self, held: Held, due_at: float) -> None:
        """Something is deleted from `due_at` (Unix seconds) on."""

    async def file_made(self, thread_id: str, upstream_id: str) -> FileRecord | None:
        """The file of a thread that the back end calls `upstream_id`, whoever made it."""

    async def file(self, file_id: str) -> FileRecord | None:
        """The file of that id."""

    async def close(self) -> None:
        """Let go of what is open."""

"""What is kept of turns where no crash reaches it: those under way, and how the others ended."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from deep_chat_proxy.turn.events import ChatFile, Source, TerminalEvent
from deep_chat_proxy.turn.message import UserMessage


class OpenTurn(Struct, frozen=True):
    """A turn under way. `stopping`: it was asked to end before its process did; `picked_up`: another process has
    begun it; `lost`: that has happened to so many processes that the turn must be what ends them.
    """

    turn_id: str
    thread_id: str
    visitor: str
    message: UserMessage
    stopping: bool = False
    picked_up: bool = False
    lost: bool = False


class EndedTurn(Struct, frozen=True):
    """What a turn came to: as much as whoever comes later can be shown. `log_id` names the log that its events had,
    `text_id` is the event with the last of the text, and files stand with the ids of theirs. The text ends with the list
    of its `sources`.
    """

    turn_id: str
    log_id: str
    last_id: int
    text: str
    text_id: int
    files: tuple[tuple[int, ChatFile], ...]
    end: TerminalEvent
    sources: tuple[Source, ...] = ()


class Journal(Protocol):
    """Knows the turns of all processes that share a store."""

    @property
    def durable(self) -> bool:
        """Whether it outlives the process, so that a turn can be left to the next one."""

    async def last(self, thread_id: str, within: float) -> EndedTurn | None:
        """The newest turn of a thread, if it ended no more than `within` seconds ago and none is under way."""

    async def unseen(self, thread_id: str, message: UserMessage, within: float) -> EndedTurn | None:
        """The newest turn of a thread, if it answered this very message no more than `within` seconds ago and nobody
        was there any more to see it. It counts as seen from now on.
        """

    async def saw(self, turn_id: str) -> None:
        """Somebody was shown the end of a turn after it had ended."""

    async def elsewhere(self, thread_id: str) -> str | None:
        """The process that plays the turn which is under way on a thread, where it is another one than this."""

    async def adopt(self) -> Sequence[OpenTurn]:
        """Take over the turns of processes that are no more; each is given to one caller only."""

"""The turns of other processes that share the store, as far as this one can have a part in them."""

from contextlib import AbstractContextManager
from enum import Enum, auto
from typing import Protocol

from deep_chat_proxy.turn.log import TurnLog


class RemoteTurn(Protocol):
    """A turn that another process plays. It is followed here as one of our own, by a log that is the same as the one
    there; whoever got it has to follow it soon, or it is let go.
    """

    @property
    def turn_id(self) -> str:
        """As everywhere."""

    @property
    def log_id(self) -> str:
        """That of the log there: its events have the same ids here."""

    def attached(self) -> AbstractContextManager[TurnLog]:
        """Follow the turn, which counts there too; when the last one here leaves, its grace period may begin there."""


class Waited(Enum):
    """What a message that waits for another process's turn comes to."""

    OVER = auto()
    """The turn is over."""
    UNKNOWN = auto()
    """The process knows of no such turn, or does not answer."""


class Others(Protocol):
    """The other processes, each asked by its name. One that does not answer is about to end, or cannot be asked."""

    async def follow(self, process: str, thread_id: str) -> RemoteTurn | None:
        """The turn that it plays on a thread; None where it knows of none or does not answer."""

    async def take(
        self, process: str, thread_id: str, fingerprint: str, within: float
    ) -> RemoteTurn | Waited:
        """The turn that it plays on a thread, where it answers the message with this fingerprint; another one is waited
        for, as a message there would wait. Raises ChatError where it goes on for more than `within` seconds.
        """

    async def stop(self, process: str, thread_id: str) -> bool:
        """Stop the turn that it plays on a thread; False where there is none that could be stopped."""

    async def end(self, process: str, thread_id: str) -> None:
        """As `stop`, and wait until it is over. Raises ChatError where that takes too long."""

    async def close(self, within: float) -> None:
        """Nothing is followed any more in so many seconds; what has not ended by then ends here with an error that says
        to try again.
        """

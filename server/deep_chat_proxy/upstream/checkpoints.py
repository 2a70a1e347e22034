"""Where a turn is, in the words of its dialect, for whoever picks it up."""

from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from deep_chat_proxy.turn.held import Held
from deep_chat_proxy.turn.ports import Thread

T = TypeVar("T", bound=Struct)


class Checkpoints(Generic[T]):
    """The checkpoint of one turn; `now` is where it is, and where it begins."""

    def __init__(self, thread: Thread, now: T) -> None:
        self._thread = thread
        self.now = now

    def read(self, body: bytes | None) -> None:
        """Go on from what another process has left, where one has begun the turn."""
        if body is not None:
            self.now = msgspec.json.decode(body, type=type(self.now))

    def note(self, **known: Any) -> None:
        """What matters to this process alone."""
        self.now = replace(self.now, **known)

    @property
    def body(self) -> bytes:
        """What is known, as it is kept."""
        return msgspec.json.encode(self.now)

    async def keep(self, *held: Held, **known: Any) -> None:
        """Keep what is known or about to happen now, and what the back end holds from now on."""
        self.note(**known)
        await self._thread.checkpoint(self.body, *held)

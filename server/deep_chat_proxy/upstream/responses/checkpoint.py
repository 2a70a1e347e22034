"""Where a turn is, for whoever picks it up: kept before each response is asked for, and when it has its id."""

from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from deep_chat_proxy.turn.ports import Thread


class Checkpoint(Struct, frozen=True, omit_defaults=True):
    """`stored` are the uploads by their SHA-256; `conversation` was opened by the turn, with `notice` for the visitor.
    A response is being made (`sending`) that answers the first `entries` of the turn; `response_id` is its name.
    """

    stored: dict[str, str] = {}
    conversation: str | None = None
    notice: str = ""
    sending: bool = False
    entries: int = 0
    response_id: str | None = None


class Checkpoints:
    """The checkpoint of one turn; `now` is where it is."""

    def __init__(self, thread: Thread) -> None:
        self._thread = thread
        self.now = Checkpoint()

    def read(self, body: bytes | None) -> None:
        """Go on from what another process has left, where one has begun the turn."""
        if body is not None:
            self.now = msgspec.json.decode(body, type=Checkpoint)

    def note(self, **known: Any) -> None:
        """What matters to this process alone."""
        self.now = replace(self.now, **known)

    async def keep(self, **known: Any) -> None:
        """Keep what is known or about to happen now."""
        self.note(**known)
        await self._thread.checkpoint(msgspec.json.encode(self.now))

"""Where a turn is, for whoever picks it up: kept before each response is asked for, and when it has its id."""

import msgspec
from msgspec import Struct


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

    def encoded(self) -> bytes:
        """For the store."""
        return msgspec.json.encode(self)


def read(body: bytes | None) -> Checkpoint:
    """What another process has left, where one has begun the turn."""
    return Checkpoint() if body is None else msgspec.json.decode(body, type=Checkpoint)

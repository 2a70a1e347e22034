"""Where a turn is: kept before each response is asked for, and when it has its id."""

from msgspec import Struct

from deep_chat_proxy.upstream.checkpoints import Checkpoints


class Checkpoint(Struct, frozen=True, omit_defaults=True):
    """`conversation` was opened by the turn, with `notice` for the visitor.
    A response is being made (`sending`) that answers the first `entries` of the turn; `response_id` is its name.
    """

    conversation: str | None = None
    notice: str = ""
    sending: bool = False
    entries: int = 0
    response_id: str | None = None


Marks = Checkpoints[Checkpoint]

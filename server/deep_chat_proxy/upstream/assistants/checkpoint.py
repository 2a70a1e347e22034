"""Where a turn is: kept before each call that changes the thread, and behind it."""

from msgspec import Struct

TURN = "deep_chat_turn"
"""The field of a message's and a run's metadata that names the turn which made it, so that it can be found again."""

WITH_THREAD = ""
"""The `message_id` of a message that a thread was opened with."""


class Checkpoint(Struct, frozen=True, omit_defaults=True):
    """`thread_id` is a thread that the turn has opened, with `notice` for the visitor. The message is on its way (`posting`) or there (`message_id`), then the run is (`starting`, `run_id`)."""

    thread_id: str | None = None
    notice: str = ""
    posting: bool = False
    message_id: str | None = None
    starting: bool = False
    run_id: str | None = None

"""What is held somewhere for a thread, and has to go when the thread goes."""

from enum import StrEnum

from msgspec import Struct


class HeldKind(StrEnum):
    """What it is: all but the last lie at the back end."""

    THREAD = "thread"
    CONVERSATION = "conversation"
    RESPONSE = "response"
    FILE = "file"
    SHELF = "shelf"
    """A file that we keep ourselves."""


class Held(Struct, frozen=True):
    """One thing, under the id that it has there. `content` recognises an uploaded file when it is sent again
    (`Attachment.identity`).
    """

    kind: HeldKind
    held_id: str
    content: str = ""

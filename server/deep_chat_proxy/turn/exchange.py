"""What a thread is shown as: messages of the visitor, each with what became of it."""

import re

from msgspec import Struct

from deep_chat_proxy.turn.events import ChatFile
from deep_chat_proxy.turn.journal import EndedTurn
from deep_chat_proxy.turn.message import UserMessage

LONGEST_TITLE = 200
"""Characters of a title that somebody gives."""

# Of one that is made from a message: what a list can show.
_LONGEST_MADE = 60
_SPACES = re.compile(r"\s+")


class Asked(Struct, frozen=True):
    """A message as the visitor saw it, sent `at` (Unix seconds). A file whose `file_id` is "" is known by name only."""

    text: str
    files: tuple[ChatFile, ...]
    at: float


class Exchange(Struct, frozen=True):
    """A message and its answer, None where that goes on; `position` counts within the thread."""

    position: int
    turn_id: str
    asked: Asked
    answered: EndedTurn | None


def title_of(message: UserMessage) -> str:
    """A title for the thread that begins with `message`: its first words, or the name of its file."""
    text = _SPACES.sub(" ", message.text).strip()
    if not text:
        text = ", ".join(attachment.name for attachment in message.attachments)
    return shortened(text, _LONGEST_MADE)


def shortened(text: str, longest: int) -> str:
    """`text`, cut between words where it is longer than so many characters, and in a word only where that is longer."""
    if len(text) <= longest:
        return text
    cut = text[: longest - 1]
    words, space, _ = cut.rpartition(" ")
    return (words if space and len(words) > longest // 2 else cut).rstrip(" ,;:.-") + "…"

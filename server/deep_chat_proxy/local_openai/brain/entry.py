"""One row of the tables that say what the assistant answers to."""

import re
from collections.abc import Callable, Iterable

from msgspec import Struct

from deep_chat_proxy.local_openai.brain.actions import Action
from deep_chat_proxy.local_openai.brain.conversation import Conversation

Play = Callable[[re.Match[str], Conversation], Iterable[Action]]


class Entry(Struct, frozen=True):
    """What the visitor can write (`pattern`, searched for), and what then happens.

    `example` and `effect` are the row's line in the answer to `help`; an empty example is not listed.
    """

    pattern: re.Pattern[str]
    example: str
    effect: str
    play: Play


def whole(words: str) -> re.Pattern[str]:
    """A pattern for a message that says only this, so that talk *about* failing does not fail."""
    return re.compile(rf"^(?:please\s+)?(?:{words})[\s.!?]*$", re.IGNORECASE)


def anywhere(words: str) -> re.Pattern[str]:
    """A pattern for a message in which these words stand somewhere."""
    return re.compile(rf"\b(?:{words})\b", re.IGNORECASE)

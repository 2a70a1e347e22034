"""What a check has found, one sentence each."""

from enum import StrEnum

from msgspec import Struct


class Level(StrEnum):
    """Whether it is good, worth knowing, or keeps the chat from working."""

    WORKS = "works"
    NOTE = "note"
    MISSING = "missing"


class Finding(Struct, frozen=True):
    """`setting` says which setting would change it, and how; empty where none would."""

    level: Level
    text: str
    setting: str = ""


def works(text: str, setting: str = "") -> Finding:
    """It is as it should be."""
    return Finding(Level.WORKS, text, setting)


def note(text: str, setting: str = "") -> Finding:
    """The chat works without it, or nobody can tell."""
    return Finding(Level.NOTE, text, setting)


def missing(text: str, setting: str = "") -> Finding:
    """Without it the chat does not work."""
    return Finding(Level.MISSING, text, setting)

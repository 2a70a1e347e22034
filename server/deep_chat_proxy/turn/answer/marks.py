"""What of a model's words is shown otherwise than it stands there."""

from msgspec import Struct, structs

APART = "\u2060"
"""A word joiner: cannot be seen, and keeps what stands on its two sides from becoming one construct."""


class Mark(Struct, frozen=True):
    """The words from `start` to `end` are shown as `text`."""

    start: int
    end: int
    text: str = ""


class Code(Mark, frozen=True):
    """These words are code and stay as they are."""


class Break(Mark, frozen=True):
    """A new part begins: a blank line, where there is text on both sides of it."""


class Place(Mark, frozen=True):
    """Here stands a source or a file by its `marker`; what is shown depends on what is known of that.

    `name` is the title or name that the marker itself gives. `is_link`: the words were a link with that label, which
    is shown where the file is not known. `following` is the character behind it, "" at the end. `bare`: no link can
    stand here; `first`: nothing else stands before it on its line.
    """

    marker: str = ""
    name: str = ""
    is_link: bool = False
    following: str = ""
    bare: bool = False
    first: bool = False


def moved(mark: Mark, by: int) -> Mark:
    """The mark of the same words where so many more stand before them."""
    return structs.replace(mark, start=mark.start + by, end=mark.end + by)


def add(mark: Mark, marks: list[Mark]) -> None:
    """Add one behind all others; code that goes on stays one mark."""
    before = marks[-1] if marks else None
    if isinstance(mark, Code) and isinstance(before, Code) and before.end == mark.start:
        marks[-1] = Code(before.start, mark.end)
    else:
        marks.append(mark)

"""Who is told of turns as a whole, for counting them: at their beginning and at their end, and never in between."""

from typing import Literal, Protocol

from msgspec import Struct


class Tally(Struct):
    """What a turn has used so far: its tool calls by how they ended, and tokens as the back end counted them."""

    tools_done: int = 0
    tools_failed: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


class TurnOutcome(Struct, frozen=True):
    """What became of a turn; times are in seconds from its beginning. `left`: the next process goes on with it.

    `problem` is the code of what went wrong, "" where nothing did; `first_text` is None where no text came.
    """

    ended: Literal["completed", "stopped", "failed", "left"]
    problem: str
    seconds: float
    first_text: float | None
    used: Tally


class Observer(Protocol):
    """Counts turns. What it does is done at once: it is called on the loop."""

    def turn_began(self, files: int, size: int) -> None:
        """A turn is under way, with so many files of the visitor, of so many bytes together."""

    def turn_ended(self, outcome: TurnOutcome) -> None:
        """A turn that began is over."""

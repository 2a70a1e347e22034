"""The words that are still to be read, of which the end may not be there yet."""

import re


class UnfinishedError(Exception):
    """What comes next decides what this is."""


class Buffer:
    """Words of which more may come, unless these are the `last`."""

    __slots__ = ("last", "text")

    def __init__(self, text: str, *, last: bool) -> None:
        self.text = text
        self.last = last

    def match(self, pattern: re.Pattern[str], position: int) -> re.Match[str] | None:
        """The pattern's match at `position`; it must be one that takes as much as it can.

        Raises UnfinishedError where it reaches the end and might take more.
        """
        found = pattern.match(self.text, position)
        if found is not None:
            self.require(found.end())
        return found

    def end_of(self, pattern: re.Pattern[str], position: int) -> int:
        """Where the pattern's match at `position` ends, as `match`; `position` where there is none."""
        found = self.match(pattern, position)
        return position if found is None else found.end()

    def require(self, position: int) -> None:
        """Raises UnfinishedError where the character at `position` may still come."""
        if position >= len(self.text) and not self.last:
            raise UnfinishedError

    def at(self, position: int) -> str:
        """The character at `position`, "" behind the last one. Raises UnfinishedError where it may still come."""
        self.require(position)
        return self.text[position : position + 1]

    def starts(self, position: int, words: tuple[str, ...]) -> str:
        """Which of `words` stands at `position`, in any case of letters; "" for none of them.

        Raises UnfinishedError where one of them may still come.
        """
        rest = self.text[position : position + max(map(len, words))].lower()
        for word in words:
            if rest.startswith(word):
                return self.text[position : position + len(word)]
        if (
            not self.last
            and position + len(rest) == len(self.text)
            and any(w.startswith(rest) for w in words)
        ):
            raise UnfinishedError
        return ""

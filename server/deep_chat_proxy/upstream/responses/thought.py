"""What a model thinks about, as it summarises it: parts that begin with a heading in bold."""

import re

from deep_chat_proxy.turn.events import Status

_HEADING = re.compile(r"\s*\*\*(?P<heading>[^*\n]{1,100})\*\*")
_LONGEST_STATUS = 100
# Characters of a part in which its heading must have come.
_LONGEST_BEGINNING = 200


class Thought:
    """One part of a summary after the other, each told by its heading, or where it has none by its first line."""

    def __init__(self) -> None:
        self._beginning = ""
        self._told = False

    def add(self, text: str) -> list[Status]:
        """More of a part: its heading, as soon as that is whole."""
        if self._told or len(self._beginning) > _LONGEST_BEGINNING:
            return []
        self._beginning += text
        found = _HEADING.match(self._beginning)
        return [] if found is None else self._tell(found["heading"])

    def end(self, text: str) -> list[Status]:
        """A part is over, and this is all of it; another may follow."""
        found = _HEADING.match(text)
        lines = text.strip().splitlines()
        told: list[Status] = []
        if not self._told and found is not None:
            told = self._tell(found["heading"])
        elif not self._told and lines:
            told = [Status(_shortened(lines[0]))]
        self._beginning, self._told = "", False
        return told

    def _tell(self, heading: str) -> list[Status]:
        self._told = True
        return [Status(f"{heading.strip()}…")]


def _shortened(line: str) -> str:
    return line if len(line) <= _LONGEST_STATUS else line[: _LONGEST_STATUS - 1] + "…"

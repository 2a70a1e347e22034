"""The sources of an answer, as a list at its end."""

import re

from deep_chat_proxy.turn.events import Cited

_HEAD = "\n\n**Sources**\n\n"
_WEB = re.compile(r"https?://[^\s<>]+", re.IGNORECASE)
# What would end a label or a link in Markdown before its end, or begin something else.
_SPECIAL = re.compile(r"([\\`*_\[\]<>!|])")
# What would begin a heading, a list, a rule or a block of code where it stands first.
_BLOCK = re.compile(r"^(\d*)([#+\-~=.)])")
_MOST = 50
_LONGEST_TITLE = 200
_LONGEST_URL = 2_000


class Sources:
    """Gathers what an answer cites, each once and in the order in which it was cited."""

    def __init__(self) -> None:
        self._cited: dict[str, str] = {}

    def add(self, cited: Cited) -> None:
        """A source; one of which nothing can be shown, or which is one too many, is passed over."""
        line = _line(cited)
        if line is not None and len(self._cited) < _MOST:
            self._cited.setdefault(cited.url or cited.title, line)

    def text(self) -> str:
        """What comes behind the answer; nothing where nothing was cited."""
        lines = (f"{number}. {line}" for number, line in enumerate(self._cited.values(), 1))
        return _HEAD + "\n".join(lines) if self._cited else ""


def _line(cited: Cited) -> str | None:
    title = _SPECIAL.sub(r"\\\1", _printable(cited.title))
    if cited.url is None:
        return _BLOCK.sub(r"\1\\\2", title) or None
    # What cannot be printed could turn the text behind it around.
    if not _WEB.fullmatch(cited.url) or not cited.url.isprintable() or len(cited.url) > _LONGEST_URL:
        return None
    url = cited.url.replace("(", "%28").replace(")", "%29").replace("\\", "%5C")
    return f"[{title}]({url})" if title else None


def _printable(title: str) -> str:
    words = " ".join(title[:_LONGEST_TITLE].split())
    return "".join(letter for letter in words if letter.isprintable())

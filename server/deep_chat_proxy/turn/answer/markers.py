"""What models write where a source belongs: 【4:0†source】, `sandbox:/mnt/data/…` and citations in private characters.

Brackets without a † are left alone: they are ordinary in Chinese and Japanese. The bounds in the patterns bound what is
held back of an answer.
"""

import re

from deep_chat_proxy.turn.answer.buffer import Buffer
from deep_chat_proxy.turn.answer.marks import APART

_BRACKET = re.compile(r"【[^【】†\n]{0,40}+(?:†(?P<name>[^【】\n]{0,255}+)(?P<end>】?))?")
_PRIVATE = re.compile(r"\ue200[^\ue200\ue201\n]{0,300}+(?P<end>\ue201?)")
# In code only what cannot be anything else.
_IN_CODE = re.compile(r"【(?:\d{1,6}+(?::(?:\d{1,6}+(?:†[^【】\n]{0,255}+】?)?)?)?)?")
_WHOLE_IN_CODE = re.compile(r"【\d+:\d+†[^【】\n]*】")
_BETWEEN_TICKS = re.compile(rf"(?<=`)(?:{_WHOLE_IN_CODE.pattern})+(?=`)")
# Of an answer that breaks off: with a digit behind it, a bracket was to become a marker.
_BROKEN_OFF = re.compile(r"【\d{0,6}:?\d{0,6}\Z")
_SANDBOX = re.compile(r"sandbox:/[^\s()<>\[\]\"'`|!\\【】†\ue200-\ue202]{0,300}+")
_PUNCTUATION = ".,;:?*_~"
_FILE_NAME = re.compile(r"[^/\\:]*[^/\\:.]\.[A-Za-z0-9]{1,8}")


class Marker:
    """A marker in the words: where it ends, itself, and the name that it gives."""

    __slots__ = ("end", "name", "text")

    def __init__(self, text: str, end: int, name: str = "") -> None:
        self.text = text
        self.end = end
        self.name = name


def bracket_at(buffer: Buffer, position: int) -> Marker | None:
    """The marker that begins with the 【 at `position`, also one that never ends; None where that is a bracket.

    Raises UnfinishedError.
    """
    found = buffer.match(_BRACKET, position)
    if found is None:
        return None
    if found["name"] is None:
        broken_off = buffer.last and _BROKEN_OFF.match(buffer.text, position)
        return Marker("", len(buffer.text)) if broken_off else None
    if not found["end"]:
        # One that is cut off, or that never ends, stands for nothing.
        whole = found.end() == len(buffer.text) or len(found["name"]) < 255
        return Marker("", found.end() if whole else found.start("name"))
    name = found["name"].strip()
    return Marker(found[0], found.end(), name if _FILE_NAME.fullmatch(name) else "")


def private_at(buffer: Buffer, position: int) -> Marker | None:
    """The marker between private characters at `position`; its first character alone where it never ends."""
    found = buffer.match(_PRIVATE, position)
    if found is None:
        return None
    if found["end"]:
        return Marker(found[0], found.end())
    return Marker("", len(buffer.text) if found.end() == len(buffer.text) else position + 1)


def in_code_at(buffer: Buffer, position: int) -> int | None:
    """Where the marker at `position` in code ends; None where there is none. Raises UnfinishedError."""
    found = buffer.match(_IN_CODE, position)
    if found is None:
        return None
    broken_off = found.end() == len(buffer.text) and any(map(str.isdigit, found[0]))
    return found.end() if broken_off or found[0].endswith("】") else None


def without_markers(code: str) -> str:
    """A span of code without the markers in it."""
    return _WHOLE_IN_CODE.sub("", _BETWEEN_TICKS.sub(APART, code)) if "†" in code else code


def sandbox_at(buffer: Buffer, position: int) -> Marker | None:
    """The path in the model's sandbox at `position`, by the name of its file. Raises UnfinishedError."""
    found = buffer.match(_SANDBOX, position)
    if found is None:
        return None
    text = found[0].rstrip(_PUNCTUATION)
    return Marker(text, position + len(text), text.rpartition("/")[2])

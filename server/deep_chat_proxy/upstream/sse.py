"""A decoder for server-sent events: bytes in, whole events out, no I/O.

Follows the WHATWG event stream format (https://html.spec.whatwg.org/multipage/server-sent-events.html) as
far as back ends use it: lines end in LF, CRLF or CR, an event ends with a blank line, comments and fields
other than `event` and `data` are passed over, and so is an event without data.
"""

import re
from functools import lru_cache

from msgspec import Struct

_BOM = b"\xef\xbb\xbf"
# How nearly all events look, alone or with others of their kind. Where they have all lines between them, nothing else is
# there; what looks otherwise is read line by line.
_NAMED = re.compile(rb"(?m)^event: ?([^\n]*)\ndata: ?([^\n]*)\n\n")
_NAMELESS = re.compile(rb"(?m)^data: ?([^\n]*)\n\n")


class ServerEvent(Struct, frozen=True):
    """One event: its name ("" where it has none) and its data lines joined by LF."""

    name: str
    data: bytes


class EventTooLongError(ValueError):
    """The peer sent an event longer than the decoder may hold; `before` came whole with it."""

    def __init__(self, limit: int, before: list[ServerEvent]) -> None:
        super().__init__(f"an event is longer than {limit} bytes")
        self.before = before


class EventDecoder:
    """Feed it what the network brings; `max_event` bounds the bytes of one event that it holds."""

    def __init__(self, *, max_event: int) -> None:
        self._max_event = max_event
        self._buffer = bytearray()
        self._after_cr = False
        self._begun = False

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        """The events that `chunk` completes. Raises EventTooLongError."""
        if chunk and (self._after_cr or b"\r" in chunk):
            chunk = self._with_lf_only(chunk)
        scan_from = max(len(self._buffer) - 1, 0)
        self._buffer += chunk
        if not self._begun:
            if _BOM.startswith(self._buffer):
                return []
            self._begun = True
            scan_from = 0
            if self._buffer.startswith(_BOM):
                del self._buffer[: len(_BOM)]
        events: list[ServerEvent] = []
        end = self._buffer.rfind(b"\n\n", scan_from)
        if end >= 0:
            whole = bytes(self._buffer[: end + 2])
            del self._buffer[: end + 2]
            self._read(whole, events)
        self._check(self._buffer, events)
        return events

    def _read(self, whole: bytes, events: list[ServerEvent]) -> None:
        """Add the events that these bytes hold, of which the last ends with them."""
        if len(whole) <= self._max_event:
            lines = whole.count(b"\n")
            named = _NAMED.findall(whole)
            if lines == 3 * len(named):
                events += [ServerEvent(_name(name), data) for name, data in named]
                return
            if not named and lines == 2 * len(found := _NAMELESS.findall(whole)):
                events += [ServerEvent("", data) for data in found]
                return
        for block in whole[:-2].split(b"\n\n"):
            self._check(block, events)
            if (event := _event(block)) is not None:
                events.append(event)

    def finish(self) -> list[ServerEvent]:
        """What a peer left without its last blank line when it closed the stream."""
        block = bytes(self._buffer)
        self._buffer.clear()
        event = _event(block)
        return [] if event is None else [event]

    def _check(self, block: bytes | bytearray, before: list[ServerEvent]) -> None:
        # An LF at either end belongs to the blank lines around an event, wherever the network cut them.
        if len(block) - block.startswith(b"\n") - block.endswith(b"\n") > self._max_event:
            raise EventTooLongError(self._max_event, before)

    def _with_lf_only(self, chunk: bytes) -> bytes:
        # A CR at the end of one chunk ends its line at once; an LF that opens the next belongs to it.
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
            if not chunk:
                self._after_cr = False
                return b""
        self._after_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


@lru_cache(maxsize=128)
def _name(name: bytes) -> str:
    return name.decode("utf-8", "replace")


def _event(block: bytes) -> ServerEvent | None:
    name = b""
    data: list[bytes] = []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ")
    if not data:
        return None
    return ServerEvent(_name(name), data[0] if len(data) == 1 else b"\n".join(data))

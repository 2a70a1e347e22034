"""Reads what is special in the words of a model, and marks what of it is shown otherwise than it stands there.

What begins a link is looked at by itself and not as part of a whole link, so that nothing depends on which brackets a
reader of Markdown takes for a pair.
"""

import re
from collections.abc import Callable
from typing import ClassVar

from deep_chat_proxy.turn.answer import links, markers
from deep_chat_proxy.turn.answer.buffer import Buffer
from deep_chat_proxy.turn.answer.marks import APART, Code, Mark, Place
from deep_chat_proxy.turn.answer.reader import LINE_END, Reader
from deep_chat_proxy.turn.answer.writing import written

_TICKS = re.compile(r"`{1,64}+")
_MOST_TICKS = 64
_RUN_OF_TICKS = re.compile(r"`++")
_SPAN = 500
_NOTE = re.compile(r"\[\^[^\s\]\[`]{0,64}+")
_ESCAPABLE = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")


class Scanner(Reader):
    """Reads all of an answer; `nested`, in `Reader`: the label of a link."""

    def _special(self, buffer: Buffer, position: int) -> int:
        return self._readers[buffer.text[position]](self, buffer, position)

    def _read_bang(self, buffer: Buffer, position: int) -> int:
        return self._read_link(buffer, position) if buffer.at(position + 1) == "[" else position + 1

    def _read_escape(self, buffer: Buffer, position: int) -> int:
        self._worded = True
        return position + (2 if buffer.at(position + 1) in _ESCAPABLE else 1)

    def _read_bar(self, _: Buffer, position: int) -> int:
        self.lines.bar = True
        return position + 1

    def _read_bracket(self, buffer: Buffer, position: int) -> int:
        return self._place(buffer, position, markers.bracket_at(buffer, position))

    def _read_private(self, buffer: Buffer, position: int) -> int:
        return self._place(buffer, position, markers.private_at(buffer, position))

    def _read_ticks(self, buffer: Buffer, position: int) -> int:
        start = buffer.end_of(_TICKS, position)
        ticks = buffer.text[position:start]
        end = self._closing(buffer, start, ticks) if self._agreed and len(ticks) < _MOST_TICKS else None
        code = "" if end is None else buffer.text[start:end]
        self._worded = True
        if end is None or "|" in code:
            # Bars may be the borders of cells, and what stands in two cells is no code.
            self._agreed = False
            return start
        kept = markers.without_markers(ticks + code)
        self._mark(Code(position, end) if kept == ticks + code else Mark(position, end, kept))
        return end

    @staticmethod
    def _closing(buffer: Buffer, start: int, ticks: str) -> int | None:
        """Where the code that begins behind `ticks` ends with as many, on the same line. Raises UnfinishedError."""
        text, limit = buffer.text, start + _SPAN
        line_end = LINE_END.search(text, start, limit)
        stop = min(limit, len(text)) if line_end is None else line_end.start()
        for found in _RUN_OF_TICKS.finditer(text, start, stop):
            if found.end() == stop and line_end is None:
                break
            if len(found[0]) == len(ticks):
                return found.end()
        if line_end is not None or stop == limit:
            return None
        buffer.require(stop)
        return len(text) if text.endswith(ticks) and not text.endswith("`" + ticks) else None

    def _read_link(self, buffer: Buffer, position: int) -> int:
        """At a [, or at a picture's ![."""
        mark_length = 1 if buffer.text[position] == "[" else 2
        start = position + mark_length
        if mark_length == 1:
            self._see_note(buffer, position)
        end = links.label_end(buffer, start)
        behind = "" if end is None else buffer.at(end + 1)
        if end is None or behind != "(":
            return self._no_link(position, start, reference=behind == "[")
        allowed = links.allowed_at(buffer, end + 2)
        if allowed is not None:
            if mark_length == 2:
                host = "" if end > start else links.host_at(buffer, allowed)
                self._mark(Mark(position, start, f"[{host}"))
            return self._read_label(buffer, start, end)
        link = links.forbidden_at(buffer, end + 2)
        if link is None:
            return self._no_link(position, start, reference=False)
        following = buffer.at(link.end)
        label = buffer.text[start:end]
        if "`" in label:
            self._agreed = False
        shown = self._beginning(_plain(links.alternative(label) or label))
        if link.target.startswith("sandbox:"):
            name = link.target.rpartition("/")[2]
            self._mark(
                Place(
                    position,
                    link.end,
                    shown,
                    marker=link.target,
                    name=name,
                    is_link=True,
                    following=following,
                )
            )
        else:
            self._mark(Mark(position, link.end, shown))
        self._see(shown)
        return link.end

    def _see_note(self, buffer: Buffer, position: int) -> None:
        """A definition may begin here, or a footnote in whose name a backtick is no code."""
        found = buffer.match(_NOTE, position)
        if found is not None and buffer.at(found.end()) not in {"]", " ", "\n"}:
            self._agreed = False
        self._opened = self._opened or not self._worded

    def _no_link(self, position: int, start: int, *, reference: bool) -> int:
        """Read no more than what a link or picture would begin with; a picture that is defined elsewhere is a link."""
        if start - position == 2:
            self._mark(Mark(position, start, "[" if reference else "!\\["))
        return start

    def _read_label(self, buffer: Buffer, start: int, end: int) -> int:
        """Read the label of what may be a link, as all other text is read, but for a picture."""
        shown = links.alternative(buffer.text[start:end])
        if shown is None:
            self._bare = end
            return start
        self._mark(Mark(start, end, _plain(shown)))
        return end

    def _read_link_end(self, buffer: Buffer, position: int) -> int:
        """At a ], with which a target or a definition may begin."""
        behind = buffer.at(position + 1)
        if behind == "(":
            allowed = links.allowed_at(buffer, position + 2)
            if allowed is not None:
                self._in_target = self._worded = True
                return allowed
        elif behind != ":" or not self._opened:
            return position + 1
        elif links.definition_at(buffer, position + 2):
            self._agreed = False
            return position + 2
        self._mark(Mark(position, position + 2, f"]\\{behind}"))
        return position + 2

    def _read_address(self, buffer: Buffer, position: int) -> int:
        end, agreed = links.address_at(buffer, position, nested=self._nested)
        self._agreed = self._agreed and agreed
        if end > position:
            self._worded = self._worded or end > position + 1
            return end
        self._mark(Mark(position, position + 1, "\\<"))
        return position + 1

    def _read_sandbox(self, buffer: Buffer, position: int) -> int:
        buffer.require(position + len("sandbox:"))
        marker = markers.sandbox_at(buffer, position)
        if marker is not None:
            return self._place(buffer, position, marker, shown=self._beginning(_plain(marker.name)))
        self._worded = True
        return min(position + len("sandbox:"), len(buffer.text))

    def _place(self, buffer: Buffer, position: int, marker: markers.Marker | None, shown: str = "") -> int:
        if marker is None:
            return position + 1
        following = buffer.at(marker.end)
        self._mark(
            Place(
                position,
                marker.end,
                shown,
                marker=marker.text,
                name=marker.name,
                following=following,
                bare=position < self._bare,
                first=not self._worded,
            )
        )
        self._worded = self._worded or bool(shown)
        return marker.end

    def _beginning(self, shown: str) -> str:
        """What is shown, so that no block begins with it where it is first on its line."""
        return shown if self._worded or (shown and shown[0].isalpha()) else APART + shown

    _readers: ClassVar[dict[str, Callable[["Scanner", Buffer, int], int]]] = {
        "`": _read_ticks,
        "[": _read_link,
        "]": _read_link_end,
        "!": _read_bang,
        "<": _read_address,
        "\\": _read_escape,
        "|": _read_bar,
        "【": _read_bracket,
        "\ue200": _read_private,
        "s": _read_sandbox,
    }


def _plain(label: str) -> str:
    """A label as it is shown where it is not that of a link any more."""
    words, marks = Scanner(nested=True).take(label, last=True)
    return written(words, marks)

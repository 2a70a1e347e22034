"""What the assistant has said in one turn, told once: from deltas, from whole texts, or from both.

Whole texts are the truth: where deltas were lost or wrong, what follows makes it good. Where an answer was lost in its
middle and is given once more, what was shown of it stays until the new one says something else or more.
"""

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

from deep_chat_proxy.turn.events import PartStarted, TextDelta, TextReplaced, UpstreamEvent
from deep_chat_proxy.upstream.surrogates import ends_in_half, joined

_BREAK = "\n\n"
# How often a turn's text may turn out to have been another: each time all of it is said anew.
_MOST_ANEW = 50

# Of events, beside which a dialect may have others of its own.
Out = list[Any]


class Said:
    """The parts of an answer so far, in order, each under a key of the dialect's."""

    def __init__(self) -> None:
        self._parts: dict[Hashable, list[str]] = {}
        self._last: Hashable = None
        self._broken = False
        self._anew = 0
        self._half: tuple[Hashable, str] = (None, "")
        self._lost = ""
        self._shown: str | None = None
        """What is to be seen, where that is more than what was said anew so far."""

    def notice(self, text: str) -> list[UpstreamEvent]:
        """Words of our own before the answer; they stay where the answer is said anew."""
        out: Out = []
        self.say("notice", text, out)
        return out

    def interrupt(self) -> None:
        """Something that is no text comes in the middle of a part."""
        self._broken = True

    def text(self, key: Hashable) -> str | None:
        """What was said of a part, None where it has not begun."""
        return "".join(self._parts[key]) if key in self._parts else None

    def say(self, key: Hashable, text: str, out: Out, *, whole: bool = False) -> None:
        """More of a part. `whole` as in TextDelta."""
        if self._half[1] or not text.isascii():
            text = self._whole_characters(key, text)
        if not text:
            return
        said = self._parts.setdefault(key, [])
        if self._shown is not None:
            said.append(text)
            self._last = key
            self._overtake(self._shown, out)
            return
        if not said or key != self._last:
            out.append(PartStarted())
        elif self._broken:
            out.append(PartStarted())
            said.append(_BREAK)
        said.append(text)
        self._last = key
        self._broken = False
        out.append(TextDelta(text, whole))

    def _whole_characters(self, key: Hashable, text: str) -> str:
        """The text as far as its characters are whole; half of one waits for the other half."""
        waiting, half = self._half
        if half and waiting == key:
            text = half + text
        self._half = (None, "")
        if ends_in_half(text):
            self._half, text = (key, text[-1]), text[:-1]
        return joined(text)

    def settle(self, key: Hashable, full: str, out: Out, *, whole: bool = False) -> None:
        """A whole part: say what of it was not said, or say all anew where something else was said."""
        self._half = (None, "")
        said, full = self.text(key), joined(full)
        if not full:
            # Nothing was said, or the server does not repeat what was.
            return
        if self._shown is not None:
            self._parts[key] = [full]
            self._last = key
            self._overtake(self._shown, out)
            return
        if said is None:
            self.say(key, full, out, whole=whole)
        elif full.startswith(said) and key == self._last:
            if rest := full[len(said) :]:
                out.append(TextDelta(rest, whole))
            self._parts[key] = [full]
        elif full != said and self._anew < _MOST_ANEW:
            self._parts[key] = [full]
            self._say_anew(out)

    def replace(self, keys: Sequence[Hashable], full: str, out: Out) -> None:
        """Parts turn out to have been something else: say all anew, with `full` in the place of the first of them."""
        first, *others = keys
        for other in others:
            del self._parts[other]
        self._half = (None, "")
        self._parts[first] = [joined(full)]
        self._last = first
        self._say_anew(out)

    def lose(self, keys: Iterable[Hashable]) -> None:
        """These parts were lost in their middle, and others come in their place."""
        lost = [self._parts.pop(key) for key in list(keys) if key in self._parts]
        if self._shown is None:
            self._lost = _BREAK.join("".join(said) for said in lost)
            self._shown = _BREAK.join(text for text in (self._all(), self._lost) if text)
        self._half = (None, "")
        self._last, self._broken = None, False

    def in_view(self, text: str) -> str:
        """What is to be seen of an answer of which `text` was said, where it is one that is given once more."""
        return text if self._shown is None else self._lost

    def caught_up(self, out: Out) -> None:
        """The answer that was given once more has ended, so it is what counts."""
        if self._shown is not None and self._all() != self._shown:
            self._say_anew(out)
        self._shown = None

    def _overtake(self, shown: str, out: Out) -> None:
        """Go on from where the lost answer ended, or begin anew where this one is another."""
        said = self._all()
        if said.startswith(shown):
            self._shown = None
            if rest := said[len(shown) :]:
                out.append(TextDelta(rest))
        elif not shown.startswith(said):
            self._say_anew(out)

    def _say_anew(self, out: Out) -> None:
        self._anew += 1
        self._shown = None
        if out and isinstance(out[-1], TextReplaced):
            out.pop()
        out.append(TextReplaced(self._all()))

    def _all(self) -> str:
        return _BREAK.join("".join(said) for said in self._parts.values())

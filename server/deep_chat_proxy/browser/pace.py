"""An answer that came whole, in pieces at a reading pace."""

import re
from collections.abc import Iterator, Sequence

from deep_chat_proxy.turn.events import TextDelta, TurnEvent

STEP = 0.05
"""Seconds between two pieces."""

_LONGEST = 5.0
# Chinese and Japanese put no spaces between words. Code that is cut would not be code for as long as its end is not
# there, and what is in it may be a picture that a page would fetch.
_WORD = re.compile(r"(?:`(?:[^\n]*`)?|[^\s`]{1,24})\s*|\s+")


def in_steps(events: Sequence[TurnEvent], pace: int) -> Iterator[list[TurnEvent]]:
    """The events in groups, to be sent `STEP` apart: one, but where text that came whole is split (`pieces`)."""
    step: list[TurnEvent] = []
    has_piece = False
    for event in events:
        if not (pace and isinstance(event, TextDelta) and event.whole):
            step.append(event)
            continue
        for piece in pieces(event.text, pace):
            if has_piece:
                yield step
                step = []
            step.append(TextDelta(piece))
            has_piece = True
    if step:
        yield step


def pieces(text: str, pace: int) -> Iterator[str]:
    """Pieces of whole words for every `STEP`, at `pace` characters a second, faster where a long text would take
    more than five seconds; all at once where `pace` is 0.
    """
    if not pace:
        yield text
        return
    size = max(pace, len(text) / _LONGEST) * STEP
    piece = ""
    for word in _WORD.findall(text):
        piece += word
        if len(piece) >= size:
            yield piece
            piece = ""
    if piece:
        yield piece

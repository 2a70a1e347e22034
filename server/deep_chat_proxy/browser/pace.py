"""An answer that came whole, in pieces at a reading pace."""

import re
from collections.abc import Iterator

STEP = 0.05
"""Seconds between two pieces."""

_LONGEST = 5.0
_WORD = re.compile(r"\S+\s*|\s+")


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

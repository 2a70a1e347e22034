"""Cutting text as a model streams it: a word, or a part of a long one, at a time."""

import re

PIECE = re.compile(r"\s*\S{1,12}|\s+")


def pieces(text: str) -> list[str]:
    """`text` in pieces of some characters; joined they are the text again, and none is empty."""
    return PIECE.findall(text)

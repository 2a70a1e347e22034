"""Padding of stream events, so that their length does not tell the length of the text (as OpenAI sends it)."""

import secrets
import string

ALPHABET = string.ascii_letters + string.digits
ROUND = 16


def padding(text: str) -> str:
    """Random characters that bring `text` up to the next multiple of `ROUND`."""
    return "".join(secrets.choice(ALPHABET) for _ in range(-len(text) % ROUND))

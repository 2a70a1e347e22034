"""Ids that look like OpenAI's: a prefix and 24 letters or digits."""

import secrets
import string

ALPHABET = string.ascii_letters + string.digits


def new_id(prefix: str) -> str:
    """`prefix` is given with its sign: `thread_`, `file-`."""
    return prefix + "".join(secrets.choice(ALPHABET) for _ in range(24))

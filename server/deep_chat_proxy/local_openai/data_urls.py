"""Files inside of a request (RFC 2397)."""

import base64
import binascii

PREFIX = "data:"


def decode(url: str) -> bytes | None:
    """The bytes of `data:TYPE;base64,…`; None for anything else."""
    head, comma, encoded = url.partition(",")
    if not comma or not head.startswith(PREFIX) or not head.endswith(";base64"):
        return None
    return unpacked(encoded)


def unpacked(encoded: str) -> bytes | None:
    """The bytes that a text in base64 is; None for anything else."""
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None


def encode(data: bytes, media_type: str) -> str:
    """`data` as such an URL."""
    return f"{PREFIX}{media_type};base64,{base64.b64encode(data).decode()}"

"""Sealing a visitor's session into a token that only this server can read or make."""

import base64
import hashlib
from collections.abc import Sequence

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from msgspec import Struct

# Browsers refuse cookies over 4 KiB; nothing of ours comes near.
_LONGEST = 4096


class SessionData(Struct, frozen=True):
    """What the cookie holds: who the visitor is, and the thread they are in."""

    visitor: str
    thread_id: str | None = None


class Sealer:
    """Encrypts with the first of `keys` and reads with all of them, so that a key can be replaced without
    losing anyone. `lifetime` is in seconds.
    """

    def __init__(self, keys: Sequence[str], lifetime: float) -> None:
        self._fernet = MultiFernet([_fernet(key) for key in keys])
        self._lifetime = int(lifetime)

    def seal(self, data: SessionData) -> str:
        """`data` as a token."""
        return self._fernet.encrypt(msgspec.json.encode(data)).decode("ascii")

    def unseal(self, token: str) -> tuple[SessionData, int] | None:
        """What a token holds and when it was made (Unix seconds); None for one that is not ours, or too old."""
        if len(token) > _LONGEST:
            return None
        try:
            raw = token.encode("ascii")
            opened = self._fernet.decrypt(raw, ttl=self._lifetime)
            return msgspec.json.decode(opened, type=SessionData), self._fernet.extract_timestamp(raw)
        except (InvalidToken, UnicodeEncodeError, msgspec.DecodeError):
            return None


def _fernet(key: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.encode("utf-8")).digest()))

"""Sealing a visitor's session into a token that only this server can read or make."""

import base64
import hashlib
from collections.abc import Sequence

import msgspec
from cryptography.fernet import Fernet, InvalidToken
from msgspec import Struct

# Browsers refuse cookies over 4 KiB; nothing of ours comes near.
_LONGEST = 4096


class SessionData(Struct, frozen=True):
    """What the cookie holds: who the visitor is, and the thread they are in."""

    visitor: str
    thread_id: str | None = None


class Unsealed(Struct, frozen=True):
    """What a token held, when it was made (Unix seconds), and whether the newest key made it."""

    data: SessionData
    made_at: int
    newest_key: bool


class Sealer:
    """Encrypts with the first of `keys` and reads with all of them, so that a key can be replaced without
    losing anyone. `lifetime` is in seconds.
    """

    def __init__(self, keys: Sequence[str], lifetime: float) -> None:
        self._keys = [_fernet(key) for key in keys]
        self.lifetime = int(lifetime)

    def seal(self, data: SessionData) -> str:
        """`data` as a token."""
        return self._keys[0].encrypt(msgspec.json.encode(data)).decode("ascii")

    def unseal(self, token: str) -> Unsealed | None:
        """What is in a token; None for one that is not ours, or too old."""
        if len(token) > _LONGEST or not token.isascii():
            return None
        for index, key in enumerate(self._keys):
            try:
                opened = key.decrypt(token, ttl=self.lifetime)
                data = msgspec.json.decode(opened, type=SessionData)
                return Unsealed(data, key.extract_timestamp(token), newest_key=index == 0)
            except (InvalidToken, msgspec.DecodeError):
                continue
        return None


def _fernet(key: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.encode("utf-8")).digest()))

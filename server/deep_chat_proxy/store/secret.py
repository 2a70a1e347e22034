"""The secret that seals session cookies, where none was set: made once and kept beside the store."""

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

_SHORTEST = 16


def kept_secret(store: Path) -> str:
    """The secret beside the store file `store`; made, for the owner's eyes only, if it is not there.

    Raises OSError where it cannot be read or kept, or the file holds none.
    """
    path = store.with_suffix(".secret")
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make(path)
    secret = path.read_text(encoding="utf-8", errors="replace").strip()
    if len(secret) < _SHORTEST:
        raise OSError(f"{path} holds no secret; remove it and a new one is made, or set DEEP_CHAT_SECRET")
    return secret


def _make(path: Path) -> None:
    """Write a new secret whole, or leave the one that another process was quicker to write."""
    descriptor, draft = tempfile.mkstemp(prefix=".secret-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32))
        # A link appears with all its content, where a file opened here could be read while it is still empty.
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        Path(draft).unlink()

"""The secret that seals session cookies, where none was set: made once and kept beside the store."""

import os
import secrets
from pathlib import Path


def kept_secret(store: Path) -> str:
    """The secret beside the store file `store`; made, for the owner's eyes only, if it is not there."""
    path = store.with_suffix(".secret")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with os.fdopen(
            os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="ascii"
        ) as file:
            file.write(secrets.token_urlsafe(32))
    except FileExistsError:
        pass
    return path.read_text(encoding="ascii").strip()

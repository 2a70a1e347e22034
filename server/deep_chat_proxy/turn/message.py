"""What a visitor sends in one turn."""

import hashlib
from pathlib import Path

from msgspec import Struct

from deep_chat_proxy.turn.events import FileKind


class Attachment(Struct, frozen=True):
    """A file that came with a message, spooled to disk.

    `media_type` was found by looking at the content, `name` is safe to show and to send on,
    `size` is in bytes, `sha256` is hex and recognises the same file when it is sent again.
    """

    path: Path
    name: str
    media_type: str
    kind: FileKind
    size: int
    sha256: str

    @property
    def identity(self) -> str:
        """What recognises the same file under the same name."""
        return f"{self.sha256} {self.media_type} {self.name}"


class UserMessage(Struct, frozen=True):
    """Text, files, or both; never neither."""

    text: str
    attachments: tuple[Attachment, ...] = ()

    @property
    def fingerprint(self) -> str:
        """What recognises the same message when it is sent again, in hex."""
        text = self.text.encode("utf-8", "surrogatepass")
        digest = hashlib.sha256(b"%d\0" % len(text) + text)
        for attachment in self.attachments:
            digest.update(
                b"\0" + attachment.sha256.encode() + attachment.name.encode("utf-8", "surrogatepass")
            )
        return digest.hexdigest()

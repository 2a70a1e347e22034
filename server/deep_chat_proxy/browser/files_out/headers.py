"""Headers under which a file that a model made, or a visitor sent, can do no harm."""

import re
from pathlib import PurePosixPath
from urllib.parse import quote

from deep_chat_proxy.browser.files_in.sniff import sniff
from deep_chat_proxy.turn.events import FileKind
from deep_chat_proxy.upstream.files import kind_by_name

HEAD = 16
"""Bytes of an image's beginning that say which image it is."""

# The kinds a browser shows without running anything. All others are attachments, and have a type only where no
# browser makes a page of it, so that what a model wrote is never a page of ours.
_SHOWN = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_PASSED = {
    ".csv": "text/csv",
    ".flac": "audio/flac",
    ".json": "application/json",
    ".m4a": "audio/mp4",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".ogg": "audio/ogg",
    ".pdf": "application/pdf",
    ".txt": "text/plain",
    ".wav": "audio/wav",
    ".webm": "video/webm",
    ".zip": "application/zip",
}
_NO_TYPE = "application/octet-stream"
# What stands in a quoted name without any doubt of how it is read; RFC 6266, appendix D, warns of `%` too.
_DOUBTFUL = re.compile(r"[^ !#$&\'()+,\-.0-9=@A-Z\[\]^_`a-z{}~]")


def names_an_image(name: str) -> bool:
    """Whether a file of that name is shown in the chat, if it begins as an image."""
    return kind_by_name(name) is FileKind.IMAGE


def file_headers(name: str, head: bytes = b"") -> dict[str, str]:
    """The headers of a file called `name`; `head` is its beginning, without which no file is an image."""
    media_type = _media_type(name, head)
    shown = "inline" if media_type in _SHOWN else "attachment"
    # The plain name is for programs that do not know the other one.
    plain = _DOUBTFUL.sub("_", name)
    encoded = quote(name, safe="", errors="replace")
    return {
        "Content-Type": media_type,
        "Content-Disposition": f"{shown}; filename=\"{plain}\"; filename*=UTF-8''{encoded}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "private, max-age=3600",
    }


def _media_type(name: str, head: bytes) -> str:
    if not names_an_image(name):
        return _PASSED.get(PurePosixPath(name).suffix.lower(), _NO_TYPE)
    # An image of another kind than its name says is shown as what it is.
    found = sniff(head, name) if head else None
    return found if found in _SHOWN else _NO_TYPE

"""What a file is, by its first bytes; its name only decides between kinds of text.

A browser's declared type is not believed: Deep Chat's microphone, for one, sends WebM bytes as
`audio/mp3`. SVG and HTML can run scripts, so they are text here and never images. BMP, TIFF, HEIC and AVIF are left
out, because neither the back ends' image inputs nor every browser can show them.

A file that can be read as two things is what its first bytes say and nothing else: markup behind the head of an
image stays an image, since it is never sent on or shown as anything else. What no honest file has is refused: a
recording or image that a PDF reader would open too.
"""

import codecs
import re
from collections.abc import Iterable

from msgspec import Struct

from deep_chat_proxy.browser.files_in.zips import DOCUMENTS, sniff_zip
from deep_chat_proxy.turn.events import FileKind

HEAD = 65_536
"""Bytes of a file's beginning that `sniff` can make use of."""

_MAGICS = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb"RIFF.{4}WAVE", re.DOTALL), "audio/wav"),
    (re.compile(rb"fLaC"), "audio/flac"),
    # MPEG audio: 11 sync bits; version 1, 2 or 2.5, layer III, a bit rate and a sample rate that exist.
    (re.compile(rb"ID3[\x02-\x04]|\xff[\xe2\xe3\xf2\xf3\xfa\xfb][\x10-\xef]"), "audio/mpeg"),
    (re.compile(rb"\xff[\xf0\xf1\xf8\xf9]"), "audio/aac"),
    (re.compile(rb"\s{0,64}%PDF-"), "application/pdf"),
)
# Readers of PDF look for its beginning this far into a file.
_PDF, _PDF_WITHIN = b"%PDF-", 1024
# The container of Word, Excel and PowerPoint before 2007, and of newer documents that have a password.
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_EBML = b"\x1a\x45\xdf\xa3"
_WEBM_VIDEO = re.compile(rb"V_(?:VP8|VP9|AV1)")
_MP4_BRANDS = (b"avc1", b"dash", b"iso", b"mp4", b"M4A ", b"M4B ", b"M4V ", b"MSNV", b"3gp", b"f4v ", b"qt  ")
_MP4_AUDIO_NAMES = (".m4a", ".mp3", ".aac", ".m4b")

_CONTROLS = re.compile(r"[\x00-\x07\x0e-\x1a\x1c-\x1f\x7f]")
_HTML = re.compile(
    r"\s*(?:<!--.*?-->\s*)?<(?:!doctype\s+html|html|head|body|script)\b", re.DOTALL | re.IGNORECASE
)
_XML = re.compile(r"\s*<(?:\?xml|svg)\b", re.IGNORECASE)
_JSON = re.compile(r'\s*(?:[\[{"\-0-9]|(?:true|false|null)\b)')

# The names that OpenAI's file inputs use for each of these.
_TEXT_BY_EXTENSION = {
    "c": "text/x-c",
    "cpp": "text/x-c++",
    "cs": "text/x-csharp",
    "css": "text/css",
    "csv": "text/csv",
    "go": "text/x-golang",
    "htm": "text/html",
    "html": "text/html",
    "java": "text/x-java",
    "js": "text/javascript",
    "json": "application/json",
    "markdown": "text/markdown",
    "md": "text/markdown",
    "mjs": "text/javascript",
    "php": "text/x-php",
    "py": "text/x-python",
    "rb": "text/x-ruby",
    "sh": "application/x-sh",
    "svg": "text/xml",
    "tex": "text/x-tex",
    "ts": "application/typescript",
    "tsv": "text/tab-separated-values",
    "xml": "text/xml",
}


class Kind(Struct, frozen=True):
    """Media types that a person has one word for."""

    words: str
    media_types: frozenset[str]


KINDS = {
    "images": Kind(
        "images (PNG, JPEG, GIF, WebP)", frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
    ),
    "audio": Kind(
        "audio",
        frozenset(
            {"audio/mpeg", "audio/wav", "audio/ogg", "audio/mp4", "audio/webm", "audio/flac", "audio/aac"}
        ),
    ),
    "video": Kind("video", frozenset({"video/mp4", "video/quicktime", "video/webm", "video/ogg"})),
    "pdf": Kind("PDF", frozenset({"application/pdf"})),
    "office": Kind("office documents", DOCUMENTS),
    "zip": Kind("ZIP archives", frozenset({"application/zip"})),
    "text": Kind("text files (UTF-8)", frozenset({"text/plain", *_TEXT_BY_EXTENSION.values()})),
}
"""Every media type that `sniff` can answer, under the names that the settings have for them."""


def media_types_of(kinds: Iterable[str]) -> frozenset[str]:
    """The media types of some of `KINDS`."""
    return frozenset().union(*(KINDS[kind].media_types for kind in kinds))


MEDIA_TYPES = media_types_of(KINDS)


def sniff(head: bytes, name: str) -> str | None:
    """The media type of a file that begins with `head`, or None for what is not known here.

    `head` is the whole file or its first `HEAD` bytes (4 KiB do for all but zip-based documents).
    `name` may hold anything: it chooses among text types and, where an MP4's head does not tell, between
    its audio and video type.
    """
    if head.startswith(b"PK\x03\x04"):
        return sniff_zip(head, name)
    media_type = _sniff_media(head, name)
    if media_type is not None and media_type != "application/pdf" and _PDF in head[:_PDF_WITHIN]:
        return None
    return media_type or _sniff_text(head, name)


def _sniff_media(head: bytes, name: str) -> str | None:
    for magic, media_type in _MAGICS:
        if magic.match(head):
            return media_type
    if head.startswith(b"OggS"):
        return "video/ogg" if b"\x80theora" in head[:4096] else "audio/ogg"
    if head.startswith(_EBML):
        return _sniff_webm(head)
    if head[4:8] == b"ftyp":
        return _sniff_mp4(head, name)
    return None


def is_old_office(head: bytes) -> bool:
    """Whether a file that begins so is an office document which the back ends do not read: an old or a locked one."""
    return head.startswith(_OLD_OFFICE)


def kind_of(media_type: str) -> FileKind:
    """How Deep Chat would show a file of that type."""
    if media_type.startswith("image/"):
        return FileKind.IMAGE
    return FileKind.AUDIO if media_type.startswith("audio/") else FileKind.ANY


def _sniff_webm(head: bytes) -> str | None:
    # Matroska shares WebM's container; its DocType stands in the first element.
    if b"webm" not in head[:64]:
        return None
    return "video/webm" if _WEBM_VIDEO.search(head) else "audio/webm"


def _sniff_mp4(head: bytes, name: str) -> str | None:
    brand = head[8:12]
    if not brand.startswith(_MP4_BRANDS):
        return None
    if brand == b"qt  ":
        return "video/quicktime"
    # The handler of each track says what it holds; a file that is not made for streaming has it at its end.
    if b"hdlr" in head:
        return "video/mp4" if b"vide" in head else "audio/mp4"
    audio = brand in {b"M4A ", b"M4B "} or name.lower().endswith(_MP4_AUDIO_NAMES)
    return "audio/mp4" if audio else "video/mp4"


def _sniff_text(head: bytes, name: str) -> str | None:
    try:
        # Not final: the head may end in the middle of a character.
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        return None
    if not text or _CONTROLS.search(text):
        return None
    if _HTML.match(text):
        return "text/html"
    if _XML.match(text):
        return "text/xml"
    media_type = _TEXT_BY_EXTENSION.get(name.rpartition(".")[2].lower(), "text/plain")
    if media_type == "application/json" and not _JSON.match(text):
        return "text/plain"
    return media_type

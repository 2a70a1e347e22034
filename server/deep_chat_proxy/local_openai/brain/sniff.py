"""What kind of file some bytes are, judged by themselves and not by a name."""

import codecs
import re
import struct
import zlib

from msgspec import Struct

MOST_STREAMS = 20
MOST_READ = 1024 * 1024
"""Bytes of a PDF that are looked at."""
MOST_INFLATED = 64 * 1024
"""Bytes taken from one stream of a PDF."""


class Picture(Struct, frozen=True):
    """Format and size in pixels."""

    format: str
    width: int
    height: int


def picture(data: bytes) -> Picture | None:
    """The picture that `data` is, or None; read from its header alone."""
    try:
        return _png(data) or _gif(data) or _webp(data) or _jpeg(data)
    except (struct.error, IndexError):
        return None


def _png(data: bytes) -> Picture | None:
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return None
    return Picture("PNG", *struct.unpack_from(">II", data, 16))


def _gif(data: bytes) -> Picture | None:
    if not data.startswith((b"GIF87a", b"GIF89a")):
        return None
    return Picture("GIF", *struct.unpack_from("<HH", data, 6))


def _webp(data: bytes) -> Picture | None:
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return None
    match data[12:16]:
        case b"VP8 ":
            width, height = struct.unpack_from("<HH", data, 26)
            return Picture("WebP", width & 0x3FFF, height & 0x3FFF)
        case b"VP8L":
            (bits,) = struct.unpack_from("<I", data, 21)
            return Picture("WebP", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
        case b"VP8X":
            width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
            return Picture("WebP", width, height)
        case _:
            return None


def _jpeg(data: bytes) -> Picture | None:
    if not data.startswith(b"\xff\xd8\xff"):
        return None
    position = 2
    while data[position] == 0xFF:
        marker = data[position + 1]
        # C4, C8 and CC lie among the frame headers, but are tables and an extension.
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            height, width = struct.unpack_from(">HH", data, position + 5)
            return Picture("JPEG", width, height)
        (length,) = struct.unpack_from(">H", data, position + 2)
        position += 2 + length
    return None


def sound(data: bytes) -> str | None:
    """The format of the recording that `data` is, or None; read from its first bytes alone."""
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return "WAV"
    if data.startswith(b"\x1a\x45\xdf\xa3") and b"webm" in data[:64]:
        return "WebM"
    if data[4:8] == b"ftyp":
        return "MPEG-4"
    if data.startswith(b"ID3") or (data[:1] == b"\xff" and data[1:2] in {b"\xfb", b"\xfa", b"\xf3", b"\xf2"}):
        return "MP3"
    return {b"OggS": "Ogg", b"fLaC": "FLAC"}.get(data[:4])


def text(data: bytes) -> str | None:
    """The beginning of a file as text, or None where it is none; it may be cut within the last character."""
    if b"\0" in data:
        return None
    try:
        return codecs.getincrementaldecoder("utf-8-sig")().decode(data)
    except UnicodeDecodeError:
        return None


def pdf_text(data: bytes) -> str | None:
    """The strings that a simple PDF shows, "" where none can be read; None where `data` is no PDF."""
    if not data.startswith(b"%PDF-"):
        return None
    shown = []
    for part in data[:MOST_READ].split(b"endstream", MOST_STREAMS)[:-1]:
        stream = part.partition(b"stream")[2].lstrip(b"\r\n")
        shown += re.findall(rb"\(((?:[^()\\]|\\.)*)\)\s*(?:Tj|')", _inflated(stream), re.DOTALL)
    return " ".join(re.sub(rb"\\(.)", rb"\1", string).decode("latin-1") for string in shown)


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, MOST_INFLATED)
    except zlib.error:
        return data[:MOST_INFLATED]

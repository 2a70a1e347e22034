"""Which document a zip archive is, by the names of its first entries."""

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

# PKWARE APPNOTE 4.3.7, local file header: signature, version, flags, method, time, date, crc-32,
# compressed size, uncompressed size, name length, extra length; the name and the extra field follow.
_LOCAL_HEADER = Struct("<4s5H3I2H")
_SIGNATURE = b"PK\x03\x04"
_SIZES_FOLLOW = 1 << 3
_MOST_ENTRIES = 64

_OOXML = "application/vnd.openxmlformats-officedocument."
_OOXML_FOLDERS = {
    b"word/": (".docx", _OOXML + "wordprocessingml.document"),
    b"xl/": (".xlsx", _OOXML + "spreadsheetml.sheet"),
    b"ppt/": (".pptx", _OOXML + "presentationml.presentation"),
}
_OOXML_MARKS = (b"[Content_Types].xml", b"_rels/", b"docProps/")
_OPEN_DOCUMENT = "application/vnd.oasis.opendocument."
_OPEN_DOCUMENTS = {
    (_OPEN_DOCUMENT + kind).encode(): _OPEN_DOCUMENT + kind
    for kind in ("text", "spreadsheet", "presentation")
}
DOCUMENTS = frozenset({*(kind for _, kind in _OOXML_FOLDERS.values()), *_OPEN_DOCUMENTS.values()})
"""The media types of the office documents that are zip archives."""

ARCHIVES = DOCUMENTS | {"application/zip"}
"""The media types of everything that is a zip archive."""

# Java and Android programs are zip archives too.
PROGRAM_MARKS = (b"META-INF/MANIFEST.MF", b"AndroidManifest.xml", b"classes.dex")
"""What the names of some entries of a program begin with."""


class _Entry(NamedTuple):
    name: bytes
    data: bytes


def sniff_zip(head: bytes, name: str) -> str | None:
    """The media type of the archive that begins with `head`, or None for a program or an unknown document.

    An office document needs one of the entries that each such file has, or the file's `name` to agree.
    """
    entries = list(_entries(head))
    names = [entry.name for entry in entries]
    if not entries or any(entry.startswith(PROGRAM_MARKS) for entry in names):
        return None
    # OpenDocument and EPUB keep their type in the first entry, uncompressed.
    if names[0] == b"mimetype":
        return _OPEN_DOCUMENTS.get(entries[0].data)
    marked = any(entry.startswith(_OOXML_MARKS) for entry in names)
    for folder, (extension, media_type) in _OOXML_FOLDERS.items():
        if any(entry.startswith(folder) for entry in names) and (marked or name.lower().endswith(extension)):
            return media_type
    return "application/zip"


def _entries(head: bytes) -> Iterator[_Entry]:
    """The entries whose headers lie in `head`, with as much of their stored bytes as it holds."""
    at = 0
    for _ in range(_MOST_ENTRIES):
        if len(head) < at + _LOCAL_HEADER.size:
            return
        header = _LOCAL_HEADER.unpack_from(head, at)
        if header[0] != _SIGNATURE:
            return
        flags, size, name_length, extra_length = header[2], header[7], header[9], header[10]
        name_at = at + _LOCAL_HEADER.size
        data_at = name_at + name_length + extra_length
        yield _Entry(head[name_at : name_at + name_length], head[data_at : data_at + size])
        # Where the size stands behind the data, the next header has to be looked for.
        at = head.find(_SIGNATURE, data_at) if flags & _SIZES_FOLLOW else data_at + size
        if at < 0:
            return

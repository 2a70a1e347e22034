"""The directory at the end of a zip archive, entry by entry, in little memory. Everything here blocks.

The standard library's reader builds an object for each entry before anybody can count them. Numbers of sections are
those of PKWARE's APPNOTE.
"""

import os
from collections.abc import Iterator
from struct import Struct
from typing import BinaryIO, NamedTuple

# 4.3.16, end of central directory: signature, this disk, its disk, entries here, entries, size, offset, comment length.
_END = Struct("<4s4H2IH")
_END_SIGNATURE = b"PK\x05\x06"
_LONGEST_COMMENT = 0xFFFF
# 4.3.15, locator of the zip64 end: signature, its disk, offset, disks.
_LOCATOR = Struct("<4sIQI")
_LOCATOR_SIGNATURE = b"PK\x06\x07"
# 4.3.14, zip64 end: signature, size of the rest, versions, disks, entries here, entries, size, offset.
_END_64 = Struct("<4sQ2H2I4Q")
_END_64_SIGNATURE = b"PK\x06\x06"
# 4.3.12, central directory header: signature, versions, flags, method, time, date, crc-32, compressed size,
# uncompressed size, name length, extra length, comment length, disk, attributes, offset.
_ENTRY = Struct("<4s6H3I5H2I")
_ENTRY_SIGNATURE = b"PK\x01\x02"
_ENCRYPTED = 1
# 4.5.3: where a size is this, the size itself stands in an extra field of that number.
_IN_EXTRA = 0xFFFFFFFF
_EXTRA_64 = 1
_EXTRA_HEAD = Struct("<2H")
_SIZE_64 = Struct("<Q")


class BadDirectoryError(Exception):
    """The archive has no directory that fits it."""


class Directory(NamedTuple):
    """Where the directory is: `start` to `end`, in a file of `size` bytes; it says that it has so many `entries`."""

    start: int
    end: int
    entries: int
    size: int


class Entry(NamedTuple):
    """A file of the archive, as the directory describes it; sizes in bytes."""

    name: bytes
    packed: int
    unpacked: int
    encrypted: bool


def find_directory(file: BinaryIO) -> Directory:
    """Where the directory of an archive is. Raises BadDirectoryError."""
    size = file.seek(0, os.SEEK_END)
    tail_at = max(0, size - _END.size - _LONGEST_COMMENT)
    file.seek(tail_at)
    tail = file.read(_END.size + _LONGEST_COMMENT)
    at = tail.rfind(_END_SIGNATURE)
    if at < 0 or len(tail) < at + _END.size:
        raise BadDirectoryError
    _, _, _, _, count, length, start, comment = _END.unpack_from(tail, at)
    if at + _END.size + comment != len(tail):
        raise BadDirectoryError
    end = tail_at + at
    if count == 0xFFFF or _IN_EXTRA in {length, start}:
        count, length, start, end = _zip64(file, end)
    # What stands before an archive moves all of its offsets; no reader of documents takes that, so neither do we.
    if start + length != end:
        raise BadDirectoryError
    return Directory(start, end, count, size)


def _zip64(file: BinaryIO, end: int) -> tuple[int, int, int, int]:
    """Count, length, start and end of the directory, of an archive whose plain end is at `end`."""
    if end < _LOCATOR.size:
        raise BadDirectoryError
    file.seek(end - _LOCATOR.size)
    signature, _, at, _ = _LOCATOR.unpack(file.read(_LOCATOR.size))
    if signature != _LOCATOR_SIGNATURE or at + _END_64.size > end:
        raise BadDirectoryError
    file.seek(at)
    signature, _, _, _, _, _, _, count, length, start = _END_64.unpack(file.read(_END_64.size))
    if signature != _END_64_SIGNATURE:
        raise BadDirectoryError
    return count, length, start, at


def entries_of(file: BinaryIO, directory: Directory) -> Iterator[Entry]:
    """The entries, as many as the directory says. Raises BadDirectoryError where there are more or fewer."""
    file.seek(directory.start)
    at = directory.start
    for _ in range(directory.entries):
        head = file.read(_ENTRY.size)
        if len(head) < _ENTRY.size or not head.startswith(_ENTRY_SIGNATURE):
            raise BadDirectoryError
        fields = _ENTRY.unpack(head)
        flags, packed, unpacked = fields[3], fields[8], fields[9]
        name_length, extra_length, comment_length = fields[10], fields[11], fields[12]
        at += _ENTRY.size + name_length + extra_length + comment_length
        if at > directory.end:
            raise BadDirectoryError
        name = file.read(name_length)
        sizes = _sizes(packed, unpacked, file.read(extra_length))
        file.seek(at)
        yield Entry(name, *sizes, encrypted=bool(flags & _ENCRYPTED))
    if at != directory.end:
        raise BadDirectoryError


def _sizes(packed: int, unpacked: int, extra: bytes) -> tuple[int, int]:
    """The sizes of an entry, from its extra field where they do not fit into their own."""
    if _IN_EXTRA not in {packed, unpacked}:
        return packed, unpacked
    long = _extra_64(extra)
    # Only those that did not fit are there, in this order.
    if unpacked == _IN_EXTRA:
        unpacked, long = _first(long)
    if packed == _IN_EXTRA:
        packed, long = _first(long)
    return packed, unpacked


def _extra_64(extra: bytes) -> bytes:
    at = 0
    while at + _EXTRA_HEAD.size <= len(extra):
        number, length = _EXTRA_HEAD.unpack_from(extra, at)
        at += _EXTRA_HEAD.size
        if number == _EXTRA_64:
            return extra[at : at + length]
        at += length
    raise BadDirectoryError


def _first(sizes: bytes) -> tuple[int, bytes]:
    if len(sizes) < _SIZE_64.size:
        raise BadDirectoryError
    return int(_SIZE_64.unpack_from(sizes)[0]), sizes[_SIZE_64.size :]

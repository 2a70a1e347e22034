"""What a complete zip archive says of itself, before anybody unpacks it; here nobody does.

The directory at its end is read, never the files. It is believed only where it fits into the archive. An archive
within an archive is one of its files: whoever unpacks that asks again.
"""

from pathlib import Path
from typing import BinaryIO

from deep_chat_proxy.browser.files_in.directory import (
    BadDirectoryError,
    Directory,
    Entry,
    entries_of,
    find_directory,
)
from deep_chat_proxy.browser.files_in.zips import DOCUMENTS, PROGRAM_MARKS
from deep_chat_proxy.browser.limits import MIB, in_megabytes
from deep_chat_proxy.errors import ChatError, refused

MOST_ENTRIES = 10_000
MOST_UNPACKED = 1024 * MIB
MOST_TIMES = 200
"""How many times as large as the archive its files may be together."""
DEEPEST = 64
"""Folders within each other."""

_MACROS = b"vbaproject.bin"


def check_archive(path: Path, name: str, media_type: str) -> None:
    """Look at the archive at `path`, which `sniff` takes for `media_type`. Blocks.

    Raises ChatError: 413 for one that unpacks to too much, 415 for one that is damaged, leads out of its folder, or
    holds a program; an office document must not be locked or hold macros either. `name` is what its visitor calls it.
    """
    with path.open("rb") as file:
        try:
            directory = find_directory(file)
            if directory.entries > MOST_ENTRIES:
                raise refused(
                    413, f'"{name}" holds too many files: an archive can have at most {MOST_ENTRIES:,}.'
                )
            _check_entries(file, directory, name, is_document=media_type in DOCUMENTS)
        except BadDirectoryError as fault:
            raise refused(415, f'"{name}" is damaged. Please make the file again.') from fault


def _check_entries(file: BinaryIO, directory: Directory, name: str, *, is_document: bool) -> None:
    packed = unpacked = 0
    for entry in entries_of(file, directory):
        packed += entry.packed
        unpacked += entry.unpacked
        _check_entry(entry, name, is_document=is_document)
    if packed > directory.start:
        # Entries that lie on top of each other: a few bytes that are unpacked again and again.
        raise BadDirectoryError
    if unpacked > min(MOST_UNPACKED, MOST_TIMES * directory.size):
        raise _unpacks_to_too_much(name)


def _check_entry(entry: Entry, name: str, *, is_document: bool) -> None:
    if entry.name.startswith(PROGRAM_MARKS):
        raise refused(415, f'"{name}" is a program, which cannot be sent.')
    if _leads_out(entry.name):
        raise refused(415, f'"{name}" holds files whose paths lead out of it, so it cannot be sent.')
    if is_document and entry.encrypted:
        raise refused(415, f'"{name}" is locked with a password. Please send it without one.')
    if is_document and entry.name.lower().endswith(_MACROS):
        raise refused(415, f'"{name}" holds macros. Please save it without them, such as .docx or .xlsx.')


def _leads_out(name: bytes) -> bool:
    # Windows takes both slashes, and a drive may stand before them.
    segments = name.replace(b"\\", b"/").split(b"/")
    rooted = not segments[0] or segments[0].endswith(b":")
    return rooted or b".." in segments or b"\0" in name or len(segments) > DEEPEST


def _unpacks_to_too_much(name: str) -> ChatError:
    most = in_megabytes(MOST_UNPACKED)
    return refused(
        413,
        f'"{name}" would unpack to too much: at most {most}, and {MOST_TIMES} times its own size.',
    )

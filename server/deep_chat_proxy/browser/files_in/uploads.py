"""The files of one request: checked against the limits while they arrive, kept on disk."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from deep_chat_proxy.browser.files_in.allowance import Allowance
from deep_chat_proxy.browser.files_in.archives import check_archive
from deep_chat_proxy.browser.files_in.sniff import HEAD, KINDS, is_old_office, kind_of, sniff
from deep_chat_proxy.browser.files_in.spool import Spool
from deep_chat_proxy.browser.files_in.zips import ARCHIVES
from deep_chat_proxy.browser.limits import RequestLimits, in_megabytes
from deep_chat_proxy.errors import ChatError, refused
from deep_chat_proxy.turn.filenames import safe_name
from deep_chat_proxy.turn.message import Attachment

T = TypeVar("T")

BATCH = 131_072
"""Bytes that are gathered before a thread writes them; at least `HEAD`, so that the first batch can be sniffed."""


class Uploads:
    """Takes one file after the other: `start`, `write` as often as needed, `finish`.

    Every method raises ChatError (400, 413 or 415) where the file cannot be taken. Whoever made the object calls
    `discard` unless all went well; after that the attachments belong to whoever took them.
    """

    def __init__(
        self, limits: RequestLimits, folder: Path | None, allowance: Allowance | None = None
    ) -> None:
        self._limits = limits
        self._folder = folder
        self._allowance = allowance
        self._spools: list[Spool] = []
        self._attachments: list[Attachment] = []
        self._total = 0
        self._begin("")

    def _begin(self, name: str) -> None:
        self._name = name
        self._size = 0
        self._batch = bytearray()
        self._media_type = ""

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """The finished files, in the order they came in."""
        return tuple(self._attachments)

    async def start(self, declared_name: str) -> None:
        """The next file begins."""
        if len(self._spools) >= self._limits.max_files:
            raise refused(413, f"At most {self._limits.max_files} files can be sent with one message.")
        self._begin(safe_name(declared_name))
        self._spools.append(Spool(self._folder))
        if self._allowance is not None:
            await self._allowance.begin()
            self._allowance.check(len(self._spools), self._total)

    async def write(self, data: bytes) -> None:
        """More bytes of the file that was started last; raises OSError where the disk takes no more."""
        self._size += len(data)
        self._total += len(data)
        if self._size > self._limits.max_file_bytes:
            most = in_megabytes(self._limits.max_file_bytes)
            raise refused(413, f'"{self._name}" is too large: a file can have at most {most}.')
        if self._total > self._limits.max_upload_bytes:
            raise too_much_at_once(self._limits)
        if self._allowance is not None:
            self._allowance.check(len(self._spools), self._total)
        self._batch += data
        if len(self._batch) >= BATCH:
            await self._flush()

    async def finish(self) -> None:
        """The file that was started last is complete."""
        if not self._size:
            raise refused(400, f'"{self._name}" is empty. Please choose a file with content.')
        if self._batch:
            await self._flush()
        spool, name, media_type = self._spools[-1], self._name, self._media_type
        path, digest = await _in_thread(lambda: _complete(spool, name, media_type))
        self._attachments.append(
            Attachment(
                path=path,
                name=self._name,
                media_type=self._media_type,
                kind=kind_of(self._media_type),
                size=self._size,
                sha256=digest,
            )
        )

    async def discard(self) -> None:
        """Remove every file of this request, finished or not; may be called again."""
        if self._spools:
            await _in_thread(lambda: _discard_all(self._spools))

    async def _flush(self) -> None:
        data, self._batch = bytes(self._batch), bytearray()
        if not self._media_type:
            self._media_type = self._accept(data[:HEAD])
        spool = self._spools[-1]
        await _in_thread(lambda: spool.append(data))

    def _accept(self, head: bytes) -> str:
        if is_old_office(head):
            raise refused(
                415,
                f'"{self._name}" is an Office file of an old kind, or one with a password, which cannot be sent.'
                " Please save it as .docx, .xlsx or .pptx, without a password.",
            )
        media_type = sniff(head, self._name)
        if media_type is None or media_type not in self._limits.accepted:
            raise _not_accepted(self._name, self._limits.accepted)
        return media_type


async def discard(attachments: Sequence[Attachment]) -> None:
    """Remove the attachments' files from disk; those already gone do not matter."""
    if attachments:
        await _in_thread(lambda: _unlink_all(attachments))


def too_much_at_once(limits: RequestLimits) -> ChatError:
    """The files of one request are too large together."""
    most = in_megabytes(limits.max_upload_bytes)
    return refused(413, f"The files are too large together: one message can hold at most {most}.")


def _not_accepted(name: str, accepted: frozenset[str]) -> ChatError:
    words = [kind.words for kind in KINDS.values() if kind.media_types & accepted]
    what = f"these can: {', '.join(words)}" if words else "no files can be sent here"
    return refused(415, f'"{name}" is of a kind that cannot be sent; {what}.')


def _complete(spool: Spool, name: str, media_type: str) -> tuple[Path, str]:
    """Close a file; where it is, and its digest. Raises ChatError for an archive that may not be taken."""
    path, digest = spool.finish()
    if media_type in ARCHIVES:
        check_archive(path, name, media_type)
    return path, digest


def _discard_all(spools: Iterable[Spool]) -> None:
    for spool in spools:
        spool.discard()


def _unlink_all(attachments: Iterable[Attachment]) -> None:
    for attachment in attachments:
        attachment.path.unlink(missing_ok=True)


async def _in_thread(work: Callable[[], T]) -> T:
    """Run `work` in a worker thread; it goes on to its end even when the caller is cancelled."""
    return await asyncio.shield(asyncio.to_thread(work))

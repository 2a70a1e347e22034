"""The files of a message for back ends that take them with it: read as text, or sent along as they are.

Text is part of the message, which every model can read. Everything else goes as base64, and has to go again with
each message of the conversation where the back end keeps nothing; so a copy stays with us, and only the newest are
sent again.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import TypeVar

from msgspec.structs import replace

from deep_chat_proxy.errors import refused
from deep_chat_proxy.turn.events import FileKind
from deep_chat_proxy.turn.message import Attachment
from deep_chat_proxy.turn.ports import Thread
from deep_chat_proxy.turn.transcript import AttachedFile, Entry, UserSaid

T = TypeVar("T")

TEXT_TYPES = frozenset({"application/json", "application/xml", "application/x-sh", "application/typescript"})
# What a model works through with code rather than reads.
DATA_TYPES = frozenset(
    {
        "text/csv",
        "text/tab-separated-values",
        "application/json",
        "application/xml",
        "application/zip",
        "application/vnd.ms-excel",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    }
)
NOT_TAKEN = frozenset({400, 413, 415, 422})
"""Statuses by which a back end may say that it takes no such file."""
# Of earlier messages, together; in bytes before they are encoded.
_MOST_AGAIN = 8 * 1024 * 1024


def is_text(media_type: str) -> bool:
    """Whether a file of that type is text for a model to read."""
    return media_type.startswith("text/") or media_type in TEXT_TYPES


def is_document(media_type: str) -> bool:
    """Whether a model that takes files may take one of that type: PDF and office documents."""
    return media_type.startswith("application/") and media_type != "application/zip"


def can_be_sent(attachment: Attachment) -> bool:
    """Whether a model may take a file that is no text as it is."""
    media_type = attachment.media_type
    return attachment.kind is FileKind.IMAGE or media_type.startswith("audio/") or is_document(media_type)


def not_taken(name: str) -> Exception:
    """The assistant can do nothing with such a file."""
    return refused(
        415,
        f'The assistant cannot read "{name}". Please send images, PDF, office documents or text instead.',
        code="file_not_taken",
    )


class MessageFiles:
    """The attachments of one message, and access to those of the messages before it on the same thread.

    `longest` is how many characters a file may have that is read as text. Of recordings come only those that the model
    may be given: see `Recordings`.
    """

    def __init__(self, thread: Thread, *, longest: int) -> None:
        self._thread = thread
        self._longest = longest
        self._new: dict[str, Attachment] = {}
        self._again = _MOST_AGAIN

    async def take(self, attachments: Sequence[Attachment]) -> tuple[AttachedFile, ...]:
        """What the message is to hold of these. Raises ChatError for one that the assistant can do nothing with."""
        return tuple([await self._take(attachment) for attachment in attachments])

    async def _take(self, attachment: Attachment) -> AttachedFile:
        media_type = attachment.media_type
        file = AttachedFile(attachment.name, media_type, attachment.kind)
        if is_text(media_type):
            return replace(file, text=await self._text(attachment))
        if not can_be_sent(attachment):
            raise not_taken(attachment.name)
        key = str(attachment.path)
        self._new[key] = attachment
        return replace(file, key=key)

    async def _text(self, attachment: Attachment) -> str:
        data = await asyncio.to_thread(attachment.path.read_bytes)
        text = data.decode("utf-8-sig", "replace")
        if len(text) > self._longest:
            raise refused(
                413, f'"{attachment.name}" is too long: a text can have {self._longest} characters.'
            )
        return text

    async def keep(self, said: UserSaid) -> UserSaid:
        """The message as it is to be remembered: with a copy of each new file that holds no text."""
        files = [await self._keep(file) for file in said.files]
        return replace(said, files=tuple(files))

    async def _keep(self, file: AttachedFile) -> AttachedFile:
        attachment = self._new.get(file.key or "")
        if attachment is None:
            return file
        key = await self._thread.keep_file(attachment)
        self._new[key] = attachment
        return replace(file, key=key)

    async def encoded(self, file: AttachedFile) -> str | None:
        """The file's content in base64; None where it is too much to be sent again, or is no longer there."""
        if file.key is None:
            return None
        if (attachment := self._new.get(file.key)) is not None:
            return await asyncio.to_thread(lambda: _base64(attachment.path.read_bytes()))
        data = await self._thread.read_file(file.key) if self._again > 0 else None
        if data is None or len(data) > self._again:
            return None
        self._again -= len(data)
        return await asyncio.to_thread(_base64, data)

    async def rendered(
        self, entries: Iterable[Entry], render: Callable[[Entry], AsyncIterator[T]]
    ) -> list[T]:
        """What `render` makes of each of the entries of one request, in their order."""
        self._again = _MOST_AGAIN
        # From the newest on, so that it is the oldest files that find no room.
        groups = [[each async for each in render(entry)] for entry in reversed(list(entries))]
        return [each for group in reversed(groups) for each in group]


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def as_text(file: AttachedFile) -> str:
    """A file as words of the message: what it says, or that it was there."""
    if file.text is None:
        return f"(Attached: {file.name})"
    return f"Attached file “{file.name}”:\n\n{file.text}"

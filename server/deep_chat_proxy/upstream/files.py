"""Files at the back end: attachments on their way there, what the assistant made on its way back."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aiohttp
from msgspec import Struct

from deep_chat_proxy.errors import ChatError
from deep_chat_proxy.turn.events import FileKind
from deep_chat_proxy.turn.message import Attachment
from deep_chat_proxy.upstream.client import ApiClient, Call, path

logger = logging.getLogger("deep_chat_proxy.upstream")

_AT_ONCE = 3


class SentFile(Struct, frozen=True):
    """An attachment that the back end has taken under the id `upstream_id`."""

    upstream_id: str
    attachment: Attachment


class Uploaded(Struct):
    id: str | int


class Content(Struct, frozen=True):
    """A file of the back end, being read: `size` in bytes where it is known."""

    size: int | None
    chunks: AsyncGenerator[bytes]


class Files:
    """The back end's file store."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    async def send(self, attachments: Sequence[Attachment], taken: list[SentFile]) -> None:
        """Send all attachments, a few at a time; `taken` grows as the back end takes them, so that they can
        be taken back where the turn fails. Raises ChatError.
        """
        room = asyncio.Semaphore(_AT_ONCE)

        async def send(attachment: Attachment) -> None:
            async with room:
                taken.append(SentFile(await self._send(attachment), attachment))

        try:
            async with asyncio.TaskGroup() as group:
                for attachment in attachments:
                    group.create_task(send(attachment))
        except* ChatError as faults:
            raise _first(faults) from None
        order = {attachment.path: index for index, attachment in enumerate(attachments)}
        taken.sort(key=lambda file: order[file.attachment.path])

    async def _send(self, attachment: Attachment) -> str:
        reply = await self._client.ask(Call("POST", path("files"), form=lambda: _form(attachment)))
        return str(reply.into(Uploaded).id)

    async def take_back(self, files: Sequence[SentFile]) -> None:
        """Delete files that no message holds; a back end that does not answer keeps them."""
        for file in files:
            try:
                await self._client.ask(Call("DELETE", path("files", file.upstream_id)))
            except ChatError as fault:
                logger.warning("an unused upload stays at the back end: %s", fault.cause)

    @asynccontextmanager
    async def content(self, upstream_id: str) -> AsyncIterator[Content]:
        """Read a file. Raises ChatError."""
        async with self._client.open(Call("GET", path("files", upstream_id, "content"))) as response:
            yield Content(response.content_length, self._client.chunks(response))


@asynccontextmanager
async def _form(attachment: Attachment) -> AsyncIterator[aiohttp.FormData]:
    # Opened for each try: aiohttp closes the file of a form that could not be sent.
    handle = await asyncio.to_thread(attachment.path.open, "rb")
    try:
        # Percent-encoding would reach the assistant as part of the name.
        form = aiohttp.FormData(quote_fields=False)
        # Images for the model to see are stored under `vision`; only those can be read back.
        form.add_field("purpose", "vision" if attachment.kind is FileKind.IMAGE else "assistants")
        form.add_field("file", handle, filename=attachment.name, content_type=attachment.media_type)
        yield form
    finally:
        await asyncio.to_thread(handle.close)


def _first(faults: BaseExceptionGroup[ChatError]) -> ChatError:
    first = faults.exceptions[0]
    return first if isinstance(first, ChatError) else _first(first)

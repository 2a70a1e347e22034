"""Files at the back end: attachments on their way there, what the assistant made on its way back."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from msgspec import Struct

from deep_chat_proxy.turn.events import FileKind
from deep_chat_proxy.turn.message import Attachment
from deep_chat_proxy.upstream.client import ApiClient, Call, path

# A compressed answer says how long it is before it is unpacked, and a browser believes it.
_AS_IT_IS = {"Accept-Encoding": "identity"}


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

    async def send(self, attachment: Attachment) -> SentFile:
        """Store an attachment. Raises ChatError."""
        reply = await self._client.ask(Call("POST", path("files"), form=lambda: _form(attachment)))
        return SentFile(str(reply.into(Uploaded).id), attachment)

    async def delete(self, upstream_id: str) -> None:
        """Delete a file. Raises ChatError."""
        await self._client.ask(Call("DELETE", path("files", upstream_id)))

    @asynccontextmanager
    async def content(self, upstream_id: str) -> AsyncIterator[Content]:
        """Read a file. Raises ChatError."""
        async with self._client.open(
            Call("GET", path("files", upstream_id, "content"), headers=_AS_IT_IS)
        ) as response:
            size = None if "Content-Encoding" in response.headers else response.content_length
            yield Content(size, self._client.chunks(response))


@asynccontextmanager
async def _form(attachment: Attachment) -> AsyncIterator[aiohttp.FormData]:
    # Opened for each try: aiohttp closes the file of a form that could not be sent.
    handle = await asyncio.to_thread(attachment.path.open, "rb")
    try:
        # Percent-encoding would reach the assistant as part of the name.
        form = aiohttp.FormData(quote_fields=False)
        # Images for the model to see are stored under `vision`; only those can be read back.
        form.add_field("purpose", "vision" if attachment.kind is FileKind.IMAGE else "assistants")
        # Servers differ in how they read a quotation mark within a quoted name.
        name = attachment.name.replace('"', "'")
        form.add_field("file", handle, filename=name, content_type=attachment.media_type)
        yield form
    finally:
        await asyncio.to_thread(handle.close)

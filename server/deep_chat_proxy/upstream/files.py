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


# Stands in no id of a container or file.
_WITHIN = "\x1f"


def in_container(container_id: str, file_id: str) -> str:
    """The name of a file in a container, as `Files` understands it."""
    return f"{container_id}{_WITHIN}{file_id}"


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
    """The back end's file store, and its containers. `purpose` is what files that are no images are stored for."""

    def __init__(self, client: ApiClient, purpose: str = "assistants") -> None:
        self._client = client
        self._purpose = purpose

    async def send(self, attachment: Attachment) -> SentFile:
        """Store an attachment. Raises ChatError."""
        call = Call("POST", path("files"), form=lambda: _form(attachment, self._purpose))
        reply = await self._client.ask(call)
        return SentFile(str(reply.into(Uploaded).id), attachment)

    async def delete(self, upstream_id: str) -> None:
        """Delete a file. Raises ChatError."""
        await self._client.ask(Call("DELETE", path("files", upstream_id)))

    @asynccontextmanager
    async def content(self, upstream_id: str) -> AsyncIterator[Content]:
        """Read a file of the store, or one of a container (`in_container`). Raises ChatError."""
        container, _, file_id = upstream_id.rpartition(_WITHIN)
        where = path("containers", container, "files", file_id) if container else path("files", file_id)
        async with self._client.open(Call("GET", f"{where}/content", headers=_AS_IT_IS)) as response:
            size = None if "Content-Encoding" in response.headers else response.content_length
            yield Content(size, self._client.chunks(response))


@asynccontextmanager
async def _form(attachment: Attachment, purpose: str) -> AsyncIterator[aiohttp.FormData]:
    # Opened for each try: aiohttp closes the file of a form that could not be sent.
    handle = await asyncio.to_thread(attachment.path.open, "rb")
    try:
        # Percent-encoding would reach the assistant as part of the name.
        form = aiohttp.FormData(quote_fields=False)
        # Images for the model to see are stored under `vision`; only those can be read back.
        form.add_field("purpose", "vision" if attachment.kind is FileKind.IMAGE else purpose)
        # Servers differ in how they read a quotation mark within a quoted name.
        name = attachment.name.replace('"', "'")
        form.add_field("file", handle, filename=name, content_type=attachment.media_type)
        yield form
    finally:
        await asyncio.to_thread(handle.close)

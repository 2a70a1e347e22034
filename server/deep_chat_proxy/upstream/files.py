"""Files at the back end: attachments on their way there, what the assistant made on its way back."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import PurePosixPath

import aiohttp
from msgspec import Struct

from deep_chat_proxy.turn.events import FileKind
from deep_chat_proxy.turn.filenames import safe_name
from deep_chat_proxy.turn.message import Attachment
from deep_chat_proxy.upstream.client import ApiClient, Call, path
from deep_chat_proxy.upstream.failures import UpstreamError

# A compressed answer says how long it is before it is unpacked, and a browser believes it.
_AS_IT_IS = {"Accept-Encoding": "identity"}
_IMAGES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp"})
# Names of files that are remembered.
_MOST_NAMES = 1_000

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")
# Stands in no id of a container or file.
_WITHIN = "\x1f"


def kind_by_name(name: str) -> FileKind:
    """What kind of file the assistant made, as far as its name says."""
    return FileKind.IMAGE if PurePosixPath(name).suffix.lower() in _IMAGES else FileKind.ANY


def in_container(container_id: str, file_id: str) -> str:
    """The name of a file in a container, as `Files` understands it."""
    return f"{container_id}{_WITHIN}{file_id}"


class SentFile(Struct, frozen=True):
    """An attachment that the back end has taken under the id `upstream_id`."""

    upstream_id: str
    attachment: Attachment


class Uploaded(Struct):
    id: str | int


class Described(Struct):
    filename: str | None = None


class Content(Struct, frozen=True):
    """A file of the back end, being read: `size` in bytes where it is known. What is read are the bytes from `start` to
    before `stop`: None for the whole file, 0 where nobody knows which part it is.
    """

    size: int | None
    chunks: AsyncGenerator[bytes]
    start: int = 0
    stop: int | None = None


class Files:
    """The back end's file store, and its containers. `purpose` is what files that are no images are stored for."""

    def __init__(self, client: ApiClient, purpose: str = "assistants") -> None:
        self._client = client
        self._purpose = purpose
        self._names: dict[str, str] = {}

    async def send(self, attachment: Attachment) -> SentFile:
        """Store an attachment. Raises ChatError."""
        # Images for the model to see are stored under `vision`; only those can be read back.
        purpose = "vision" if attachment.kind is FileKind.IMAGE else self._purpose
        call = Call("POST", path("files"), form=lambda: form_of(attachment, {"purpose": purpose}))
        reply = await self._client.ask(call)
        return SentFile(str(reply.into(Uploaded).id), attachment)

    async def delete(self, upstream_id: str) -> None:
        """Delete a file. Raises ChatError."""
        await self._client.ask(Call("DELETE", path("files", upstream_id)))

    async def has(self, upstream_id: str) -> bool:
        """Whether a file of the store is still there. Raises ChatError."""
        try:
            await self._client.ask(Call("GET", path("files", upstream_id)))
        except UpstreamError as fault:
            if fault.status != 404:
                raise
            return False
        return True

    async def name(self, upstream_id: str) -> str | None:
        """What a file of the store is called, None where the back end does not tell; asked for once. Raises ChatError."""
        if (known := self._names.get(upstream_id)) is not None:
            return known or None
        try:
            described = (await self._client.ask(Call("GET", path("files", upstream_id)))).into(Described)
        except UpstreamError as fault:
            if fault.problem.retry:
                raise
            described = Described()
        name = safe_name(described.filename) if described.filename else ""
        while len(self._names) >= _MOST_NAMES:
            del self._names[next(iter(self._names))]
        self._names[upstream_id] = name
        return name or None

    @asynccontextmanager
    async def content(self, upstream_id: str, wanted: str | None = None) -> AsyncIterator[Content]:
        """Read a file of the store, or one of a container (`in_container`). Raises ChatError.

        `wanted` is a `Range` that the back end may keep to; where it does, `start` and `stop` say so.
        """
        container, _, file_id = upstream_id.rpartition(_WITHIN)
        where = path("containers", container, "files", file_id) if container else path("files", file_id)
        headers = _AS_IT_IS if wanted is None else {**_AS_IT_IS, "Range": wanted}
        async with self._client.open(Call("GET", f"{where}/content", headers=headers)) as response:
            chunks = self._client.chunks(response)
            if response.status == 206:
                found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
                first, last, whole = map(int, found.groups()) if found else (0, -1, 0)
                yield Content(whole, chunks, first, last + 1)
                return
            size = None if "Content-Encoding" in response.headers else response.content_length
            yield Content(size, chunks)


@asynccontextmanager
async def form_of(attachment: Attachment, fields: Mapping[str, str]) -> AsyncIterator[aiohttp.FormData]:
    """A body that holds the fields and then the file."""
    # Opened for each try: aiohttp closes the file of a form that could not be sent.
    handle = await asyncio.to_thread(attachment.path.open, "rb")
    try:
        # Percent-encoding would reach the assistant as part of the name.
        form = aiohttp.FormData(quote_fields=False)
        for field, value in fields.items():
            form.add_field(field, value)
        # Servers differ in how they read a quotation mark within a quoted name.
        name = attachment.name.replace('"', "'")
        form.add_field("file", handle, filename=name, content_type=attachment.media_type)
        yield form
    finally:
        await asyncio.to_thread(handle.close)

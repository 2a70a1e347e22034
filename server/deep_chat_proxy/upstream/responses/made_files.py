"""The files that an answer brings: fetched at once, since a container forgets them after 20 minutes of rest."""

import asyncio
import base64
import binascii
import logging
import tempfile
from collections.abc import Sequence
from contextlib import aclosing
from os import fdopen
from pathlib import Path, PurePosixPath

from msgspec import Struct

from deep_chat_proxy.errors import ChatError
from deep_chat_proxy.turn.context import current_turn
from deep_chat_proxy.turn.events import FileKind, FileMade, UpstreamEvent
from deep_chat_proxy.upstream.files import Files, in_container

logger = logging.getLogger("deep_chat_proxy.upstream")

_IMAGES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp"})
_FORMATS = frozenset({"png", "jpeg", "webp"})


class InContainer(Struct, frozen=True):
    """A file that the model made in its container."""

    container_id: str
    file_id: str
    name: str | None


class Picture(Struct, frozen=True):
    """A picture that the model drew, in base64."""

    data: str
    format: str


MadeFile = InContainer | Picture


class MadeFiles:
    """Fetches what is no larger than `largest` bytes; the files are the keeper's once it took them."""

    def __init__(self, files: Files, largest: int) -> None:
        self._files = files
        self._largest = largest
        self._paths: list[Path] = []

    async def fetched(self, events: Sequence[UpstreamEvent | MadeFile]) -> list[UpstreamEvent]:
        """The same events, with the files themselves in place of what names them."""
        found: list[UpstreamEvent] = []
        for event in events:
            match event:
                case InContainer():
                    found.append(await self._fetch(event))
                case Picture():
                    found += await self._decode(event)
                case _:
                    found.append(event)
        return found

    async def _fetch(self, file: InContainer) -> FileMade:
        name = PurePosixPath(file.name or "").name or "file"
        kind = FileKind.IMAGE if PurePosixPath(name).suffix.lower() in _IMAGES else FileKind.ANY
        upstream_id = in_container(file.container_id, file.file_id)
        try:
            path = await self._download(upstream_id)
        except (ChatError, OSError) as fault:
            cause = fault.cause if isinstance(fault, ChatError) else type(fault).__name__
            logger.warning("turn %s: a file stays in its container: %s", current_turn.get(), cause)
            path = None
        return FileMade(upstream_id, name, kind, path)

    async def _download(self, upstream_id: str) -> Path | None:
        async with self._files.content(upstream_id) as content, aclosing(content.chunks) as chunks:
            if content.size is not None and content.size > self._largest:
                return None
            path = await self._spool(b"")
            size = 0
            async for chunk in chunks:
                size += len(chunk)
                if size > self._largest:
                    return None
                await asyncio.to_thread(_append, path, chunk)
        return path

    async def _decode(self, picture: Picture) -> list[UpstreamEvent]:
        try:
            data = await asyncio.to_thread(base64.b64decode, picture.data, validate=True)
        except (binascii.Error, ValueError):
            logger.warning("turn %s: a picture cannot be read", current_turn.get())
            return []
        kind = picture.format if picture.format in _FORMATS else "png"
        return [FileMade("", f"picture.{kind}", FileKind.IMAGE, await self._spool(data))]

    async def _spool(self, data: bytes) -> Path:
        path = await asyncio.to_thread(_write, data)
        self._paths.append(path)
        return path

    async def discard(self) -> None:
        """Remove what no keeper took."""
        if self._paths:
            await asyncio.to_thread(_remove, self._paths)


def _write(data: bytes) -> Path:
    descriptor, path = tempfile.mkstemp(prefix="deep-chat-made-")
    with fdopen(descriptor, "wb") as file:
        file.write(data)
    return Path(path)


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def _remove(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)

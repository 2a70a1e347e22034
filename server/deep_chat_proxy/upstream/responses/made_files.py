"""The files that an answer brings: fetched at once, since a container forgets them after 20 minutes of rest."""

import asyncio
import base64
import binascii
import logging
import os
import secrets
import tempfile
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path, PurePosixPath

from msgspec import Struct

from deep_chat_proxy.errors import ChatError
from deep_chat_proxy.tasks import Tasks
from deep_chat_proxy.turn.context import current_turn
from deep_chat_proxy.turn.events import FileKind, FileMade, UpstreamEvent
from deep_chat_proxy.upstream.files import Files, in_container, kind_by_name

logger = logging.getLogger("deep_chat_proxy.upstream")

# Of one turn: files, and bytes as a multiple of what one file may have.
_MOST_FILES = 30
_MOST_LARGEST = 4
_FORMATS = frozenset({"png", "jpeg", "webp"})


class InContainer(Struct, frozen=True):
    """A file that the model made in its container; `marker` as in `FileMade`."""

    container_id: str
    file_id: str
    name: str | None
    marker: str = ""


class Picture(Struct, frozen=True):
    """A picture that the model drew, in base64; `item_id` is that of its item, if it has one."""

    data: str
    format: str
    item_id: str = ""


MadeFile = InContainer | Picture


class MadeFiles:
    """Fetches files of no more than `largest` bytes each, as far as one turn may bring them; they are the keeper's
    once it took them.
    """

    def __init__(self, files: Files, largest: int) -> None:
        self._files = files
        self._largest = largest
        self._left = _MOST_LARGEST * largest
        self._paths: list[Path] = []
        self._tasks = Tasks()

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
        upstream_id = in_container(file.container_id, file.file_id)
        try:
            path = await self._download(upstream_id)
        except (ChatError, OSError) as fault:
            cause = fault.cause if isinstance(fault, ChatError) else type(fault).__name__
            logger.warning("turn %s: a file stays in its container: %s", current_turn.get(), cause)
            path = None
        return FileMade(upstream_id, name, kind_by_name(name), path, file.marker)

    async def _download(self, upstream_id: str) -> Path | None:
        most = min(self._largest, self._left)
        if len(self._paths) >= _MOST_FILES:
            return None
        async with self._files.content(upstream_id) as content, aclosing(content.chunks) as chunks:
            if content.size is not None and content.size > most:
                return None
            path = self._new_path()
            size = 0
            async for chunk in chunks:
                size += len(chunk)
                if size > most:
                    return None
                await self._append(path, chunk)
        self._left -= size
        return path

    async def _decode(self, picture: Picture) -> list[UpstreamEvent]:
        try:
            data = await asyncio.to_thread(base64.b64decode, picture.data, validate=True)
        except (binascii.Error, ValueError):
            logger.warning("turn %s: a picture cannot be read", current_turn.get())
            return []
        if len(data) > min(self._largest, self._left) or len(self._paths) >= _MOST_FILES:
            logger.warning("turn %s: a picture is too large to be kept", current_turn.get())
            return []
        self._left -= len(data)
        path = self._new_path()
        await self._append(path, data)
        kind = picture.format if picture.format in _FORMATS else "png"
        return [FileMade("", f"picture.{kind}", FileKind.IMAGE, path)]

    def _new_path(self) -> Path:
        # Known before anything is there: a turn may be stopped while it is being written.
        path = Path(tempfile.gettempdir()) / f"deep-chat-made-{secrets.token_hex(16)}"
        self._paths.append(path)
        return path

    async def _append(self, path: Path, data: bytes) -> None:
        await self._tasks.see_through(asyncio.to_thread(_append, path, data), name="write a made file")

    async def discard(self) -> None:
        """Remove what no keeper took."""
        await self._tasks.finish()
        if self._paths:
            await asyncio.to_thread(_remove, self._paths)


def _append(path: Path, data: bytes) -> None:
    with open(path, "ab", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(data)


def _remove(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)

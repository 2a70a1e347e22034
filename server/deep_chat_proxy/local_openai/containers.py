"""The containers of the code interpreter: nothing runs in them, but their files are there."""

import time
from typing import Any

from msgspec import Struct

from deep_chat_proxy.local_openai.bounded import Bounded
from deep_chat_proxy.local_openai.ids import new_id

MINUTES = 60


class ContainerFile(Struct, frozen=True, kw_only=True):
    """A file of a container, with its bytes."""

    id: str
    container_id: str
    created_at: int
    name: str
    data: bytes
    source: str
    """`user` or `assistant`."""

    def object(self) -> dict[str, Any]:
        """As it stands on the wire."""
        return {
            "id": self.id,
            "object": "container.file",
            "container_id": self.container_id,
            "created_at": self.created_at,
            "bytes": len(self.data),
            "path": f"/mnt/data/{self.name}",
            "source": self.source,
        }

    def citation(self) -> dict[str, Any]:
        """The annotation that points at it, but for its place in the text."""
        return {
            "type": "container_file_citation",
            "container_id": self.container_id,
            "file_id": self.id,
            "filename": self.name,
        }


class Container:
    """One container; `last_active` is in Unix seconds."""

    def __init__(self, store: "Containers") -> None:
        self.id = new_id("cntr_")
        self.created_at = int(time.time())
        self.last_active = time.time()
        self.files: dict[str, ContainerFile] = {}
        self._store = store

    def add(self, name: str, data: bytes, *, source: str) -> ContainerFile:
        file = ContainerFile(
            id=new_id("cfile_"),
            container_id=self.id,
            created_at=int(time.time()),
            name=name,
            data=data,
            source=source,
        )
        self.files[file.id] = file
        self._store.grown(self, len(data))
        return file

    def object(self, ttl: float) -> dict[str, Any]:
        """As it stands on the wire; `ttl` are the seconds of rest after which it ends."""
        expiry = {"anchor": "last_active_at", "minutes": max(1, round(ttl / MINUTES))}
        return {
            "id": self.id,
            "object": "container",
            "created_at": self.created_at,
            "status": "running",
            "expires_after": expiry,
            "last_active_at": int(self.last_active),
            "name": "auto",
        }


class Containers:
    """All containers, bounded by their number and the bytes of their files; each ends after `ttl` seconds of rest."""

    def __init__(self, *, most: int, most_bytes: int, ttl: float) -> None:
        self._kept: Bounded[Container] = Bounded(most=most, most_bytes=most_bytes)
        self._ttl = ttl

    def new(self) -> Container:
        container = Container(self)
        self._kept.put(container.id, container)
        return container

    def get(self, container_id: str) -> Container | None:
        """A container that has not ended; being asked for counts as being used."""
        found = self._kept.get(container_id)
        if found is None or time.time() - found.last_active > self._ttl:
            self._kept.drop(container_id)
            return None
        found.last_active = time.time()
        return found

    def grown(self, container: Container, by: int) -> None:
        """One of them has taken in some bytes."""
        self._kept.grow(container.id, by)

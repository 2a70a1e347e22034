"""What is kept under ids while there is room."""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Bounded(Generic[T]):
    """Things under their ids, oldest first; the oldest go where there are too many, or too many bytes of them.

    `dropped` is told of each that goes. The newest always stays.
    """

    def __init__(self, *, most: int, most_bytes: int, dropped: Callable[[T], None] | None = None) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._dropped = dropped
        self._things: dict[str, T] = {}
        self._sizes: dict[str, int] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._things)

    def __iter__(self) -> Iterator[T]:
        return iter(tuple(self._things.values()))

    def get(self, its_id: str) -> T | None:
        return self._things.get(its_id)

    def put(self, its_id: str, thing: T, size: int = 0) -> None:
        """Keep a thing of `size` bytes; one that is there already takes its place as the newest."""
        self._forget(its_id)
        self._things[its_id] = thing
        self._sizes[its_id] = size
        self._bytes += size
        while len(self._things) > self._most or (self._bytes > self._most_bytes and len(self._things) > 1):
            self.drop(next(iter(self._things)))

    def grow(self, its_id: str, by: int) -> None:
        """A thing has become larger by some bytes, and is the newest now. Nothing happens for an unknown id."""
        if its_id in self._things:
            self.put(its_id, self._things[its_id], self._sizes[its_id] + by)

    def size(self, its_id: str) -> int:
        """In bytes; 0 for what is not there."""
        return self._sizes.get(its_id, 0)

    def drop(self, its_id: str) -> None:
        """Let a thing go; nothing happens where it is not there."""
        thing = self._forget(its_id)
        if thing is not None and self._dropped is not None:
            self._dropped(thing)

    def _forget(self, its_id: str) -> T | None:
        self._bytes -= self._sizes.pop(its_id, 0)
        return self._things.pop(its_id, None)

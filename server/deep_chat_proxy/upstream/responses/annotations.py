"""The annotations of an answer as citations and files: each told once, when its place in the text can be told."""

from collections.abc import Iterable

from deep_chat_proxy.turn.events import Cited, FileMade
from deep_chat_proxy.upstream.citations import (
    Place,
    enough_for,
    host_of,
    name_in,
    place_at,
    place_of_span,
    sandbox_path,
    sandbox_paths,
)
from deep_chat_proxy.upstream.files import kind_by_name
from deep_chat_proxy.upstream.responses.made_files import InContainer
from deep_chat_proxy.upstream.responses.wire import Annotation

Key = tuple[int, str, int]
Named = Cited | FileMade | InContainer

# Annotations of one response that wait for their text.
_MOST_WAITING = 1_000


class Annotations:
    """Those of one response, by the parts of its text that they are about."""

    def __init__(self) -> None:
        self._waiting: dict[Key, list[Annotation]] = {}
        self._enough: dict[Key, float] = {}

    def add(self, key: Key, annotations: Iterable[Annotation]) -> None:
        """These are about a part."""
        for annotation in annotations:
            if sum(map(len, self._waiting.values())) < _MOST_WAITING:
                self._waiting.setdefault(key, []).append(annotation)
                self._enough[key] = 0

    def due(self, key: Key, length: int) -> bool:
        """Whether something can be told of a part that has so many characters now."""
        return key in self._waiting and length >= self._enough[key]

    def told(self, key: Key, text: str, *, whole: bool) -> list[Named]:
        """What can be told of a part now; all of it where its text is `whole`."""
        waiting = self._waiting.pop(key, [])
        named = [(annotation, meaning(annotation, text, whole=whole)) for annotation in waiting]
        if left := [annotation for annotation, found in named if found is None and not whole]:
            self._waiting[key] = left
            self._enough[key] = min(_enough(annotation, len(text)) for annotation in left)
        return [found for _, found in named if found is not None]

    def rest(self) -> list[Key]:
        """The parts of which something was not told yet."""
        return list(self._waiting)


def meaning(annotation: Annotation, text: str, *, whole: bool) -> Named | None:
    """What an annotation of `text` says; None where it says nothing, or that cannot be told before the text is `whole`."""
    match annotation:
        case Annotation("url_citation", url=str(url)) if url:
            span = (annotation.start_index, annotation.end_index)
            return _cited(
                annotation.title or host_of(url), place_of_span(text, *span, url, whole=whole), url=url
            )
        case Annotation("file_citation", file_id) if file_id is not None or annotation.filename:
            place = place_at(text, annotation.index, whole=whole)
            return _cited(annotation.filename or "", place, file_id="" if file_id is None else str(file_id))
        case Annotation("container_file_citation", file_id, name, container_id) if file_id and container_id:
            span = (annotation.start_index, annotation.end_index)
            marker = sandbox_path(text, *span, name or "", whole=whole)
            return None if marker is None else InContainer(str(container_id), str(file_id), name, marker)
        case Annotation("file_path", file_id) if file_id and whole:
            return _at_path(str(file_id), annotation.index, text)
    return None


def _cited(title: str, place: Place | None, *, url: str | None = None, file_id: str = "") -> Cited | None:
    return None if place is None else Cited(title, url, file_id, place.marker, place.after)


def _at_path(file_id: str, index: object, text: str) -> FileMade:
    """A file that the text links to; `index` counts those."""
    paths = sandbox_paths(text)
    marker = paths[index] if isinstance(index, int) and 0 <= index < len(paths) else ""
    if len(paths) == 1:
        marker = paths[0]
    name = name_in(marker) or "file"
    return FileMade(file_id, name, kind_by_name(name), marker=marker)


def _enough(annotation: Annotation, length: int) -> float:
    end = annotation.index if annotation.type == "file_citation" else annotation.end_index
    return enough_for(end, length)

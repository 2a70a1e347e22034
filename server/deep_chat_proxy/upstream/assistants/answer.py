"""An answer in messages: their text, and the files that are named in it."""

from collections.abc import Iterable
from pathlib import PurePosixPath

from deep_chat_proxy.turn.events import Cut, FileKind, FileMade, UpstreamEvent
from deep_chat_proxy.upstream.assistants.wire import Annotation, Content, Message, MessageDelta
from deep_chat_proxy.upstream.said import Said

_IMAGES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp"})


class Answer:
    """The text of each message so far, in order, and the files that were named."""

    def __init__(self) -> None:
        self.cut: Cut | None = None
        self.said = Said()
        self._files: set[str] = set()

    def delta(self, delta: MessageDelta, out: list[UpstreamEvent]) -> None:
        """More of a message. A part's `index` is not trusted: a known server counts it up for each token."""
        content = delta.delta.content
        parts = content if isinstance(content, list) else [content] if content is not None else ()
        message_id = str(delta.id)
        for part in parts:
            if text := _text(part):
                self.said.say(message_id, text, out)
            self._name_files(part, out)

    def settle(self, message: Message, out: list[UpstreamEvent], *, whole: bool) -> None:
        """A whole message. `whole` as in TextDelta."""
        parts = message.content or []
        full = "\n\n".join(text for part in parts if (text := _text(part)))
        self.said.settle(str(message.id), full, out, whole=whole)
        for part in parts:
            self._name_files(part, out)
        if message.incomplete_details is not None and message.incomplete_details.reason == "content_filter":
            self.cut = Cut.CONTENT_FILTER

    def _name_files(self, part: Content, out: list[UpstreamEvent]) -> None:
        if part.image_file is not None and part.image_file.file_id is not None:
            self.said.interrupt()
            self._name_file(str(part.image_file.file_id), None, out)
        annotations: Iterable[Annotation] = (part.text.annotations if part.text is not None else None) or ()
        for annotation in annotations:
            if annotation.file_path is not None and annotation.file_path.file_id is not None:
                name = PurePosixPath(annotation.text or "").name or "file"
                self._name_file(str(annotation.file_path.file_id), name, out)

    def _name_file(self, file_id: str, name: str | None, out: list[UpstreamEvent]) -> None:
        if file_id not in self._files:
            self._files.add(file_id)
            image = name is None or PurePosixPath(name).suffix.lower() in _IMAGES
            out.append(FileMade(file_id, name, FileKind.IMAGE if image else FileKind.ANY))


def _text(part: Content) -> str:
    if part.text is not None and part.text.value:
        return part.text.value
    return part.refusal or ""

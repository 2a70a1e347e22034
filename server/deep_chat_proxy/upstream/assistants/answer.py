"""What the assistant has said in one turn, told once: from deltas, from whole messages, or from both.

Whole messages are the truth: where deltas were lost or wrong, what follows makes it good.
"""

from collections.abc import Iterable
from pathlib import PurePosixPath

from deep_chat_proxy.turn.events import (
    Cut,
    FileKind,
    FileMade,
    PartStarted,
    TextDelta,
    TextReplaced,
    UpstreamEvent,
)
from deep_chat_proxy.upstream.assistants.wire import Annotation, Content, Message, MessageDelta

_IMAGES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp"})


class Answer:
    """The text of each message so far, in order, and the files that were named."""

    def __init__(self) -> None:
        self.cut: Cut | None = None
        self._texts: dict[str, list[str]] = {}
        self._files: set[str] = set()
        self._last = ""
        self._after_file = False

    def notice(self, text: str, out: list[UpstreamEvent]) -> None:
        """Words of our own before the answer; they stay where the answer is said anew."""
        self._say("", text, out)

    def delta(self, delta: MessageDelta, out: list[UpstreamEvent]) -> None:
        """More of a message. A part's `index` is not trusted: a known server counts it up for each token."""
        content = delta.delta.content
        parts = content if isinstance(content, list) else [content] if content is not None else ()
        message_id = str(delta.id)
        for part in parts:
            if text := _text(part):
                self._say(message_id, text, out)
            self._name_files(part, out)

    def settle(self, message: Message, out: list[UpstreamEvent], *, whole: bool) -> None:
        """A whole message: say what of it was not said, or say all anew where something else was said."""
        message_id = str(message.id)
        parts = message.content or []
        full = "\n\n".join(text for part in parts if (text := _text(part)))
        said = "".join(self._texts[message_id]) if message_id in self._texts else None
        if not full:
            # Nothing was said, or the server does not repeat what was.
            pass
        elif said is None:
            self._say(message_id, full, out, whole=whole)
        elif full.startswith(said) and message_id == self._last:
            if rest := full[len(said) :]:
                out.append(TextDelta(rest, whole))
            self._texts[message_id] = [full]
        elif full != said:
            self._texts[message_id] = [full]
            self._say_anew(out)
        for part in parts:
            self._name_files(part, out)
        if message.incomplete_details is not None and message.incomplete_details.reason == "content_filter":
            self.cut = Cut.CONTENT_FILTER

    def _say(self, message_id: str, text: str, out: list[UpstreamEvent], *, whole: bool = False) -> None:
        said = self._texts.setdefault(message_id, [])
        if not said or message_id != self._last:
            out.append(PartStarted())
        elif self._after_file:
            out.append(PartStarted())
            said.append("\n\n")
        said.append(text)
        self._last = message_id
        self._after_file = False
        out.append(TextDelta(text, whole))

    def _say_anew(self, out: list[UpstreamEvent]) -> None:
        if out and isinstance(out[-1], TextReplaced):
            out.pop()
        out.append(TextReplaced("\n\n".join("".join(said) for said in self._texts.values())))

    def _name_files(self, part: Content, out: list[UpstreamEvent]) -> None:
        if part.image_file is not None and part.image_file.file_id is not None:
            self._after_file = True
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

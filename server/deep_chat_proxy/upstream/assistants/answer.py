"""An answer in messages: their text, and the files and sources that are named in it."""

from collections.abc import Sequence

from deep_chat_proxy.turn.events import Cited, Cut, FileKind, FileMade, UpstreamEvent
from deep_chat_proxy.upstream.assistants.wire import Annotation, Content, Id, Message, MessageDelta
from deep_chat_proxy.upstream.citations import annotations_in, host_of, name_in, sandbox_paths
from deep_chat_proxy.upstream.files import kind_by_name
from deep_chat_proxy.upstream.said import Said

# Citations of one turn.
_MOST_CITED = 1_000


class Answer:
    """The text of each message so far, in order, and what was named; a file that is cited has no title yet."""

    def __init__(self) -> None:
        self.cut: Cut | None = None
        self.said = Said()
        self._files: set[str] = set()
        self._cited: set[Cited] = set()

    def deltas(self, deltas: Sequence[MessageDelta], out: list[UpstreamEvent]) -> None:
        """More of messages. A part's `index` is not trusted: a known server counts it up for each token."""
        texts: list[str] = []
        message: Id = ""
        for delta in deltas:
            content = delta.delta.content
            if delta.id != message:
                self._say(message, texts, out)
                message = delta.id
            for part in content if isinstance(content, list) else () if content is None else (content,):
                if text := _text(part):
                    texts.append(text)
                if part.image_file is not None or (part.text is not None and part.text.annotations):
                    self._say(message, texts, out)
                    self._name_all(part, out)
        self._say(message, texts, out)

    def _say(self, message: Id, texts: list[str], out: list[UpstreamEvent]) -> None:
        if texts:
            self.said.say(str(message), "".join(texts), out)
            texts.clear()

    def settle(self, message: Message, out: list[UpstreamEvent], *, whole: bool) -> None:
        """A whole message. `whole` as in TextDelta."""
        parts = message.content or []
        full = "\n\n".join(text for part in parts if (text := _text(part)))
        self.said.settle(str(message.id), full, out, whole=whole)
        for part in parts:
            self._name_all(part, out)
        if message.incomplete_details is not None and message.incomplete_details.reason == "content_filter":
            self.cut = Cut.CONTENT_FILTER

    def _name_all(self, part: Content, out: list[UpstreamEvent]) -> None:
        if part.image_file is not None and part.image_file.file_id is not None:
            self.said.interrupt()
            self._name_file(FileMade(str(part.image_file.file_id), None, FileKind.IMAGE), out)
        raw = part.text.annotations if part.text is not None else None
        for annotation in annotations_in(raw, Annotation):
            if annotation.file_path is not None and annotation.file_path.file_id is not None:
                self._name_file(_made(annotation, str(annotation.file_path.file_id)), out)
            elif (cited := _cited(annotation)) is not None:
                self._cite(cited, out)

    def _name_file(self, made: FileMade, out: list[UpstreamEvent]) -> None:
        if made.upstream_id not in self._files:
            self._files.add(made.upstream_id)
            out.append(made)

    def _cite(self, cited: Cited, out: list[UpstreamEvent]) -> None:
        if cited not in self._cited and len(self._cited) < _MOST_CITED:
            self._cited.add(cited)
            out.append(cited)


def _made(annotation: Annotation, file_id: str) -> FileMade:
    text = annotation.text or ""
    marker = next(iter(sandbox_paths(text)), text)
    name = name_in(text) or "file"
    return FileMade(file_id, name, kind_by_name(name), marker=marker)


def _cited(annotation: Annotation) -> Cited | None:
    page, file, marker = annotation.url_citation, annotation.file_citation, annotation.text or ""
    if page is not None and page.url:
        return Cited(page.title or host_of(page.url), page.url, marker=marker)
    if file is not None and file.file_id:
        return Cited("", upstream_id=str(file.file_id), marker=marker)
    return None


def _text(part: Content) -> str:
    if part.text is not None and part.text.value:
        return part.text.value
    return part.refusal or ""

"""An assistant's message while it is written: content parts, deltas and annotations."""

from typing import Any

from deep_chat_proxy.local_openai.brain.actions import Cite, CiteUrl, Offer, Refuse, Say, Show
from deep_chat_proxy.local_openai.brain.pieces import pieces
from deep_chat_proxy.local_openai.obfuscation import padding
from deep_chat_proxy.local_openai.responses.objects import Item
from deep_chat_proxy.local_openai.responses.stage import Stage

Speech = Say | Cite | CiteUrl | Offer | Show | Refuse


class MessageWriter:
    """Opens a message; to be ended by `finish`."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        message = {"type": "message", "status": "in_progress", "role": "assistant", "content": []}
        self._open = stage.open("msg_", message)
        self._content: list[Item] = self._open.item["content"]

    async def write(self, speech: Speech) -> None:
        match speech:
            case Say(text):
                await self._add(text)
            case Cite(file_id):
                self._cite_file(file_id)
            case CiteUrl(text, source):
                start = len(self._text()["text"])
                await self._add(text)
                self._annotate(
                    {"type": "url_citation", "url": source.url, "title": source.title, **self._from(start)}
                )
            case Offer(file):
                start = len(self._text()["text"])
                await self._add(f"sandbox:/mnt/data/{file.name}")
                self._annotate(self._stage.publish(file).citation() | self._from(start))
            case Show(file):
                # A picture that code drew stands nowhere in the text.
                nowhere = {"start_index": 0, "end_index": 0}
                self._annotate(self._stage.publish(file).citation() | nowhere)
            case Refuse(text):
                await self._refuse(text)

    def finish(self, status: str = "completed") -> None:
        """No more comes: the message is whole, or as much of it as there will be."""
        self._end_part()
        self._open.close(status)

    async def _add(self, text: str) -> None:
        part = self._text()
        for piece in pieces(text):
            part["text"] += piece
            hidden = {"obfuscation": padding(piece)} if self._stage.obfuscated else {}
            self._tell("output_text.delta", delta=piece, logprobs=[], **hidden)
            await self._stage.beat()

    async def _refuse(self, text: str) -> None:
        part = self._begin_part({"type": "refusal", "refusal": ""})
        for piece in pieces(text):
            part["refusal"] += piece
            self._tell("refusal.delta", delta=piece)
            await self._stage.beat()

    def _cite_file(self, file_id: str) -> None:
        kept = self._stage.state.files.get(file_id)
        name = kept.file.filename if kept is not None else ""
        index = len(self._text()["text"])
        self._annotate({"type": "file_citation", "file_id": file_id, "filename": name, "index": index})

    def _from(self, start: int) -> dict[str, int]:
        return {"start_index": start, "end_index": len(self._text()["text"])}

    def _annotate(self, annotation: dict[str, Any]) -> None:
        annotations = self._text()["annotations"]
        annotations.append(annotation)
        index = len(annotations) - 1
        self._tell("output_text.annotation.added", annotation_index=index, annotation=annotation)

    def _text(self) -> Item:
        """The part of text that is being written."""
        if self._content and self._content[-1]["type"] == "output_text":
            return self._content[-1]
        return self._begin_part({"type": "output_text", "text": "", "annotations": [], "logprobs": []})

    def _begin_part(self, part: Item) -> Item:
        self._end_part()
        self._content.append(part)
        self._tell("content_part.added", part=part)
        return part

    def _end_part(self) -> None:
        if not self._content:
            return
        part = self._content[-1]
        if part["type"] == "refusal":
            self._tell("refusal.done", refusal=part["refusal"])
        else:
            self._tell("output_text.done", text=part["text"], logprobs=[])
        self._tell("content_part.done", part=part)

    def _tell(self, kind: str, **fields: Any) -> None:
        self._open.tell(kind, content_index=len(self._content) - 1, **fields)

"""An assistant's message while it is written: content parts, deltas, and the step that belongs to it."""

import time
from typing import Any

from deep_chat_proxy.local_openai.assistants.objects import (
    ImageFile,
    ImageFilePart,
    Message,
    RefusalPart,
    TextPart,
    TextValue,
)
from deep_chat_proxy.local_openai.assistants.stage import Ending, Stage
from deep_chat_proxy.local_openai.brain.actions import Cite, Offer, Refuse, Say, Show
from deep_chat_proxy.local_openai.brain.pieces import pieces
from deep_chat_proxy.local_openai.ids import new_id

Speech = Say | Cite | Offer | Show | Refuse


class MessageWriter:
    """Opens a message in the thread; to be ended by `finish` or `stop`."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        run = stage.kept.run
        self._message = Message(
            id=new_id("msg_"),
            created_at=int(time.time()),
            assistant_id=run.assistant_id,
            thread_id=run.thread_id,
            run_id=run.id,
            role="assistant",
            status="in_progress",
        )
        self._step = stage.open_step("message_creation", {"message_id": self._message.id})
        stage.thread.add_messages([self._message])
        self._emit("created")
        self._emit("in_progress")

    async def write(self, speech: Speech) -> None:
        """Raises RunStops where the run ends meanwhile."""
        match speech:
            case Say(text):
                for piece in pieces(text):
                    self._add_text(piece)
                    await self._stage.pause(self._stage.pace)
            case Cite(file_id, marker):
                self._add_text(marker, {"type": "file_citation", "file_citation": {"file_id": file_id}})
            case Offer(file):
                path = {"type": "file_path", "file_path": {"file_id": self._stage.publish(file)}}
                self._add_text(f"sandbox:/mnt/data/{file.name}", path)
            case Show(file):
                file_id = self._stage.publish(file)
                self._message.content.append(ImageFilePart(ImageFile(file_id)))
                self._emit_delta({"type": "image_file", "image_file": {"file_id": file_id}})
            case Refuse(text):
                refusal = RefusalPart("")
                self._message.content.append(refusal)
                for piece in pieces(text):
                    refusal.refusal += piece
                    self._emit_delta({"type": "refusal", "refusal": piece})
                    await self._stage.pause(self._stage.pace)

    def finish(self) -> None:
        """The message is whole."""
        self._message.status = "completed"
        self._message.completed_at = int(time.time())
        self._emit("completed")
        self._stage.close_step(self._step)

    def stop(self, ending: Ending, error: Any = None) -> None:
        """The run ends in the middle of the message."""
        if ending.message is None:
            self.finish()
            return
        self._message.status = "incomplete"
        self._message.incomplete_at = int(time.time())
        self._message.incomplete_details = {"reason": ending.message}
        self._emit("incomplete")
        self._stage.close_step(self._step, ending.step, error)

    def _add_text(self, value: str, annotation: dict[str, Any] | None = None) -> None:
        content = self._message.content
        text: dict[str, Any] = {"value": value}
        part = content[-1] if content else None
        if not isinstance(part, TextPart):
            part = TextPart(TextValue(""))
            content.append(part)
            text["annotations"] = []
        if annotation is not None:
            start = len(part.text.value)
            annotation |= {"text": value, "start_index": start, "end_index": start + len(value)}
            text["annotations"] = [{"index": len(part.text.annotations), **annotation}]
            part.text.annotations.append(annotation)
        part.text.value += value
        self._emit_delta({"type": "text", "text": text})

    def _emit_delta(self, part: dict[str, Any]) -> None:
        content = {"index": len(self._message.content) - 1, **part}
        delta = {"id": self._message.id, "object": "thread.message.delta", "delta": {"content": [content]}}
        self._stage.kept.emit("thread.message.delta", delta)

    def _emit(self, event: str) -> None:
        self._stage.kept.emit(f"thread.message.{event}", self._message)

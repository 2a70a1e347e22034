"""Entries of a conversation as the messages of a completion."""

from collections.abc import AsyncIterator, Iterable

from deep_chat_proxy.turn.events import FileKind
from deep_chat_proxy.turn.transcript import (
    AssistantSaid,
    AttachedFile,
    CallsMade,
    Entry,
    OutputsGiven,
    UserSaid,
    alternating,
)
from deep_chat_proxy.upstream.attachments import MessageFiles, as_text
from deep_chat_proxy.upstream.recordings import AUDIO_ENDINGS

Message = dict[str, object]
Part = dict[str, object]

HEARD = frozenset({"audio/wav", "audio/mpeg"})
"""Recordings that every model takes which takes some; servers other than OpenAI's take others, too."""


async def messages(instructions: str | None, entries: Iterable[Entry], files: MessageFiles) -> list[Message]:
    """The entries in their order, behind the instructions. Roles alternate, as many models' templates demand."""
    found: list[Message] = [{"role": "system", "content": instructions}] if instructions else []
    found += await files.rendered(alternating(list(entries)), lambda entry: _messages(entry, files))
    return found


async def _messages(entry: Entry, files: MessageFiles) -> AsyncIterator[Message]:
    match entry:
        case UserSaid(text, attached):
            yield {"role": "user", "content": await _content(text, attached, files)}
        case AssistantSaid(text):
            yield {"role": "assistant", "content": text}
        case CallsMade(calls, text):
            made = [
                {
                    "id": call.call_id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments},
                }
                for call in calls
            ]
            yield {"role": "assistant", "content": text or None, "tool_calls": made}
        case OutputsGiven(outputs):
            for output in outputs:
                yield {"role": "tool", "tool_call_id": output.call_id, "content": output.output}


async def _content(text: str, attached: tuple[AttachedFile, ...], files: MessageFiles) -> str | list[Part]:
    parts = [await _part(file, files) for file in attached]
    # Text that stands in one string is what every server takes.
    if all(part["type"] == "text" for part in parts):
        return "\n\n".join([*([text] if text else []), *(str(part["text"]) for part in parts)])
    said: list[Part] = [{"type": "text", "text": text}] if text else []
    return said + parts


async def _part(file: AttachedFile, files: MessageFiles) -> Part:
    if file.text is None and (data := await files.encoded(file)) is not None:
        url = f"data:{file.media_type};base64,{data}"
        if file.kind is FileKind.IMAGE:
            return {"type": "image_url", "image_url": {"url": url}}
        if (audio := AUDIO_ENDINGS.get(file.media_type)) is not None:
            return {"type": "input_audio", "input_audio": {"data": data, "format": audio}}
        return {"type": "file", "file": {"filename": file.name, "file_data": url}}
    return {"type": "text", "text": as_text(file)}

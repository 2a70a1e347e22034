"""A visitor's message as Assistants v2 takes it: text, image parts, and attachments with the tool for each."""

from collections.abc import Sequence
from typing import Literal

from deep_chat_proxy.turn.events import FileKind
from deep_chat_proxy.turn.message import UserMessage
from deep_chat_proxy.turn.transcript import AssistantSaid, CallsMade, Entry, UserSaid, mended, newest
from deep_chat_proxy.upstream.attachments import DATA_TYPES, as_text
from deep_chat_proxy.upstream.files import SentFile

FileTool = Literal["auto", "file_search", "code_interpreter"]

# A message needs a content; this stands where a visitor sent files and no word.
_FILES_ONLY = "Please look at the attached file."
_MOST_TOKENS = 32_000
# Characters of one message, by OpenAI's document.
_LONGEST = 256_000


def message_body(message: UserMessage, files: Sequence[SentFile], tool: FileTool) -> dict[str, object]:
    """The `CreateMessage` object. Images the model can see become parts, other files attachments."""
    images = [file for file in files if file.attachment.kind is FileKind.IMAGE]
    others = [file for file in files if file.attachment.kind is not FileKind.IMAGE]
    text = message.text or ("" if images and not others else _FILES_ONLY)
    body: dict[str, object] = {"role": "user", "content": text}
    if images:
        parts: list[object] = [{"type": "text", "text": text}] if text else []
        parts += [{"type": "image_file", "image_file": {"file_id": file.upstream_id}} for file in images]
        body["content"] = parts
    if others:
        body["attachments"] = [
            {"file_id": file.upstream_id, "tools": [{"type": _tool(file, tool)}]} for file in others
        ]
    return body


def earlier_messages(entries: Sequence[Entry]) -> list[dict[str, object]]:
    """What was said before at a back end of another kind, as the first messages of a thread.

    A message can hold no call, so of tools only what the assistant made of them is passed on.
    """
    found: list[dict[str, object]] = []
    for entry in newest(mended(entries)[1], _MOST_TOKENS):
        match entry:
            case UserSaid(text, files):
                content = "\n\n".join([*([text] if text else []), *map(as_text, files)])
                found.append({"role": "user", "content": content[:_LONGEST]})
            case AssistantSaid(text) | CallsMade(_, text) if text:
                found.append({"role": "assistant", "content": text[:_LONGEST]})
            case _:
                pass
    return found


def _tool(file: SentFile, tool: FileTool) -> str:
    if tool != "auto":
        return tool
    return "code_interpreter" if file.attachment.media_type in DATA_TYPES else "file_search"

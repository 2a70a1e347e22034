"""Entries of a conversation as the input items of a response."""

from collections.abc import AsyncIterator, Iterable

from deep_chat_proxy.turn.events import FileKind
from deep_chat_proxy.turn.transcript import (
    AssistantSaid,
    AttachedFile,
    CallsMade,
    Entry,
    OutputsGiven,
    UserSaid,
)
from deep_chat_proxy.upstream.attachments import MessageFiles, as_text
from deep_chat_proxy.upstream.responses.wire import Item as KeptItem

Item = dict[str, object]


async def items(entries: Iterable[Entry], files: MessageFiles) -> list[Item]:
    """The entries in their order."""
    return await files.rendered(entries, lambda entry: _items(entry, files))


async def _items(entry: Entry, files: MessageFiles) -> AsyncIterator[Item]:
    match entry:
        case UserSaid(text, attached):
            yield {"role": "user", "content": await _content(text, attached, files)}
        case AssistantSaid(text):
            yield {"role": "assistant", "content": text}
        case CallsMade(calls, text):
            if text:
                yield {"role": "assistant", "content": text}
            for call in calls:
                yield {
                    "type": "function_call",
                    "call_id": call.call_id,
                    "name": call.name,
                    "arguments": call.arguments,
                }
        case OutputsGiven(outputs):
            for output in outputs:
                yield {"type": "function_call_output", "call_id": output.call_id, "output": output.output}


async def _content(text: str, attached: tuple[AttachedFile, ...], files: MessageFiles) -> str | list[Item]:
    # A plain string is what the poorest of servers take.
    if not attached:
        return text
    said: list[Item] = [{"type": "input_text", "text": text}] if text else []
    return said + [await _part(file, files) for file in attached]


async def _part(file: AttachedFile, files: MessageFiles) -> Item:
    if file.upstream_id is not None:
        kind = "input_image" if file.kind is FileKind.IMAGE else "input_file"
        return {"type": kind, "file_id": file.upstream_id}
    if file.text is None and (data := await files.encoded(file)) is not None:
        url = f"data:{file.media_type};base64,{data}"
        if file.kind is FileKind.IMAGE:
            return {"type": "input_image", "image_url": url}
        return {"type": "input_file", "filename": file.name, "file_data": url}
    return {"type": "input_text", "text": as_text(file)}


def declined(requests: Iterable[KeptItem], *, with_requests: bool) -> list[Item]:
    """Answers to requests for an approval: there is nobody who could give one, and the model can go on without.

    `with_requests` for a back end that does not keep what it asked.
    """
    found: list[Item] = []
    for request in requests:
        if with_requests:
            asked = {"name": request.name or "", "arguments": request.arguments or ""}
            label = request.server_label or ""
            found.append({"type": "mcp_approval_request", "id": request.id, "server_label": label, **asked})
        found.append({"type": "mcp_approval_response", "approval_request_id": request.id, "approve": False})
    return found

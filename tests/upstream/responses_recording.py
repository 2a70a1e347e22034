"""Objects and event streams of Responses as servers send them."""

from collections.abc import Sequence
from typing import Any

import msgspec

Event = dict[str, Any]
Events = Sequence[Event]
Call = tuple[str, str, str]
CONVERSATION = "conv_abc"
RESPONSE = "resp_1"
PIECES = ("Grüße", ", 世界", " 🌍", "!\n", "Bye.")
TEXT = "".join(PIECES)
USAGE = {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18}
DONE = b"data: [DONE]\n\n"


def response(status: str, *output: Any, response_id: Any = RESPONSE, **fields: Any) -> dict[str, Any]:
    """A response; `fields` replace its own."""
    return {
        "id": response_id,
        "object": "response",
        "created_at": 1790000000,
        "status": status,
        "model": "model-1",
        "error": None,
        "incomplete_details": None,
        "output": list(output),
        "usage": USAGE if status in {"completed", "incomplete"} else None,
        **fields,
    }


def text_part(text: str, *annotations: Any) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": list(annotations), "logprobs": []}


def refusal_part(text: str) -> dict[str, Any]:
    return {"type": "refusal", "refusal": text}


def message(*parts: Any, item_id: Any = "msg_1", status: str = "completed") -> dict[str, Any]:
    """A message of the assistant; a part that is a string is a text part."""
    content = [text_part(part) if isinstance(part, str) else part for part in parts]
    return {"id": item_id, "type": "message", "role": "assistant", "status": status, "content": content}


def call(call_id: str, name: str, arguments: Any) -> dict[str, Any]:
    """A call; its own id is not the one that its output names."""
    return {
        "id": f"fc_of_{call_id}",
        "type": "function_call",
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
        "status": "completed",
    }


def approval(request_id: str) -> dict[str, Any]:
    return {
        "id": request_id,
        "type": "mcp_approval_request",
        "server_label": "shop",
        "name": "buy",
        "arguments": "{}",
    }


def state(status: str, *output: Any, **fields: Any) -> Event:
    """The event that a response is in a state, with the response in it."""
    return {"type": f"response.{status}", "response": response(status, *output, **fields)}


def item(change: str, what: Any, index: int = 0) -> Event:
    return {"type": f"response.output_item.{change}", "output_index": index, "item": what}


def text(change: str, index: int = 0, *, item_id: Any = "msg_1", part: int = 0, **fields: Any) -> Event:
    place = {"item_id": item_id, "output_index": index, "content_index": part}
    return {"type": f"response.output_text.{change}", **place, "logprobs": [], **fields}


def delta(piece: str, index: int = 0, *, item_id: Any = "msg_1", part: int = 0) -> Event:
    return text("delta", index, item_id=item_id, part=part, delta=piece)


def beginning(**fields: Any) -> list[Event]:
    """The first events of a response."""
    return [
        {"type": "response.created", "response": response("queued", **fields)},
        {"type": "response.in_progress", "response": response("in_progress", **fields)},
    ]


def said(*pieces: str, index: int = 0, item_id: Any = "msg_1") -> list[Event]:
    """One message from its beginning to its end."""
    place = {"item_id": item_id, "output_index": index, "content_index": 0}
    whole = "".join(pieces)
    return [
        item("added", message(item_id=item_id, status="in_progress"), index),
        {"type": "response.content_part.added", **place, "part": text_part("")},
        *(delta(piece, index, item_id=item_id) for piece in pieces),
        text("done", index, item_id=item_id, text=whole),
        {"type": "response.content_part.done", **place, "part": text_part(whole)},
        item("done", message(whole, item_id=item_id), index),
    ]


def text_response(**fields: Any) -> list[Event]:
    """A response that answers TEXT."""
    return [*beginning(**fields), *said(*PIECES), state("completed", message(TEXT), **fields)]


def called(*calls: Call, first: int = 0) -> list[Event]:
    """Calls (id, name, arguments) from their beginning to their end."""
    events: list[Event] = []
    for index, (call_id, name, arguments) in enumerate(calls, first):
        place = {"item_id": f"fc_of_{call_id}", "output_index": index}
        events += [
            item("added", call(call_id, name, ""), index),
            {"type": "response.function_call_arguments.delta", **place, "delta": arguments},
            {"type": "response.function_call_arguments.done", **place, "arguments": arguments, "name": name},
            item("done", call(call_id, name, arguments), index),
        ]
    return events


def calls_response(*calls: Call, before: str = "", **fields: Any) -> list[Event]:
    """A response that ends with calls, after it said `before`."""
    spoken = [message(before)] if before else []
    return [
        *beginning(**fields),
        *(said(before) if before else []),
        *called(*calls, first=len(spoken)),
        state("completed", *spoken, *(call(*each) for each in calls), **fields),
    ]


def answer(*pieces: str, **fields: Any) -> list[Event]:
    """A response that says these pieces."""
    return [*beginning(**fields), *said(*pieces), state("completed", message("".join(pieces)), **fields)]


def numbered(events: Events) -> list[Event]:
    """The events as OpenAI counts them."""
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def frame(event: Event) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (event["type"].encode(), msgspec.json.encode(event))


def bare(data: Any) -> bytes:
    """A frame without an `event:` line, as OGX and LiteLLM send it."""
    return b"data: %s\n\n" % msgspec.json.encode(data)


def stream(events: Events) -> bytes:
    return b"".join(map(frame, numbered(events)))


def refused(message: str, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    """The body of a refusal."""
    return {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}


def listed(*items: Any) -> dict[str, Any]:
    """A page of a list, newest first."""
    return {"object": "list", "data": list(items), "first_id": None, "last_id": None, "has_more": False}

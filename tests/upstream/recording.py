"""Objects and event streams of Assistants v2 as servers send them."""

from collections.abc import Sequence
from typing import Any

import msgspec

Events = Sequence[tuple[str, Any]]
THREAD = "thread_abc"
RUN = "run_1"
SAID = "msg_0"
OURS, ANOTHERS = {"deep_chat_turn": "turn-1"}, {"deep_chat_turn": "turn-0"}
"""The metadata of what a turn has made, the one that is played or another."""
PIECES = ("Grüße", ", 世界", " 🌍", "!\n", "Bye.")
TEXT = "".join(PIECES)
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


def run(status: str, **fields: Any) -> dict[str, Any]:
    """A run; `fields` replace its own."""
    return {
        "id": RUN,
        "object": "thread.run",
        "created_at": 1790000000,
        "thread_id": THREAD,
        "assistant_id": "asst_1",
        "status": status,
        "required_action": None,
        "last_error": None,
        "incomplete_details": None,
        "usage": USAGE if status in {"completed", "incomplete"} else None,
        **fields,
    }


def text_part(text: str, annotations: Sequence[Any] = ()) -> dict[str, Any]:
    return {"type": "text", "text": {"value": text, "annotations": list(annotations)}}


def image_part(file_id: str) -> dict[str, Any]:
    return {"type": "image_file", "image_file": {"file_id": file_id}}


def message(*parts: Any, message_id: Any = "msg_1", status: str = "completed", **fields: Any) -> Any:
    """A message of the assistant; a part that is a string is a text part."""
    return {
        "id": message_id,
        "object": "thread.message",
        "created_at": 1790000001,
        "thread_id": THREAD,
        "run_id": RUN,
        "role": "assistant",
        "status": status,
        "incomplete_details": None,
        "content": [text_part(part) if isinstance(part, str) else part for part in parts],
        **fields,
    }


def said_by_visitor(text: str, **fields: Any) -> Any:
    """A message of the visitor, as a thread holds it."""
    return message(text, message_id=SAID, role="user", run_id=None, **fields)


def delta(part: Any, *, message_id: Any = "msg_1", index: int = 0) -> tuple[str, Any]:
    """More of a message: a text, or another part."""
    part = {"type": "text", "text": {"value": part}} if isinstance(part, str) else part
    content = [{"index": index, **part}]
    data = {"id": message_id, "object": "thread.message.delta", "delta": {"content": content}}
    return "thread.message.delta", data


def step(state: str, kind: str = "message_creation", **details: Any) -> tuple[str, Any]:
    data = {
        "id": "step_1",
        "object": "thread.run.step",
        "run_id": RUN,
        "type": kind,
        "status": "in_progress" if state == "created" else state,
        "step_details": {"type": kind, **details},
    }
    return f"thread.run.step.{state}", data


def run_event(status: str, **fields: Any) -> tuple[str, Any]:
    return f"thread.run.{status}", run(status, **fields)


def beginning() -> list[tuple[str, Any]]:
    """The first events of a run."""
    return [
        ("thread.run.created", run("queued")),
        run_event("queued"),
        run_event("in_progress"),
    ]


def said(*pieces: str, message_id: Any = "msg_1") -> list[tuple[str, Any]]:
    """One message from its creation to its end."""
    return [
        step("created", message_creation={"message_id": message_id}),
        ("thread.message.created", message(message_id=message_id, status="in_progress")),
        ("thread.message.in_progress", message(message_id=message_id, status="in_progress")),
        *(delta(piece, message_id=message_id) for piece in pieces),
        ("thread.message.completed", message("".join(pieces), message_id=message_id)),
        step("completed", message_creation={"message_id": message_id}),
    ]


def text_run() -> list[tuple[str, Any]]:
    """A run that answers TEXT, without `done`."""
    return [*beginning(), *said(*PIECES), run_event("completed")]


def wants(*calls: tuple[str, str, str]) -> dict[str, Any]:
    """The run when it waits for the outputs of `calls` (id, name, arguments)."""
    wanted = [
        {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
        for call_id, name, arguments in calls
    ]
    action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": wanted}}
    return run("requires_action", required_action=action)


def asks(*calls: tuple[str, str, str]) -> list[tuple[str, Any]]:
    """The end of a stream whose run waits for outputs."""
    return [step("created", "tool_calls", tool_calls=[]), ("thread.run.requires_action", wants(*calls))]


def listed(*items: Any) -> dict[str, Any]:
    ids = [item["id"] for item in items] or [None]
    return {
        "object": "list",
        "data": list(items),
        "first_id": ids[0],
        "last_id": ids[-1],
        "has_more": False,
    }


DONE = b"event: done\ndata: [DONE]\n\n"


def frame(name: str, data: Any) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(data))


def wrapped(name: str, data: Any) -> bytes:
    """A frame without an `event:` line, as LiteLLM sends it."""
    return b"data: %s\n\n" % msgspec.json.encode({"event": name, "data": data})


def bare(_name: str, data: Any) -> bytes:
    """A frame without an `event:` line that holds nothing but the object."""
    return b"data: %s\n\n" % msgspec.json.encode(data)


def stream(events: Events, *, done: bool = True) -> bytes:
    return b"".join(frame(name, data) for name, data in events) + (DONE if done else b"")


def read(body: bytes) -> Any:
    return msgspec.json.decode(body)

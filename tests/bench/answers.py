"""What the back end answers, as bytes made once: the same events for every stream but for the ids in them.

Shapes are those of OpenAI's API document of 2026-08-21, the fields in the order in which the service sends them. Each
event is an HTTP chunk of its own, as a model that makes one token after another sends it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Literal

Dialect = Literal["assistants", "responses", "chat"]
DIALECTS: tuple[Dialect, ...] = ("assistants", "responses", "chat")

# Stands in the templates where the number of a stream goes; as long as that, so that no chunk changes its length.
NUMBER = b"#" * 24
MESSAGE = "msg_" + "0" * 24
# Said once, at the start: where it is seen, the first token has come.
FIRST = "Certainly"
_MADE = 1795926775
_PROSE = (
    "! A proxy stands between two that talk, and passes on what each of them says: **as soon as it is said**,"
    " word for word, with nothing lost and nothing made up. What it costs shows when many talk at once, so (here)"
    " hundreds do, each at the pace of a model that writes about 50 words a second. 1. They start. 2. They go on."
)
_MODEL: dict[str, object] = {"model": "bench-1"}
_USAGE = {"prompt_tokens": 25, "completion_tokens": 150, "total_tokens": 175}


@dataclass(frozen=True)
class Answer:
    """A streamed answer: `beginning` and `ending` hold NUMBER, `pieces` are one token each. `text` is all of it."""

    beginning: bytes
    pieces: tuple[bytes, ...]
    ending: bytes
    text: str


def tokens(count: int) -> list[str]:
    """What the model says, in so many pieces."""
    words = [" " + word for word in _PROSE.split(" ")]
    words[0] = words[0].lstrip()
    return [FIRST, *islice(cycle(words), count - 1)][:count]


def answer(dialect: Dialect, count: int) -> Answer:
    """The streamed answer of so many tokens in one of the three protocols."""
    said = tokens(count)
    text = "".join(said)
    make = {"assistants": _assistants, "responses": _responses, "chat": _chat}[dialect]
    beginning, pieces, ending = make(said, text)
    return Answer(b"".join(beginning), tuple(pieces), b"".join(ending) + b"0\r\n\r\n", text)


def encoded(value: object) -> bytes:
    """JSON as the service writes it."""
    return json.dumps(value, separators=(",", ":")).encode()


def _event(name: str, data: object) -> bytes:
    body = data if isinstance(data, bytes) else encoded(data)
    event = b"data: " + body + b"\n\n"
    if name:
        event = b"event: " + name.encode() + b"\n" + event
    return b"%x\r\n%b\r\n" % (len(event), event)


Parts = tuple[Sequence[bytes], Sequence[bytes], Sequence[bytes]]


def _assistants(said: Sequence[str], text: str) -> Parts:
    beginning = [
        *(_event(f"thread.run.{state}", run(shown)) for state, shown in _RUN_BEGINS),
        *(_event(f"thread.run.step.{state}", _step("in_progress")) for state in ("created", "in_progress")),
        *(_event(f"thread.message.{state}", message("")) for state in ("created", "in_progress")),
    ]
    pieces = [
        _event("thread.message.delta", _message_delta(word, first=not at)) for at, word in enumerate(said)
    ]
    ending = [
        _event("thread.message.completed", message(text)),
        _event("thread.run.step.completed", _step("completed")),
        _event("thread.run.completed", run("completed")),
        _event("done", b"[DONE]"),
    ]
    return beginning, pieces, ending


_RUN_BEGINS = (("created", "queued"), ("queued", "queued"), ("in_progress", "in_progress"))


def thread() -> dict[str, object]:
    """A thread, with NUMBER in its id."""
    return {
        "id": "thread_" + NUMBER.decode(),
        "object": "thread",
        "created_at": _MADE,
        "metadata": {},
        "tool_resources": {},
    }


def thread_created() -> bytes:
    """The event that comes first where the thread is made together with the run."""
    return _event("thread.created", thread())


def run(status: str) -> dict[str, object]:
    """A run in that state, with NUMBER in its ids."""
    ended = status == "completed"
    return {
        "id": "run_" + NUMBER.decode(),
        "object": "thread.run",
        "created_at": _MADE,
        "assistant_id": "asst_bench",
        "thread_id": "thread_" + NUMBER.decode(),
        "status": status,
        "started_at": None if status == "queued" else _MADE,
        "expires_at": None if ended else _MADE + 600,
        **dict.fromkeys(("cancelled_at", "failed_at"), None),
        "completed_at": _MADE if ended else None,
        **dict.fromkeys(("required_action", "last_error"), None),
        **_MODEL,
        "instructions": "You are a helpful assistant.",
        "tools": [{"type": "file_search"}, {"type": "code_interpreter"}],
        "metadata": {},
        "temperature": 1.0,
        "top_p": 1.0,
        **dict.fromkeys(("max_completion_tokens", "max_prompt_tokens"), None),
        "truncation_strategy": {"type": "auto", "last_messages": None},
        "incomplete_details": None,
        "usage": _USAGE if ended else None,
        "response_format": "auto",
        "tool_choice": "auto",
        "parallel_tool_calls": True,
    }


def _step(status: str) -> dict[str, object]:
    ended = status == "completed"
    return {
        "id": "step_" + NUMBER.decode(),
        "object": "thread.run.step",
        "created_at": _MADE,
        "run_id": "run_" + NUMBER.decode(),
        "assistant_id": "asst_bench",
        "thread_id": "thread_" + NUMBER.decode(),
        "type": "message_creation",
        "status": status,
        "cancelled_at": None,
        "completed_at": _MADE if ended else None,
        **dict.fromkeys(("expired_at", "failed_at", "last_error"), None),
        "step_details": {"type": "message_creation", "message_creation": {"message_id": MESSAGE}},
        "usage": _USAGE if ended else None,
    }


def message(text: str) -> dict[str, object]:
    """The assistant's message as the back end keeps it; without a text, one in the making."""
    content = [{"type": "text", "text": {"value": text, "annotations": []}}]
    return {
        "id": MESSAGE,
        "object": "thread.message",
        "created_at": _MADE,
        "assistant_id": "asst_bench",
        "thread_id": "thread_" + NUMBER.decode(),
        "run_id": "run_" + NUMBER.decode(),
        "role": "assistant",
        "status": "completed" if text else "in_progress",
        "incomplete_details": None,
        "completed_at": _MADE if text else None,
        "incomplete_at": None,
        "content": content if text else [],
        "attachments": [],
        "metadata": {},
    }


def _message_delta(word: str, *, first: bool) -> dict[str, object]:
    text: dict[str, object] = {"value": word, "annotations": []} if first else {"value": word}
    return {
        "id": MESSAGE,
        "object": "thread.message.delta",
        "delta": {"content": [{"index": 0, "type": "text", "text": text}]},
    }


def _responses(said: Sequence[str], text: str) -> Parts:
    place: dict[str, object] = {"item_id": MESSAGE, "output_index": 0, "content_index": 0}
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    empty = {**part, "text": ""}
    item = {"id": MESSAGE, "type": "message", "status": "in_progress", "role": "assistant", "content": []}
    whole = {**item, "status": "completed", "content": [part]}
    numbers = iter(range(10**9))

    def event(name: str, **fields: object) -> bytes:
        return _event(
            f"response.{name}", {"type": f"response.{name}", "sequence_number": next(numbers), **fields}
        )

    beginning = [
        event("created", response=response("in_progress", [])),
        event("in_progress", response=response("in_progress", [])),
        event("output_item.added", output_index=0, item=item),
        event("content_part.added", **place, part=empty),
    ]
    # The service pads each delta to hide how long it is.
    pieces = [
        event("output_text.delta", **place, delta=word, logprobs=[], obfuscation="x" * (16 - len(word) % 16))
        for word in said
    ]
    ending = [
        event("output_text.done", **place, text=text, logprobs=[]),
        event("content_part.done", **place, part=part),
        event("output_item.done", output_index=0, item=whole),
        event("completed", response=response("completed", [whole])),
    ]
    return beginning, pieces, ending


def response(status: str, output: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """A response with that output, with NUMBER in its id."""
    usage = {
        "input_tokens": 25,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 150,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 175,
    }
    return {
        "id": "resp_" + NUMBER.decode(),
        "object": "response",
        "created_at": _MADE,
        "status": status,
        "background": False,
        **dict.fromkeys(("conversation", "error", "incomplete_details", "instructions"), None),
        **dict.fromkeys(("max_output_tokens", "max_tool_calls"), None),
        "metadata": {},
        **_MODEL,
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": usage if status == "completed" else None,
        "user": None,
    }


def _chat(said: Sequence[str], _: str) -> Parts:
    def chunk(choices: Sequence[object], usage: object = None) -> bytes:
        return _event("", {**_COMPLETION, "choices": choices, "usage": usage})

    def choice(delta: Mapping[str, object], reason: str | None = None) -> dict[str, object]:
        return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}

    beginning = [chunk([choice({"role": "assistant", "content": "", "refusal": None})])]
    pieces = [chunk([choice({"content": word})]) for word in said]
    ending = [chunk([choice({}, "stop")]), chunk([], _USAGE), _event("", b"[DONE]")]
    return beginning, pieces, ending


_COMPLETION: dict[str, object] = {
    "id": "chatcmpl-" + "0" * 24,
    "object": "chat.completion.chunk",
    "created": _MADE,
    **_MODEL,
    "service_tier": "default",
    "system_fingerprint": "fp_bench",
}

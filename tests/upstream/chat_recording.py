"""Chunks and whole answers of Chat Completions as servers send them, and the dialect in front of them."""

from collections.abc import Sequence
from typing import Any

import msgspec

from deep_chat_proxy.turn.events import Completed
from deep_chat_proxy.upstream.chat_completions.dialect import ChatDialect
from deep_chat_proxy.upstream.chat_completions.options import ChatOptions
from deep_chat_proxy.upstream.client import ApiClient
from upstream.backend import Body, ScriptedBackend
from upstream.saying import Answer

Chunk = dict[str, Any]
Chunks = Sequence[Chunk]
Call = tuple[str, str, str]
NEW = "POST /chat/completions"
PIECES = ("Grüße", ", 世界", " 🌍", "!\n", "Bye.")
TEXT = "".join(PIECES)
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
DONE = b"data: [DONE]\n\n"
PARIS = ("call_1", "get_weather", '{"location":"Paris"}')
ROME = ("call_2", "get_weather", '{"location":"Rome"}')


def chunk(delta: Any = None, finish: str | None = None, **fields: Any) -> Chunk:
    """A chunk; `fields` replace its own."""
    choice = {"index": 0, "delta": delta or {}, "logprobs": None, "finish_reason": finish}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1790000000, "model": "model-1"}
    return {**head, "choices": [choice], **fields}


def usage() -> Chunk:
    """The chunk that tells the usage, behind all others."""
    return chunk(choices=[], usage=USAGE)


def said(*pieces: str) -> list[Chunk]:
    """An answer to its end, without the usage."""
    begun = chunk({"role": "assistant", "content": "", "refusal": None})
    return [begun, *(chunk({"content": piece}) for piece in pieces), chunk(finish="stop")]


def text_answer() -> list[Chunk]:
    """An answer that says TEXT."""
    return [*said(*PIECES), usage()]


def call_piece(index: int, arguments: str) -> dict[str, Any]:
    return {"index": index, "function": {"arguments": arguments}}


def called(*calls: Call, before: str = "") -> list[Chunk]:
    """An answer that ends with calls (id, name, arguments), after it said `before`."""
    chunks = [chunk({"role": "assistant", "content": before or None})]
    for index, (call_id, name, arguments) in enumerate(calls):
        head = {
            "index": index,
            "id": call_id,
            "type": "function",
            "function": {"name": name, "arguments": ""},
        }
        chunks.append(chunk({"tool_calls": [head]}))
        half = len(arguments) // 2
        chunks += [
            chunk({"tool_calls": [call_piece(index, piece)]})
            for piece in (arguments[:half], arguments[half:])
        ]
    return [*chunks, chunk(finish="tool_calls"), usage()]


def message(content: Any, **fields: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, "refusal": None, **fields}


def whole(said: Any, finish: str | None = "stop", **fields: Any) -> dict[str, Any]:
    """An answer that comes all at once."""
    choice = {"index": 0, "message": said, "finish_reason": finish}
    return {"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice], "usage": USAGE, **fields}


def call(call_id: str, name: str, arguments: Any) -> dict[str, Any]:
    """A call as whole answers have it, and as it is sent back."""
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def frame(data: Any) -> bytes:
    return b"data: %s\n\n" % msgspec.json.encode(data)


def stream(chunks: Chunks) -> bytes:
    return b"".join(map(frame, chunks))


def streams(*chunks: Chunk, end: str = "close", done: bool = True) -> Body:
    return Body((stream(chunks) + (DONE if done else b""),), end=end)


def refused(message: str, code: str | None = None) -> dict[str, Any]:
    """The body of a refusal."""
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}


def dialect_of(client: ApiClient, *, functions: Sequence[dict[str, Any]] = (), **options: Any) -> ChatDialect:
    """The dialect for `model-1`; `options` set fields of ChatOptions."""
    return ChatDialect(client, ChatOptions(**{"model": "model-1", **options}), functions)


def sent(backend: ScriptedBackend) -> list[Any]:
    """The messages of each completion that was asked for."""
    return [seen.json["messages"] for seen in backend.requests if seen.line == NEW]


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def tool(call_id: str, value: str) -> dict[str, str]:
    return {"role": "tool", "tool_call_id": call_id, "content": value}


def assert_whole(answer: Answer) -> None:
    """TEXT was said, once and to its end."""
    assert answer.error is None
    assert answer.outcome == (TEXT, Completed())
    assert not answer.said_anew

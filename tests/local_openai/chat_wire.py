"""Speaking Chat Completions byte for byte, and checking what is said against the official SDK's models."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from openai.types.chat import ChatCompletionChunk

from local_openai.wire import WAIT, Local

Chunk = dict[str, Any]
FINISHES = {"stop", "length", "tool_calls", "content_filter"}


def asking(text: str, /, **settings: Any) -> dict[str, Any]:
    return {"model": "local-1", "messages": [{"role": "user", "content": text}], **settings}


@asynccontextmanager
async def opened(local: Local, body: dict[str, Any]) -> AsyncIterator[aiohttp.ClientResponse]:
    """A stream that has begun."""
    async with (
        asyncio.timeout(WAIT),
        local.http.post(f"{local.base_url}/chat/completions", json={**body, "stream": True}) as response,
    ):
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"
        yield response


async def stream(local: Local, body: dict[str, Any]) -> list[Chunk]:
    """The chunks of a stream, each checked."""
    async with opened(local, body) as response:
        return chunks_in(await response.text())


async def ask(local: Local, text: str, /, **settings: Any) -> list[Chunk]:
    return await stream(local, asking(text, **settings))


async def create(local: Local, text: str, /, **settings: Any) -> Any:
    """A whole answer."""
    status, answer = await local.call("POST", "/chat/completions", asking(text, **settings))
    assert status == 200, answer
    return answer


async def refused(local: Local, body: dict[str, Any]) -> tuple[int, Any]:
    """Status and error of a request that is not taken."""
    status, answer = await local.call("POST", "/chat/completions", body)
    return status, answer["error"]


async def cut_stream(local: Local, body: dict[str, Any]) -> list[Chunk]:
    """The chunks of a stream that breaks; fails where it ends properly."""
    seen = b""
    async with opened(local, body) as response:
        try:
            while chunk := await response.content.readline():
                seen += chunk
        except aiohttp.ClientPayloadError:
            return chunks_in(seen.decode(), done=False)
    raise AssertionError("the stream ended properly")


def chunks_in(text: str, *, done: bool = True) -> list[Chunk]:
    """The chunks of a stream, each checked; an error, which can only be the last, stands as it is."""
    assert text.endswith("\n\n")
    frames = [frame.removeprefix("data: ") for frame in text.split("\n\n")[:-1]]
    if done and not frames[-1].startswith('{"error"'):
        assert frames.pop() == "[DONE]"
    chunks = [json.loads(frame) for frame in frames]
    for chunk in chunks:
        if "error" not in chunk:
            ChatCompletionChunk.model_validate(chunk)
    assert all("error" not in chunk for chunk in chunks[:-1])
    assert len({chunk["id"] for chunk in chunks if "id" in chunk}) <= 1
    return chunks


def deltas(chunks: list[Chunk]) -> list[Any]:
    return [choice["delta"] for chunk in chunks for choice in chunk.get("choices", ())]


def said(chunks: list[Chunk], field: str = "content") -> str:
    return "".join(delta.get(field) or "" for delta in deltas(chunks))


def finish(chunks: list[Chunk]) -> str:
    """The one reason for which the answer ended."""
    reasons = [choice["finish_reason"] for chunk in chunks for choice in chunk.get("choices", ())]
    (reason,) = [reason for reason in reasons if reason is not None]
    return str(reason)


def calls(chunks: list[Chunk]) -> list[Any]:
    """The calls, put together out of their fragments."""
    found: dict[int, Any] = {}
    for delta in deltas(chunks):
        for call in delta.get("tool_calls", ()):
            if "id" in call:
                found[call["index"]] = {
                    "id": call["id"],
                    "type": "function",
                    "function": {**call["function"]},
                }
            else:
                found[call["index"]]["function"]["arguments"] += call["function"]["arguments"]
    return [found[index] for index in sorted(found)]

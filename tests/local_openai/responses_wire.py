"""Speaking Responses and Conversations byte for byte, and checking what is said against the official SDK's models."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from openai.types.conversations import ConversationItem, ConversationItemList
from openai.types.responses import ResponseItemList, ResponseStreamEvent
from pydantic import TypeAdapter

from local_openai.wire import WAIT, Local

STREAM_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
CONVERSATION_ITEM: TypeAdapter[Any] = TypeAdapter(ConversationItem)
WEATHER: dict[str, Any] = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a place.",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"location": {"type": "string"}, "unit": {"type": "string"}},
        "required": ["location", "unit"],
        "additionalProperties": False,
    },
}
CODE: dict[str, Any] = {"type": "code_interpreter", "container": {"type": "auto"}}
MCP: dict[str, Any] = {"type": "mcp", "server_label": "dice", "server_url": "https://mcp.example.org/"}
ALL_TOOLS: list[dict[str, Any]] = [
    WEATHER,
    CODE,
    {"type": "file_search", "vector_store_ids": ["vs_1"]},
    {"type": "web_search"},
    {"type": "image_generation", "partial_images": 1},
    {**MCP, "require_approval": "never"},
]
EVERYTHING = [
    "file_search_call.results",
    "code_interpreter_call.outputs",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "reasoning.encrypted_content",
]
"""All that `include` can ask for."""
ENDS = {"response.completed", "response.incomplete", "response.failed", "error"}
Event = dict[str, Any]


def asking(text: str, /, **settings: Any) -> dict[str, Any]:
    return {"model": "local-1", "input": text, **settings}


async def ask(local: Local, text: str, /, **settings: Any) -> list[Event]:
    """The events of a streamed response, each checked."""
    return await stream(local, asking(text, **settings))


async def stream(local: Local, body: dict[str, Any]) -> list[Event]:
    async with opened(local, body) as response:
        return events_in(await response.text())


@asynccontextmanager
async def opened(local: Local, body: dict[str, Any]) -> AsyncIterator[aiohttp.ClientResponse]:
    """A stream that has begun."""
    async with (
        asyncio.timeout(WAIT),
        local.http.post(f"{local.base_url}/responses", json={**body, "stream": True}) as response,
    ):
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"
        yield response


async def until(response: aiohttp.ClientResponse, kind: str) -> list[Event]:
    """The events of a stream up to the first of that type."""
    seen = b""
    while True:
        seen += await response.content.readline()
        if seen.endswith(b"\n\n") and (events := events_in(seen.decode()))[-1]["type"] == kind:
            return events


async def followed(local: Local, response_id: str, after: int | None = None) -> list[Event]:
    """The stream of a response that is in the background, from the event after that number."""
    query = "stream=true" if after is None else f"stream=true&starting_after={after}"
    async with (
        asyncio.timeout(WAIT),
        local.http.get(f"{local.base_url}/responses/{response_id}?{query}") as response,
    ):
        assert response.status == 200, await response.text()
        return events_in(await response.text())


async def cut_stream(local: Local, body: dict[str, Any]) -> list[Event]:
    """The events of a stream that breaks; fails where it ends properly."""
    seen = b""
    async with opened(local, body) as response:
        try:
            while chunk := await response.content.readline():
                seen += chunk
        except aiohttp.ClientPayloadError:
            return events_in(seen.decode())
    raise AssertionError("the stream ended properly")


def events_in(text: str) -> list[Event]:
    """The events of a stream, each checked against the SDK's model, and their numbers."""
    assert text == "" or text.endswith("\n\n")
    events: list[Event] = []
    for frame in text.split("\n\n")[:-1]:
        name, raw = frame.split("\n")
        event = json.loads(raw.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        assert STREAM_EVENT.validate_python(event).type == event["type"]
        events.append(event)
    numbers = [event["sequence_number"] for event in events]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else True
    return events


def kinds(events: list[Event]) -> list[str]:
    """Types without their beginning, with each row of the same deltas as one."""
    found: list[str] = []
    for event in events:
        kind = event["type"].removeprefix("response.")
        if not (kind.endswith(".delta") and found and found[-1] == kind):
            found.append(kind)
    return found


def ended(events: list[Event]) -> Any:
    """The response with which a stream ended."""
    assert events[-1]["type"] in ENDS - {"error"}
    return events[-1]["response"]


def said(response: Any) -> str:
    """The text of all messages of a response."""
    parts = [part for item in response["output"] if item["type"] == "message" for part in item["content"]]
    return "".join(part.get("text", "") for part in parts)


def streamed_text(events: list[Event]) -> str:
    return "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")


def only(response: Any, kind: str) -> Any:
    """The one item of that type."""
    (item,) = [item for item in response["output"] if item["type"] == kind]
    return item


def annotations(response: Any) -> list[Any]:
    return [one for part in only(response, "message")["content"] for one in part["annotations"]]


def calls(response: Any) -> list[Any]:
    return [item for item in response["output"] if item["type"] == "function_call"]


def outputs(response: Any, output: str = "sunny") -> list[dict[str, Any]]:
    """Input that gives every call the same output."""
    return [
        {"type": "function_call_output", "call_id": call["call_id"], "output": output}
        for call in calls(response)
    ]


async def create(local: Local, text: Any, /, **settings: Any) -> Any:
    """A response that is not streamed."""
    status, answer = await local.call("POST", "/responses", asking(text, **settings))
    assert status == 200, answer
    return answer


async def refused(local: Local, body: dict[str, Any]) -> tuple[int, Any]:
    """Status and error of a request that is not taken."""
    status, answer = await local.call("POST", "/responses", body)
    return status, answer["error"]


async def conversation_with(local: Local, *texts: str, **settings: Any) -> str:
    """The id of a conversation in which each text was answered."""
    _, made = await local.call("POST", "/conversations", {})
    for text in texts:
        await create(local, text, conversation=made["id"], **settings)
    return str(made["id"])


async def conversation_items(
    local: Local, conversation_id: str, query: str = "order=asc&limit=100"
) -> list[Any]:
    """The items of a conversation, each checked."""
    _, answer = await local.call("GET", f"/conversations/{conversation_id}/items?{query}")
    if answer["data"]:
        ConversationItemList.model_validate(answer)
    for item in answer["data"]:
        assert CONVERSATION_ITEM.validate_python(item).type == item["type"]
    return list(answer["data"])


async def input_items(local: Local, response_id: str, query: str = "order=asc&limit=100") -> list[Any]:
    """What a response answered, each item checked."""
    _, answer = await local.call("GET", f"/responses/{response_id}/input_items?{query}")
    ResponseItemList.model_validate(answer)
    return list(answer["data"])


async def until_status(local: Local, response_id: str, *wanted: str) -> Any:
    """The response, polled until it has one of the states."""
    async with asyncio.timeout(WAIT):
        while True:
            _, response = await local.call("GET", f"/responses/{response_id}")
            if response["status"] in wanted:
                return response


async def until_idle(local: Local) -> None:
    """Until no response is being made."""
    async with asyncio.timeout(WAIT):
        while local.state.active_responses():
            await local.call("GET", "/models")

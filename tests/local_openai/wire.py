"""Speaking with a local OpenAI byte for byte, and checking what it says against the official SDK's models."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp.test_utils import TestServer
from openai import AsyncOpenAI
from openai.types import ContainerRetrieveResponse, ErrorObject
from openai.types.beta import Assistant, AssistantStreamEvent, Thread
from openai.types.beta.threads import Message, Run
from openai.types.beta.threads.runs import RunStep
from openai.types.chat import ChatCompletion
from openai.types.containers import FileRetrieveResponse
from openai.types.conversations import Conversation
from openai.types.responses import Response
from pydantic import BaseModel, TypeAdapter

from deep_chat_proxy.local_openai import STATE, LocalOptions, create_local_openai
from deep_chat_proxy.local_openai.state import LocalState

WAIT = 10
"""Seconds after which a test gives up."""
FAST = LocalOptions(token_delay=0, poll_after_ms=5)
STREAM_EVENT: TypeAdapter[Any] = TypeAdapter(AssistantStreamEvent)
MODELS: dict[str, type[BaseModel]] = {
    "assistant": Assistant,
    "thread": Thread,
    "thread.message": Message,
    "thread.run": Run,
    "thread.run.step": RunStep,
    "response": Response,
    "conversation": Conversation,
    "chat.completion": ChatCompletion,
    "container.file": FileRetrieveResponse,
    "container": ContainerRetrieveResponse,
}
HEADERS = {"Authorization": "Bearer any", "OpenAI-Beta": "assistants=v2"}
WEATHER_TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {
                "location": {"type": "string"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            },
            "required": ["location"],
        },
    },
}
Event = tuple[str, Any]


class Local:
    """A running local OpenAI."""

    def __init__(
        self, state: LocalState, base_url: str, http: aiohttp.ClientSession, client: AsyncOpenAI
    ) -> None:
        self.state = state
        self.base_url = base_url
        self.http = http
        self.client = client

    @classmethod
    @asynccontextmanager
    async def running(cls, options: LocalOptions) -> AsyncIterator["Local"]:
        app = create_local_openai(options)
        server = TestServer(app)
        await server.start_server()
        base_url = str(server.make_url("/v1"))
        async with (
            aiohttp.ClientSession(headers=HEADERS) as http,
            AsyncOpenAI(api_key="any", base_url=base_url, max_retries=0, timeout=WAIT) as client,
        ):
            yield cls(app[STATE], base_url, http, client)
        await server.close()

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Status and JSON of one request; every object in the answer is checked."""
        async with (
            asyncio.timeout(WAIT),
            self.http.request(method, self.base_url + path, json=body, headers=headers) as response,
        ):
            answer = await response.json()
        check_object(answer)
        return response.status, answer

    async def stream(self, path: str, body: dict[str, Any]) -> list[Event]:
        """All events of one stream, each checked; the last is `done` where the stream says so."""
        async with (
            asyncio.timeout(WAIT),
            self.http.post(self.base_url + path, json={**body, "stream": True}) as response,
        ):
            assert response.status == 200, await response.text()
            assert response.content_type == "text/event-stream"
            return events_in(await response.text())

    async def ask(self, text: str, **settings: Any) -> list[Event]:
        """A new thread with one message, run as a stream."""
        return await self.stream("/threads/runs", thread_and_run(text, **settings))

    async def cut_stream(self, path: str, body: dict[str, Any]) -> list[Event]:
        """The events of a stream that breaks; fails where it ends properly."""
        seen = b""
        async with (
            asyncio.timeout(WAIT),
            self.http.post(self.base_url + path, json={**body, "stream": True}) as response,
        ):
            try:
                while chunk := await response.content.readline():
                    seen += chunk
            except aiohttp.ClientPayloadError:
                return events_in(seen.decode())
        raise AssertionError("the stream ended properly")

    async def until_status(self, thread_id: str, run_id: str, *wanted: str) -> Any:
        """The run, polled until it has one of the states."""
        async with asyncio.timeout(WAIT):
            while True:
                _, run = await self.call("GET", f"/threads/{thread_id}/runs/{run_id}")
                if run["status"] in wanted:
                    return run


StartLocal = Callable[[LocalOptions], Awaitable[Local]]


def thread_and_run(text: str, **settings: Any) -> dict[str, Any]:
    return {
        "assistant_id": "asst_local",
        "thread": {"messages": [{"role": "user", "content": text}]},
        **settings,
    }


def events_in(text: str) -> list[Event]:
    """The events of a whole stream, each checked against the SDK's model."""
    assert text == "" or text.endswith("\n\n")
    events: list[Event] = []
    for frame in text.split("\n\n")[:-1]:
        first, second = frame.split("\n")
        name, raw = first.removeprefix("event: "), second.removeprefix("data: ")
        if name == "done":
            assert raw == "[DONE]"
            events.append((name, None))
            continue
        data = json.loads(raw)
        check_event(name, data)
        events.append((name, data))
    return events


def check_event(name: str, data: Any) -> None:
    parsed = STREAM_EVENT.validate_python({"event": name, "data": data})
    assert parsed.event == name
    if name == "error":
        ErrorObject.model_validate(data)


def check_object(answer: Any) -> None:
    """Objects of a kind that the SDK knows fit its model; in lists too."""
    for one in answer["data"] if answer.get("object") == "list" else [answer]:
        # The answer to a deletion of a response calls itself a response, too.
        if (model := MODELS.get(one.get("object", ""))) and "deleted" not in one:
            model.model_validate(one)


def names(events: list[Event]) -> list[str]:
    """Event names, with each row of the same deltas as one."""
    found: list[str] = []
    for name, _ in events:
        if not (name.endswith(".delta") and found and found[-1] == name):
            found.append(name)
    return found


def said(events: list[Event]) -> str:
    """The text of all deltas."""
    parts = [
        part for name, data in events if name == "thread.message.delta" for part in data["delta"]["content"]
    ]
    return "".join(part["text"].get("value", "") for part in parts if part["type"] == "text")


def last(events: list[Event], name: str) -> Any:
    """The data of the last event of that name."""
    return next(data for found, data in reversed(events) if found == name)


def ids(events: list[Event]) -> tuple[str, str]:
    """Thread id and run id of a stream."""
    run = last(events, "thread.run.created")
    return run["thread_id"], run["id"]

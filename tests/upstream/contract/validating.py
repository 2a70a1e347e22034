"""A client that checks every event and object it gets with the official SDK's models."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
from openai.types.beta import AssistantStreamEvent
from openai.types.beta.threads import Run
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.conversations import Conversation
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from deep_chat_proxy.upstream.client import ApiClient
from deep_chat_proxy.upstream.reading import AnswerReader

ASSISTANT_EVENT: TypeAdapter[Any] = TypeAdapter(AssistantStreamEvent)
RESPONSE_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
OBJECTS: dict[str, Any] = {
    "thread.run": Run,
    "response": Response,
    "chat.completion": ChatCompletion,
    "conversation": Conversation,
}


class ValidatingClient(ApiClient):
    """`checked` counts what was looked at."""

    checked = 0

    @contextmanager
    def reader(self, response: aiohttp.ClientResponse) -> Iterator[AnswerReader]:
        with super().reader(response) as reader:
            yield _CheckedReader(reader, response, self)

    def check(self, content_type: str, body: bytes) -> bytes:
        """Look at what is whole of a body; returns what is not."""
        if content_type == "text/event-stream":
            whole, end, body = body.rpartition(b"\n\n")
            self._check_events(whole + end)
        return body

    def check_end(self, content_type: str, body: bytes) -> None:
        """Look at an object, now that it is whole."""
        if content_type == "application/json":
            self._check_object(json.loads(body))

    def _check_events(self, frames: bytes) -> None:
        for frame in frames.decode().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in frame.split("\n") if line)
            data = fields.get("data", "[DONE]")
            if data != "[DONE]":
                self._check_event(fields.get("event", ""), json.loads(data))

    def _check_event(self, name: str, data: Any) -> None:
        type(self).checked += 1
        if "error" in data and data.get("object") is None and "type" not in data:
            return
        if name.startswith("thread.") or (name == "error" and "type" in data and "param" not in data):
            ASSISTANT_EVENT.validate_python({"event": name, "data": data})
        elif data.get("object") == "chat.completion.chunk":
            ChatCompletionChunk.model_validate(data)
        elif str(data.get("type", "")).startswith("response."):
            RESPONSE_EVENT.validate_python(data)

    def _check_object(self, data: Any) -> None:
        model = OBJECTS.get(data.get("object", ""))
        if model is not None:
            type(self).checked += 1
            model.model_validate(data)


class _CheckedReader(AnswerReader):
    """Reads as the other reader does, and has each piece looked at before it is passed on."""

    def __init__(
        self, other: AnswerReader, response: aiohttp.ClientResponse, client: ValidatingClient
    ) -> None:
        self._other = other
        self._type = response.content_type
        self._client = client
        self._body = b""

    async def next(self) -> bytes:
        chunk = await self._other.next()
        if chunk:
            # Whoever gets the last event asks for nothing more.
            self._body = self._client.check(self._type, self._body + chunk)
        else:
            self._client.check_end(self._type, self._body)
        return chunk

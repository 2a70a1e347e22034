"""One request of Chat Completions, and as much of its answer as there is."""

import asyncio
import time
from typing import Any

import msgspec
from msgspec import UNSET

from deep_chat_proxy.local_openai.chat.objects import Choice, Completion, Usage
from deep_chat_proxy.local_openai.chat.requests import CreateCompletion, StreamOptions
from deep_chat_proxy.local_openai.errors import ApiError
from deep_chat_proxy.local_openai.event_stream import End, Listener
from deep_chat_proxy.local_openai.ids import new_id
from deep_chat_proxy.local_openai.obfuscation import padding


class ChatKept:
    """Open for tests to look inside: what was `asked`, and the `message` that grows."""

    def __init__(self, asked: CreateCompletion) -> None:
        self.id = new_id("chatcmpl-")
        self.created = int(time.time())
        self.asked = asked
        self.message: dict[str, Any] = {
            "role": "assistant",
            "content": None,
            "refusal": None,
            "annotations": [],
        }
        self.finish_reason: str | None = None
        self.usage: Usage | None = None
        self.failure: ApiError | None = None
        self.cut = False
        """Whether the answer has ended without an end: its connection is to be broken."""
        self.silent = False
        """Whether chunks are kept from the stream, as if the server hung."""
        self.ended = asyncio.Event()
        self.listener = Listener()
        self._options = asked.stream_options or StreamOptions()

    def add(self, delta: dict[str, Any], text: str = "") -> None:
        """More of the message; `text` is what of it is to be hidden in its length."""
        choice = Choice(index=0, delta=delta, logprobs=None, finish_reason=None)
        self._tell([choice], obfuscated=text)

    def finish(self, reason: str, usage: Usage) -> None:
        """The answer is whole, or as much of it as there will be."""
        self.finish_reason = reason
        self.usage = usage
        self._tell([Choice(index=0, delta={}, logprobs=None, finish_reason=reason)])
        if self._options.include_usage:
            self._tell([], usage=usage)
        self._end(End.DONE)

    def fail(self, failure: ApiError) -> None:
        """An error ends the stream, in the place of a chunk; nothing is said after it."""
        self.failure = failure
        self.listener.frames.put_nowait(_frame(failure.body()))
        self._end(End.WITHOUT_DONE)

    def break_off(self) -> None:
        """The connection breaks, where the answer has not ended before."""
        if not self.ended.is_set():
            self.cut = True
            self._end(End.CUT)

    def whole(self) -> Completion:
        choice = Choice(index=0, message=self.message, logprobs=None, finish_reason=self.finish_reason)
        return self._completion("chat.completion", [choice], usage=self.usage)

    def _end(self, end: End) -> None:
        self.listener.frames.put_nowait(end)
        self.ended.set()

    def _tell(
        self, choices: list[Choice], *, usage: Usage | None = None, obfuscated: str | None = None
    ) -> None:
        if self.silent or not self.asked.stream:
            return
        chunk = self._completion("chat.completion.chunk", choices, usage=usage)
        if not self._options.include_usage:
            chunk.usage = UNSET
        if obfuscated is not None and self._options.include_obfuscation:
            chunk.obfuscation = padding(obfuscated)
        self.listener.frames.put_nowait(_frame(chunk))

    def _completion(self, kind: str, choices: list[Choice], *, usage: Usage | None) -> Completion:
        return Completion(
            id=self.id,
            object=kind,
            created=self.created,
            model=self.asked.model,
            choices=choices,
            usage=usage,
        )


def _frame(data: Any) -> bytes:
    return b"data: %s\n\n" % msgspec.json.encode(data)

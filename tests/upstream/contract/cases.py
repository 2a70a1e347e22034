"""Every dialect in every way of keeping a thread and of following an answer: what the contract holds for."""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from deep_chat_proxy.local_openai import LocalOptions
from deep_chat_proxy.turn.ports import Dialect
from deep_chat_proxy.upstream.assistants.dialect import AssistantsDialect
from deep_chat_proxy.upstream.assistants.options import AssistantsOptions
from deep_chat_proxy.upstream.chat_completions.dialect import ChatDialect
from deep_chat_proxy.upstream.chat_completions.options import ChatOptions
from deep_chat_proxy.upstream.client import ApiClient
from deep_chat_proxy.upstream.files import Files
from deep_chat_proxy.upstream.recordings import AudioWay, RecordingOptions
from deep_chat_proxy.upstream.responses.dialect import ResponsesDialect
from deep_chat_proxy.upstream.responses.options import ResponsesOptions, Way
from upstream.playing import QUICK

Functions = Sequence[dict[str, Any]]
HOSTED: tuple[dict[str, object], ...] = (
    {"type": "web_search"},
    {"type": "code_interpreter"},
    {"type": "image_generation"},
)


class FilingDialect(Dialect):
    """What all of them are: a dialect with the files of its back end."""

    files: Files


class Case(Struct, frozen=True):
    """One of them. `options` is what the back end is like, `poorer` whether it sends less than the SDK expects."""

    name: str
    make: Callable[[ApiClient, Functions], Any]
    options: dict[str, Any] = {}
    poorer: bool = False

    @property
    def dialect(self) -> str:
        return self.name.partition("-")[0]

    @property
    def streams(self) -> bool:
        return self.name.endswith("stream")

    def local(self) -> LocalOptions:
        return LocalOptions(**{"token_delay": 0, "poll_after_ms": 1, **self.options})


def _assistants(*, stream: bool, **chosen: Any) -> Callable[[ApiClient, Functions], Any]:
    options = AssistantsOptions(assistant_id="asst_local", stream=stream, pace=QUICK, **chosen)
    return lambda client, functions: AssistantsDialect(client, options, functions)


def _responses(*, stream: bool, **chosen: Any) -> Callable[[ApiClient, Functions], Any]:
    options = ResponsesOptions(model="local-1", stream=stream, hosted=HOSTED, pace=QUICK, **chosen)
    return lambda client, functions: ResponsesDialect(client, options, functions)


def _chat(*, stream: bool, **chosen: Any) -> Callable[[ApiClient, Functions], Any]:
    options = ChatOptions(model="local-1", stream=stream, **chosen)
    return lambda client, functions: ChatDialect(client, options, functions)


NO_CONVERSATIONS: dict[str, Any] = {"conversations": False}
# As llama.cpp and Ollama are: nothing is kept, nothing is numbered.
BARE: dict[str, Any] = {
    "conversations": False,
    "stored_responses": False,
    "event_names": False,
    "sequence_numbers": False,
}

CASES = (
    Case("assistants-stream", _assistants(stream=True)),
    Case("assistants-poll", _assistants(stream=False)),
    Case("responses-conversation-stream", _responses(stream=True)),
    Case("responses-conversation-poll", _responses(stream=False)),
    Case("responses-chain-stream", _responses(stream=True), NO_CONVERSATIONS),
    Case("responses-chain-poll", _responses(stream=False), NO_CONVERSATIONS),
    Case("responses-history-stream", _responses(stream=True, way=Way.HISTORY)),
    Case("responses-history-poll", _responses(stream=False, way=Way.HISTORY)),
    Case("responses-bare-stream", _responses(stream=True), BARE, poorer=True),
    Case("responses-bare-whole", _responses(stream=False), BARE, poorer=True),
    Case("chat-stream", _chat(stream=True)),
    Case("chat-whole", _chat(stream=False)),
)


def listening(way: AudioWay) -> tuple[Case, ...]:
    """The dialects in their ways of sending files, where recordings are treated so."""
    chosen: dict[str, Any] = {"recordings": RecordingOptions(way, "transcriber")}
    return (
        Case("assistants-stream", _assistants(stream=True, **chosen)),
        Case("responses-conversation-stream", _responses(stream=True, **chosen)),
        Case("responses-history-stream", _responses(stream=True, way=Way.HISTORY, **chosen)),
        Case("chat-stream", _chat(stream=True, **chosen)),
    )

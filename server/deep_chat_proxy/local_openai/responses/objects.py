"""The objects of the Responses API, as they stand on the wire. Times are Unix seconds."""

from typing import Any

from msgspec import Struct

from deep_chat_proxy.local_openai.responses.requests import Reasoning, TextSettings
from deep_chat_proxy.local_openai.responses.tools import Choice, Tool

Item = dict[str, Any]
"""An item of input or output, whole: what of it is shown is for `shown.py` to say."""


class ResponseError(Struct, frozen=True):
    code: str
    message: str


class Usage(Struct, kw_only=True):
    input_tokens: int
    input_tokens_details: dict[str, int]
    output_tokens: int
    output_tokens_details: dict[str, int]
    total_tokens: int


class Response(Struct, kw_only=True):
    id: str
    object: str = "response"
    created_at: int
    status: str
    background: bool = False
    completed_at: int | None = None
    conversation: dict[str, str] | None = None
    error: ResponseError | None = None
    incomplete_details: dict[str, str] | None = None
    instructions: str | None = None
    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    metadata: dict[str, str] = {}
    model: str
    output: list[Item] = []
    parallel_tool_calls: bool = True
    previous_response_id: str | None = None
    prompt_cache_key: str | None = None
    reasoning: Reasoning = Reasoning()
    safety_identifier: str | None = None
    service_tier: str = "default"
    store: bool = True
    temperature: float = 1.0
    text: TextSettings = TextSettings()
    tool_choice: Choice = "auto"
    tools: list[Tool] = []
    top_logprobs: int = 0
    top_p: float = 1.0
    truncation: str = "disabled"
    usage: Usage | None = None
    user: str | None = None


class Conversation(Struct, kw_only=True):
    id: str
    object: str = "conversation"
    created_at: int
    metadata: dict[str, str] = {}

"""The request bodies of Responses and Conversations. Unknown fields are refused, as OpenAI does."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from deep_chat_proxy.local_openai.responses.tools import Choice, Tool

Text = Annotated[str, Meta(max_length=10_485_760)]
Metadata = Annotated[
    dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=512)]], Meta(max_length=16)
]
ItemIn = dict[str, Any]
"""An input item; `new_items.py` knows what each type must hold."""


class ConversationReference(Struct, forbid_unknown_fields=True):
    id: str


class StreamOptions(Struct, forbid_unknown_fields=True):
    include_obfuscation: bool = True


class Reasoning(Struct, frozen=True, kw_only=True):
    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None


class TextFormat(Struct, frozen=True, kw_only=True, omit_defaults=True):
    type: Literal["text", "json_object", "json_schema"]
    name: str | UnsetType = UNSET
    schema: dict[str, Any] | UnsetType = UNSET
    strict: bool | UnsetType = UNSET


class TextSettings(Struct, frozen=True, kw_only=True):
    format: TextFormat = TextFormat(type="text")
    verbosity: Literal["low", "medium", "high"] = "medium"


class PromptReference(Struct):
    id: str


class CreateResponse(Struct, kw_only=True, forbid_unknown_fields=True):
    """Fields of type `Any` are taken and not looked at, as they change nothing here."""

    model: str
    input: Text | list[ItemIn] | None = None
    instructions: Text | None = None
    conversation: str | ConversationReference | None = None
    previous_response_id: str | None = None
    store: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    background: bool | None = None
    tools: Annotated[list[Tool], Meta(max_length=128)] | None = None
    tool_choice: Choice | None = None
    parallel_tool_calls: bool | None = None
    max_output_tokens: Annotated[int, Meta(ge=16)] | None = None
    max_tool_calls: Annotated[int, Meta(ge=1)] | None = None
    metadata: Metadata | None = None
    include: list[str] | None = None
    reasoning: Reasoning | None = None
    text: TextSettings | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    truncation: Literal["auto", "disabled"] | None = None
    prompt: PromptReference | None = None
    prompt_cache_key: str | None = None
    safety_identifier: Annotated[str, Meta(max_length=128)] | None = None
    user: str | None = None
    service_tier: str | None = None
    access_programs: Any = None
    background_options: Any = None
    context_management: Any = None
    image: Any = None
    moderation: Any = None
    prompt_cache_options: Any = None
    prompt_cache_retention: Any = None


class CreateConversation(Struct, kw_only=True, forbid_unknown_fields=True):
    items: Annotated[list[ItemIn], Meta(max_length=20)] | None = None
    metadata: Metadata | None = None


class ModifyConversation(Struct, kw_only=True, forbid_unknown_fields=True):
    metadata: Metadata | None = None


class CreateItems(Struct, forbid_unknown_fields=True):
    items: Annotated[list[ItemIn], Meta(max_length=20)]

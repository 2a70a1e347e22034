"""The request body of Chat Completions. Unknown fields are refused, but not in messages, as OpenAI does."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

Text = Annotated[str, Meta(max_length=10_485_760)]


class TextIn(Struct, tag_field="type", tag="text"):
    text: Text


class RefusalIn(Struct, tag_field="type", tag="refusal"):
    refusal: Text


class ImageUrl(Struct, kw_only=True):
    url: str
    detail: Literal["auto", "low", "high"] = "auto"


class ImageIn(Struct, tag_field="type", tag="image_url"):
    image_url: ImageUrl


class FileReference(Struct, kw_only=True):
    file_id: str | None = None
    file_data: str | None = None
    filename: str | None = None


class FileIn(Struct, tag_field="type", tag="file"):
    file: FileReference


class Recording(Struct):
    data: str
    format: Literal["wav", "mp3"]


class AudioIn(Struct, tag_field="type", tag="input_audio"):
    input_audio: Recording


UserPart = TextIn | ImageIn | AudioIn | FileIn


class SystemMessage(Struct, tag_field="role", tag="system"):
    content: Text | list[TextIn]


class DeveloperMessage(Struct, tag_field="role", tag="developer"):
    content: Text | list[TextIn]


class UserMessage(Struct, tag_field="role", tag="user"):
    content: Text | Annotated[list[UserPart], Meta(min_length=1)]


class CalledFunction(Struct):
    name: str
    arguments: str


class ToolCall(Struct):
    id: str
    function: CalledFunction
    type: Literal["function"] = "function"


class AssistantMessage(Struct, kw_only=True, tag_field="role", tag="assistant"):
    content: Text | list[TextIn | RefusalIn] | None = None
    refusal: Text | None = None
    tool_calls: list[ToolCall] | None = None


class ToolMessage(Struct, kw_only=True, tag_field="role", tag="tool"):
    content: Text | list[TextIn]
    tool_call_id: str


Message = SystemMessage | DeveloperMessage | UserMessage | AssistantMessage | ToolMessage


class Function(Struct, kw_only=True):
    name: Annotated[str, Meta(min_length=1, max_length=64, pattern="^[a-zA-Z0-9_-]+$")]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(Struct):
    function: Function
    type: Literal["function"]


class NamedFunction(Struct):
    name: str


class ToolChoice(Struct):
    type: Literal["function"]
    function: NamedFunction


class StreamOptions(Struct, kw_only=True, forbid_unknown_fields=True):
    include_usage: bool = False
    include_obfuscation: bool = True


class CreateCompletion(Struct, kw_only=True, forbid_unknown_fields=True):
    """Fields of type `Any` are taken and not looked at, as they change nothing here."""

    model: str
    messages: list[Message]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    tools: Annotated[list[Tool], Meta(max_length=128)] | None = None
    tool_choice: Literal["none", "auto", "required"] | ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    n: int | None = None
    web_search_options: dict[str, Any] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    audio: Any = None
    frequency_penalty: Any = None
    function_call: Any = None
    functions: Any = None
    logit_bias: Any = None
    logprobs: Any = None
    metadata: Any = None
    modalities: Any = None
    moderation: Any = None
    prediction: Any = None
    presence_penalty: Any = None
    prompt_cache_key: Any = None
    prompt_cache_options: Any = None
    prompt_cache_retention: Any = None
    reasoning_effort: Any = None
    response_format: Any = None
    safety_identifier: Any = None
    seed: Any = None
    service_tier: Any = None
    stop: Any = None
    store: Any = None
    top_logprobs: Any = None
    user: Any = None
    verbosity: Any = None

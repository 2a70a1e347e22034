"""The request bodies of the Assistants API. Unknown fields are refused, as OpenAI does."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from deep_chat_proxy.local_openai.assistants.objects import Tool

Text = Annotated[str, Meta(max_length=256_000)]
Metadata = Annotated[
    dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=512)]], Meta(max_length=16)
]
Temperature = Annotated[float, Meta(ge=0, le=2)]
Probability = Annotated[float, Meta(ge=0, le=1)]
TokenLimit = Annotated[int, Meta(ge=256)]


class TextIn(Struct, tag_field="type", tag="text", forbid_unknown_fields=True):
    text: Text


class FileReference(Struct, forbid_unknown_fields=True):
    file_id: str
    detail: Literal["auto", "low", "high"] = "auto"


class UrlReference(Struct, forbid_unknown_fields=True):
    url: str
    detail: Literal["auto", "low", "high"] = "auto"


class ImageFileIn(Struct, tag_field="type", tag="image_file", forbid_unknown_fields=True):
    image_file: FileReference


class ImageUrlIn(Struct, tag_field="type", tag="image_url", forbid_unknown_fields=True):
    image_url: UrlReference


class ToolIn(Struct):
    type: Literal["file_search", "code_interpreter"]


class AttachmentIn(Struct, forbid_unknown_fields=True):
    file_id: str
    tools: list[ToolIn] = []


class CreateMessage(Struct, kw_only=True, forbid_unknown_fields=True):
    role: Literal["user", "assistant"]
    content: Text | Annotated[list[TextIn | ImageFileIn | ImageUrlIn], Meta(min_length=1)]
    attachments: list[AttachmentIn] | None = None
    metadata: Metadata | None = None


class ModifyMetadata(Struct, forbid_unknown_fields=True):
    """The body of everything that can only be modified in its metadata."""

    metadata: Metadata | None = None


class CreateThread(Struct, kw_only=True, forbid_unknown_fields=True):
    messages: list[CreateMessage] | None = None
    tool_resources: dict[str, Any] | None = None
    metadata: Metadata | None = None


class ModifyThread(Struct, kw_only=True, forbid_unknown_fields=True):
    tool_resources: dict[str, Any] | None = None
    metadata: Metadata | None = None


class NamedFunction(Struct):
    name: str


class ToolChoice(Struct):
    type: Literal["function", "file_search", "code_interpreter"]
    function: NamedFunction | None = None


class Truncation(Struct, forbid_unknown_fields=True):
    type: Literal["auto", "last_messages"]
    last_messages: Annotated[int, Meta(ge=1)] | None = None


class RunSettings(Struct, kw_only=True, forbid_unknown_fields=True):
    """What both ways of starting a run take."""

    assistant_id: str
    model: str | None = None
    instructions: Text | None = None
    tools: Annotated[list[Tool], Meta(max_length=20)] | None = None
    metadata: Metadata | None = None
    temperature: Temperature | None = None
    top_p: Probability | None = None
    stream: bool | None = None
    max_prompt_tokens: TokenLimit | None = None
    max_completion_tokens: TokenLimit | None = None
    truncation_strategy: Truncation | None = None
    tool_choice: Literal["none", "auto", "required"] | ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: Literal["auto"] | dict[str, Any] | None = None
    reasoning_effort: str | None = None


class CreateRun(RunSettings, kw_only=True, forbid_unknown_fields=True):
    additional_instructions: Text | None = None
    additional_messages: list[CreateMessage] | None = None


class CreateThreadAndRun(RunSettings, kw_only=True, forbid_unknown_fields=True):
    thread: CreateThread | None = None
    tool_resources: dict[str, Any] | None = None


class ToolOutputIn(Struct, forbid_unknown_fields=True):
    tool_call_id: str
    output: str = ""


class SubmitToolOutputs(Struct, forbid_unknown_fields=True):
    tool_outputs: list[ToolOutputIn]
    stream: bool | None = None


class ModifyAssistant(Struct, kw_only=True, forbid_unknown_fields=True):
    model: str | None = None
    name: Annotated[str, Meta(max_length=256)] | None = None
    description: Annotated[str, Meta(max_length=512)] | None = None
    instructions: Text | None = None
    tools: Annotated[list[Tool], Meta(max_length=128)] | None = None
    tool_resources: dict[str, Any] | None = None
    metadata: Metadata | None = None
    temperature: Temperature | None = None
    top_p: Probability | None = None
    response_format: Literal["auto"] | dict[str, Any] | None = None
    reasoning_effort: str | None = None


class CreateAssistant(ModifyAssistant, kw_only=True, forbid_unknown_fields=True):
    model: str

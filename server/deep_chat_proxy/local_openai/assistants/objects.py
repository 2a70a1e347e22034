"""The objects of the Assistants API, as they stand on the wire. Times are Unix seconds."""

from typing import Any

from msgspec import UNSET, Struct, UnsetType


class FunctionDefinition(Struct, kw_only=True, omit_defaults=True):
    name: str
    description: str | None = None
    parameters: dict[str, Any] | UnsetType = UNSET
    strict: bool | None = None


class FunctionTool(Struct, tag_field="type", tag="function"):
    function: FunctionDefinition


class SearchTool(Struct, tag_field="type", tag="file_search", omit_defaults=True):
    file_search: dict[str, Any] | UnsetType = UNSET


class CodeTool(Struct, tag_field="type", tag="code_interpreter"):
    pass


Tool = FunctionTool | SearchTool | CodeTool


class Assistant(Struct, kw_only=True):
    id: str
    object: str = "assistant"
    created_at: int
    name: str | None = None
    description: str | None = None
    model: str
    instructions: str | None = None
    tools: list[Tool] = []
    tool_resources: dict[str, Any] | None = None
    metadata: dict[str, str] = {}
    temperature: float | None = 1.0
    top_p: float | None = 1.0
    response_format: Any = "auto"
    reasoning_effort: str | None = None


class Thread(Struct, kw_only=True):
    id: str
    object: str = "thread"
    created_at: int
    metadata: dict[str, str] = {}
    tool_resources: dict[str, Any] = {}


class TextValue(Struct):
    value: str
    annotations: list[dict[str, Any]] = []


class TextPart(Struct, tag_field="type", tag="text"):
    text: TextValue


class RefusalPart(Struct, tag_field="type", tag="refusal"):
    refusal: str


class ImageFile(Struct, omit_defaults=True):
    file_id: str
    detail: str | UnsetType = UNSET


class ImageFilePart(Struct, tag_field="type", tag="image_file"):
    image_file: ImageFile


class ImageUrl(Struct, omit_defaults=True):
    url: str
    detail: str | UnsetType = UNSET


class ImageUrlPart(Struct, tag_field="type", tag="image_url"):
    image_url: ImageUrl


Part = TextPart | RefusalPart | ImageFilePart | ImageUrlPart


class AttachmentTool(Struct):
    type: str


class MessageAttachment(Struct):
    file_id: str
    tools: list[AttachmentTool]


class Message(Struct, kw_only=True):
    id: str
    object: str = "thread.message"
    created_at: int
    assistant_id: str | None = None
    thread_id: str
    run_id: str | None = None
    role: str
    status: str = "completed"
    incomplete_details: dict[str, str] | None = None
    completed_at: int | None = None
    incomplete_at: int | None = None
    content: list[Part] = []
    attachments: list[MessageAttachment] = []
    metadata: dict[str, str] = {}


class RunError(Struct, frozen=True):
    code: str
    message: str


class Usage(Struct, kw_only=True):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Run(Struct, kw_only=True):
    id: str
    object: str = "thread.run"
    created_at: int
    assistant_id: str
    thread_id: str
    status: str = "queued"
    started_at: int | None = None
    expires_at: int | None = None
    cancelled_at: int | None = None
    failed_at: int | None = None
    completed_at: int | None = None
    required_action: dict[str, Any] | None = None
    last_error: RunError | None = None
    model: str
    instructions: str = ""
    tools: list[Tool] = []
    metadata: dict[str, str] = {}
    temperature: float | None = 1.0
    top_p: float | None = 1.0
    max_completion_tokens: int | None = None
    max_prompt_tokens: int | None = None
    truncation_strategy: dict[str, Any]
    incomplete_details: dict[str, str] | None = None
    usage: Usage | None = None
    response_format: Any = "auto"
    tool_choice: Any = "auto"
    parallel_tool_calls: bool = True
    reasoning_effort: str | None = None


class RunStep(Struct, kw_only=True):
    id: str
    object: str = "thread.run.step"
    created_at: int
    run_id: str
    assistant_id: str
    thread_id: str
    type: str
    status: str = "in_progress"
    cancelled_at: int | None = None
    completed_at: int | None = None
    expired_at: int | None = None
    failed_at: int | None = None
    last_error: RunError | None = None
    step_details: dict[str, Any]
    metadata: dict[str, str] = {}
    usage: Usage | None = None

"""The Assistants v2 objects, with only the fields that are used.

Shapes: OpenAI's API document of 2026-08-21. What servers are known to do otherwise is allowed for:
timestamps are not read, ids may be anything, `delta.content` may be one object instead of a list.
"""

from typing import Any

import msgspec
from msgspec import Struct

Id = str | int


class Function(Struct):
    name: str = ""
    arguments: str | None = None


class FunctionCall(Struct):
    id: Id
    function: Function


class SubmitToolOutputs(Struct):
    tool_calls: list[FunctionCall] = []


class RequiredAction(Struct):
    submit_tool_outputs: SubmitToolOutputs | None = None


class RunFault(Struct):
    code: str | None = None
    message: str | None = None


class Incomplete(Struct):
    reason: str | None = None


class RunUsage(Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Run(Struct):
    """One answer in the making; active until its `status` is in `RUN_ENDED`."""

    id: Id
    status: str
    thread_id: Id | None = None
    required_action: RequiredAction | None = None
    metadata: dict[str, Any] | None = None
    last_error: RunFault | None = None
    incomplete_details: Incomplete | None = None
    usage: RunUsage | None = None


RUN_ENDED = frozenset({"completed", "incomplete", "failed", "cancelled", "expired"})


class RunList(Struct):
    data: list[Run]


class Thread(Struct):
    id: Id


class FilePath(Struct):
    file_id: Id | None = None


class FileCitation(Struct):
    file_id: Id | None = None


class UrlCitation(Struct):
    """Azure's agents have it beside OpenAI's two kinds."""

    url: str | None = None
    title: str | None = None


class Annotation(Struct):
    """A `file_citation`, a `url_citation` or a `file_path`; `text` is the marker or path in the answer's text."""

    text: str | None = None
    file_path: FilePath | None = None
    file_citation: FileCitation | None = None
    url_citation: UrlCitation | None = None


class Text(Struct):
    """`annotations` are read one by one."""

    value: str | None = None
    annotations: Any = None


class ImageFile(Struct):
    file_id: Id | None = None


class Content(Struct):
    """One part of a message, or of a delta of one."""

    type: str = ""
    text: Text | None = None
    image_file: ImageFile | None = None
    refusal: str | None = None


class Message(Struct):
    id: Id
    role: str = "assistant"
    run_id: Id | None = None
    metadata: dict[str, Any] | None = None
    content: list[Content] | None = None
    incomplete_details: Incomplete | None = None


class Delta(Struct):
    content: list[Content] | Content | None = None


class MessageDelta(Struct):
    id: Id
    delta: Delta


class MessageList(Struct):
    data: list[Message]
    has_more: bool = False
    last_id: Id | None = None


class StepToolCall(Struct):
    type: str = ""


class StepDetails(Struct):
    tool_calls: list[StepToolCall] | None = None


class StepDelta(Struct):
    step_details: StepDetails | None = None


class Step(Struct):
    """A run step or a delta of one; only which hosted tools are at work is read of it."""

    step_details: StepDetails | None = None
    delta: StepDelta | None = None


class Assistant(Struct):
    id: Id
    tools: list[dict[str, object]] = []


class Frame(Struct):
    """A stream's data without an `event:` line: wrapped as {event, data}, or the bare object."""

    event: str | None = None
    data: msgspec.Raw = msgspec.Raw()
    object: str | None = None
    error: Any = None

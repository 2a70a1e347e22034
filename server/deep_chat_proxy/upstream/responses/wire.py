"""The objects and events of Responses, with only the fields that are used.

Shapes: OpenAI's API document of 2026-08-21. What servers are known to do otherwise is allowed for: ids may be
anything, fields may be missing, numbers of events and `event:` lines too.
"""

from typing import Any

from msgspec import Struct

Id = str | int

ENDED = frozenset({"completed", "incomplete", "failed", "cancelled"})


class Fault(Struct):
    """Why a response failed."""

    code: Any = None
    message: Any = None


class Incomplete(Struct):
    reason: str | None = None


class Usage(Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None


class Annotation(Struct):
    """A citation of a page, of a file that was searched, or of one that the model made. Its numbers are not trusted, so
    they may be anything.
    """

    type: str = ""
    file_id: Id | None = None
    filename: str | None = None
    container_id: Id | None = None
    url: str | None = None
    title: str | None = None
    index: Any = None
    start_index: Any = None
    end_index: Any = None


class Part(Struct):
    """A part of a message: `output_text` or `refusal`; `annotations` are read one by one."""

    type: str = ""
    text: str | None = None
    refusal: str | None = None
    annotations: Any = None


class Item(Struct):
    """One thing that a response holds; which fields there are depends on `type`."""

    type: str = ""
    id: Id | None = None
    role: str | None = None
    content: list[Part] | str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: Any = None
    server_label: str | None = None
    result: str | None = None
    output_format: str | None = None


class Response(Struct):
    """One answer in the making; it goes on until its `status` is in `ENDED`."""

    id: Id
    status: str | None = None
    output: list[Item] | None = None
    error: Fault | None = None
    incomplete_details: Incomplete | None = None
    usage: Usage | None = None


class Event(Struct):
    """Any event of a stream."""

    type: str = ""
    response: Response | None = None
    item: Item | None = None
    item_id: Id | None = None
    output_index: int | None = None
    content_index: int | None = None
    delta: str | None = None
    text: str | None = None
    refusal: str | None = None
    annotation: Any = None


class EventType(Struct):
    """As much of an event as says what it is."""

    type: str = ""


class Conversation(Struct):
    id: Id


class ItemList(Struct):
    data: list[Item]

"""Input items as they come in, and as they are kept: whole, and each with an id."""

from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from deep_chat_proxy.local_openai import body
from deep_chat_proxy.local_openai.errors import ApiError, missing
from deep_chat_proxy.local_openai.ids import new_id
from deep_chat_proxy.local_openai.responses.content import PartIn, PartOut, TextIn, TextOut, check_part
from deep_chat_proxy.local_openai.responses.errors import item_not_found
from deep_chat_proxy.local_openai.responses.objects import Item
from deep_chat_proxy.local_openai.state import LocalState

T = TypeVar("T")
CallId = Annotated[str, Meta(min_length=1, max_length=64)]
SENT_BACK = {
    "reasoning": "rs_",
    "file_search_call": "fs_",
    "web_search_call": "ws_",
    "code_interpreter_call": "ci_",
    "image_generation_call": "ig_",
    "mcp_list_tools": "mcpl_",
    "mcp_call": "mcp_",
    "mcp_approval_request": "mcpr_",
}
"""Output items that a client may send back as they were, with the beginning of their ids."""


class MessageIn(Struct, kw_only=True):
    role: Literal["user", "assistant", "system", "developer"]
    content: Annotated[str, Meta(max_length=10_485_760)] | list[Any]


class CallIn(Struct, kw_only=True):
    call_id: CallId
    name: str
    arguments: str


class OutputIn(Struct, kw_only=True):
    call_id: CallId
    output: Annotated[str, Meta(max_length=10_485_760)] | list[PartIn]


class ApprovalIn(Struct, kw_only=True):
    approval_request_id: str
    approve: bool
    reason: str | None = None


class ReferenceIn(Struct):
    id: str


def new_items(state: LocalState, asked: str | list[Item] | None, param: str = "input") -> list[Item]:
    """
    What comes in, ready to be kept.

    Raises ApiError: 400 for an item of another shape than its type has, 404 for a file or a referenced
    item that is not there.
    """
    if asked is None:
        return []
    if isinstance(asked, str):
        asked = [{"role": "user", "content": asked}]
    return [_new_item(state, item, f"{param}[{index}]") for index, item in enumerate(asked)]


def _new_item(state: LocalState, item: Item, param: str) -> Item:
    kind = item.get("type", "message" if "role" in item else None)
    match kind:
        case None:
            raise missing(f"{param}.type")
        case "message":
            return _message(state, _as(MessageIn, item, param), param)
        case "function_call":
            call = msgspec.structs.asdict(_as(CallIn, item, param))
            return {"id": new_id("fc_"), "type": kind, "status": "completed", **call}
        case "function_call_output":
            return _output(state, _as(OutputIn, item, param), param)
        case "mcp_approval_response":
            answer = msgspec.structs.asdict(_as(ApprovalIn, item, param))
            return {"id": new_id("mcpa_"), "type": kind, **answer}
        case "item_reference":
            return _referenced(state, _as(ReferenceIn, item, param).id)
        case str() if kind in SENT_BACK:
            return {**item, "id": new_id(SENT_BACK[kind])} | _same_id(item, kind)
        case _:
            raise ApiError(400, f"Invalid value: '{kind}'.", param=f"{param}.type", code="invalid_value")


def _as(shape: type[T], item: Item, param: str) -> T:
    try:
        return msgspec.convert(item, shape)
    except msgspec.ValidationError as error:
        raise body.explained(str(error), within=param) from error


def _same_id(item: Item, kind: str) -> Item:
    """The id of a request for approval stays, as the answer to it names it."""
    return {"id": item["id"]} if kind == "mcp_approval_request" and isinstance(item.get("id"), str) else {}


def _message(state: LocalState, message: MessageIn, param: str) -> Item:
    by_assistant = message.role == "assistant"
    parts: list[PartIn | PartOut] = []
    if isinstance(message.content, str):
        parts = [TextOut(message.content) if by_assistant else TextIn(message.content)]
    for index, part in enumerate(message.content if isinstance(message.content, list) else ()):
        within = f"{param}.content[{index}]"
        parts.append(_as(PartOut if by_assistant else PartIn, part, within))  # type: ignore[arg-type]
        check_part(state, parts[-1], within)
    return {
        "id": new_id("msg_"),
        "type": "message",
        "status": "completed",
        "role": message.role,
        "content": [msgspec.to_builtins(part) for part in parts],
    }


def _output(state: LocalState, given: OutputIn, param: str) -> Item:
    output: Any = given.output
    if not isinstance(output, str):
        for index, part in enumerate(output):
            check_part(state, part, f"{param}.output[{index}]")
        output = [msgspec.to_builtins(part) for part in output]
    return {
        "id": new_id("fco_"),
        "type": "function_call_output",
        "status": "completed",
        "call_id": given.call_id,
        "output": output,
    }


def _referenced(state: LocalState, item_id: str) -> Item:
    kept = [item for conversation in state.conversations for item in conversation.items.values()]
    kept += [item for response in state.responses for item in response.history()]
    for item in kept:
        if item["id"] == item_id:
            return item
    raise item_not_found(item_id)

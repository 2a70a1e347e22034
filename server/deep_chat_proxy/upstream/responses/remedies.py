"""What can be done about a request that the back end refused because of what was before it.

A conversation may be gone or held by a response that is just being ended, a response forgotten, a call left without
its output by a turn that was cut, all of it too long for the model, or an old picture shown to a model that cannot see.
Each remedy is tried once in a turn, but for waiting, and for leaving out more and more of what was said.
"""

from collections.abc import Sequence
from enum import StrEnum

from deep_chat_proxy.errors import CONTEXT_TOO_LONG, TURN_ACTIVE
from deep_chat_proxy.turn.transcript import INTERRUPTED
from deep_chat_proxy.upstream.attachments import NOT_TAKEN
from deep_chat_proxy.upstream.failures import UpstreamError
from deep_chat_proxy.upstream.responses.api import ResponsesApi
from deep_chat_proxy.upstream.responses.items import Item
from deep_chat_proxy.upstream.responses.place import Place
from deep_chat_proxy.upstream.responses.wire import Item as KeptItem

_SAYS_IT_WAITS = "tool output"


class Remedy(StrEnum):
    """What would help."""

    NEW_CONVERSATION = "new conversation"
    SEND_HISTORY = "send history"
    ANSWER_CALLS = "answer calls"
    WAIT = "wait"
    SHORTEN = "shorten"
    NAME_FILES = "name files"


AGAIN_AND_AGAIN = frozenset({Remedy.SEND_HISTORY, Remedy.SHORTEN, Remedy.WAIT})
"""Each response may be forgotten once, less can be sent until nothing is left that could be left out, and waiting has a
bound of its own.
"""


def remedy_for(fault: UpstreamError, place: Place) -> Remedy | None:
    """What would help against a refusal, None where nothing of ours would."""
    if fault.problem is TURN_ACTIVE:
        return Remedy.WAIT
    if fault.problem is CONTEXT_TOO_LONG and not place.anchored:
        return Remedy.SHORTEN
    if not place.anchored and fault.status in {*NOT_TAKEN, 404} and place.has_files:
        return Remedy.NAME_FILES
    if not place.anchored or fault.status not in {400, 404}:
        return None
    if fault.status == 400 and _SAYS_IT_WAITS in fault.message:
        return Remedy.ANSWER_CALLS
    if place.previous is not None:
        # Not there any more, or (llama.cpp) not a thing that the server knows of.
        named = place.previous in fault.message or "previous_response" in fault.message + fault.code
        return Remedy.SEND_HISTORY if named or _is_gone(fault, place.previous) else None
    return Remedy.NEW_CONVERSATION if _is_gone(fault, place.conversation or "") else None


def _is_gone(fault: UpstreamError, upstream_id: str) -> bool:
    # A model that is not there is a 404 as well.
    return fault.status == 404 and (upstream_id in fault.message or "model" not in fault.message.lower())


async def open_outputs(api: ResponsesApi, place: Place) -> list[Item]:
    """Outputs for the calls that the back end still waits for. Raises ChatError."""
    if place.conversation is not None:
        kept: Sequence[KeptItem] = await api.newest_items(place.conversation)
    else:
        response, _ = await api.get(place.previous or "")
        kept = response.output or []
    waiting: dict[str, None] = {}
    for item in kept:
        if item.call_id is not None and item.type == "function_call":
            waiting[item.call_id] = None
        elif item.call_id is not None and item.type == "function_call_output":
            waiting.pop(item.call_id, None)
    return [
        {"type": "function_call_output", "call_id": call_id, "output": INTERRUPTED} for call_id in waiting
    ]

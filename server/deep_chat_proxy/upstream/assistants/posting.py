"""A visitor's message on its way onto a thread: there once, whatever happens to the call that brings it."""

import logging
from collections.abc import Mapping

from deep_chat_proxy.errors import TURN_ACTIVE, ChatError
from deep_chat_proxy.turn.context import current_turn
from deep_chat_proxy.upstream.assistants.api import AssistantsApi
from deep_chat_proxy.upstream.assistants.checkpoint import TURN
from deep_chat_proxy.upstream.assistants.mending import end_active_run
from deep_chat_proxy.upstream.assistants.wire import Message
from deep_chat_proxy.upstream.client import surely_not_taken
from deep_chat_proxy.upstream.failures import UpstreamError
from deep_chat_proxy.upstream.pauses import PollPace

logger = logging.getLogger("deep_chat_proxy.upstream")

# The message of a turn is among the newest of its thread.
_LOOKED_AT = 20


async def post(
    api: AssistantsApi, thread_id: str, body: Mapping[str, object], pace: PollPace, *, within: float
) -> str:
    """Post a message and return its id. A run that an earlier turn has left is ended first, `within` so many seconds.

    Where nobody knows whether the message has arrived, it is looked for before it is sent once more. Raises
    ChatError.
    """
    try:
        return await _post(api, thread_id, body, pace, within=within)
    except ChatError as fault:
        if surely_not_taken(fault) or fault.problem is TURN_ACTIVE:
            raise
        logger.info("turn %s: looking for a message: %s", current_turn.get(), fault.cause)
    return await find(api, thread_id, body) or await _post(api, thread_id, body, pace, within=within)


async def _post(
    api: AssistantsApi, thread_id: str, body: Mapping[str, object], pace: PollPace, *, within: float
) -> str:
    try:
        return await api.add_message(thread_id, body)
    except UpstreamError as fault:
        if fault.status != 400 or "active" not in fault.message:
            raise
    await end_active_run(api, thread_id, pace, within=within)
    return await api.add_message(thread_id, body)


async def find(api: AssistantsApi, thread_id: str, body: Mapping[str, object]) -> str | None:
    """The id of a message that is on a thread already; None where it is not. Raises ChatError."""
    for message in await api.newest_messages(thread_id, _LOOKED_AT):
        if message.metadata and TURN in message.metadata:
            if message.metadata == body["metadata"]:
                return str(message.id)
        elif not message.metadata and (message.role != "user" or _text(message) != body["content"]):
            # A server that keeps no metadata: only the newest message can be it, and no answer is behind it.
            return None
        elif not message.metadata:
            return str(message.id)
    return None


def _text(message: Message) -> object:
    parts = message.content or []
    return parts[0].text.value if len(parts) == 1 and parts[0].text is not None else None

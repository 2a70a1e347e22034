"""What a server that speaks Responses can do, found out once and remembered. Nothing that is asked is billed.

Conversations are only at OpenAI, OGX and Foundry; whether there are any is asked by making one. A chain needs a
server that keeps its responses: one that does tells a response it never made by name in its refusal, where others
do not know the path at all (Ollama, llama.cpp). Some look as if they did (vLLM without its store) and forget every
response at once; that shows when a response made a moment ago is not there, and then we keep the history.
"""

import asyncio
import logging
import secrets

from deep_chat_proxy.errors import FAILED, ChatError
from deep_chat_proxy.upstream.failures import UpstreamError
from deep_chat_proxy.upstream.responses.api import ResponsesApi
from deep_chat_proxy.upstream.responses.options import Way

logger = logging.getLogger("deep_chat_proxy.upstream")

# What says that a path or method is not there; a server that checks its key first, or is overloaded, says neither.
_NO_SUCH_PATH = frozenset({400, 403, 404, 405, 410, 422, 501})


class Abilities:
    """Remembers for as long as the server runs; `chosen` is the way that the settings name, if they do."""

    def __init__(self, api: ResponsesApi, chosen: Way | None) -> None:
        self._api = api
        self._way = chosen
        self._asking = asyncio.Lock()
        self._made: str | None = None
        self.background = True
        """Whether a response may be made in the background."""

    async def way(self) -> Way:
        """How threads are kept. Raises ChatError where the server cannot be asked now."""
        async with self._asking:
            if self._way is None:
                self._way = await find_way(self._api)
                logger.info("threads are kept by: %s", self._way.value)
            return self._way

    def made(self, response_id: str) -> None:
        """The back end has just made this response."""
        self._made = response_id

    def forgot(self, response_id: str) -> Way:
        """The back end does not know this response; returns how threads are kept from now on."""
        if response_id == self._made:
            logger.warning("the back end keeps no responses, so the history is sent with each message")
            self._way = Way.HISTORY
        return self._way or Way.CHAIN

    def refused_background(self) -> None:
        """The back end makes no responses in the background."""
        logger.warning("the back end makes no responses in the background, so each is waited for")
        self.background = False


async def find_way(api: ResponsesApi) -> Way:
    """Which way of keeping threads a server offers. Raises ChatError where it does not say."""
    if await has_conversations(api):
        return Way.CONVERSATION
    return Way.CHAIN if await keeps_responses(api) else Way.HISTORY


async def has_conversations(api: ResponsesApi) -> bool:
    """Whether there are conversations; one is made for that and deleted again. Raises ChatError."""
    try:
        conversation_id = await api.create_conversation()
    except UpstreamError as fault:
        if fault.status in _NO_SUCH_PATH:
            return False
        raise
    except ChatError as fault:
        if fault.problem is FAILED:
            return False
        raise
    try:
        await api.delete_conversation(conversation_id)
    except ChatError as fault:
        logger.info("a conversation that was made to see whether there are any is left: %s", fault.cause)
    return True


async def keeps_responses(api: ResponsesApi) -> bool:
    """Whether responses can be had again after they were made. Raises ChatError."""
    unknown = f"resp_{secrets.token_hex(12)}"
    try:
        await api.get(unknown)
    except UpstreamError as fault:
        if fault.status not in _NO_SUCH_PATH:
            raise
        return unknown in fault.message and f"/{unknown}" not in fault.message
    except ChatError as fault:
        if fault.problem is not FAILED:
            raise
    return False

"""What every turn does at its end, whatever happened in it."""

import asyncio
import logging
from collections.abc import Awaitable, Sequence

from deep_chat_proxy.errors import ChatError
from deep_chat_proxy.turn.context import current_turn
from deep_chat_proxy.turn.message import Attachment
from deep_chat_proxy.upstream.failures import UpstreamError

_NOT_THERE = frozenset({404, 405, 410, 501})

logger = logging.getLogger("deep_chat_proxy.upstream")


async def in_time(work: Awaitable[None], within: float, otherwise: str) -> None:
    """Have the back end clear something away; where it does not within so many seconds, the log says `otherwise`."""
    try:
        async with asyncio.timeout(within):
            await work
    except TimeoutError:
        logger.warning("turn %s: %s in time", current_turn.get(), otherwise)
    except ChatError as fault:
        logger.warning("turn %s: %s: %s", current_turn.get(), otherwise, fault.cause)


async def gone(deleting: Awaitable[None]) -> None:
    """Have something deleted that may not be there, or that the back end has no way to delete. Raises ChatError."""
    try:
        await deleting
    except UpstreamError as fault:
        if fault.status not in _NOT_THERE:
            raise


async def discard(attachments: Sequence[Attachment]) -> None:
    """Remove the spooled files of a message."""
    if attachments:
        await asyncio.to_thread(_remove, attachments)


def _remove(attachments: Sequence[Attachment]) -> None:
    for attachment in attachments:
        attachment.path.unlink(missing_ok=True)

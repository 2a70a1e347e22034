"""An answer that is on its way. One that is no stream comes with the model's last word, which may take minutes."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from deep_chat_proxy.tasks import Tasks

# Back ends refuse what they refuse at once; in seconds.
_REFUSED_WITHIN = 1.0


@asynccontextmanager
async def on_its_way(
    begin: Coroutine[Any, Any, aiohttp.ClientResponse],
) -> AsyncIterator[asyncio.Task[aiohttp.ClientResponse]]:
    """The answer that `begin` opens; leaving closes it, there or not."""
    tasks = Tasks()
    opening = tasks.start(begin, name="open an answer")
    try:
        yield opening
    finally:
        await tasks.close()
        if not opening.cancelled() and opening.exception() is None:
            opening.result().close()


async def presumed_taken(opening: asyncio.Task[aiohttp.ClientResponse]) -> bool:
    """Whether an answer takes so long that the back end must be working on it."""
    await asyncio.wait([opening], timeout=_REFUSED_WITHIN)
    return not opening.done()

"""What whoever watches over the server asks: GET /healthz, whether the process lives, and GET /readyz, whether messages
should be sent to it.
"""

import asyncio

from aiohttp import web

from deep_chat_proxy.browser.keys import CHAT
from deep_chat_proxy.errors import SHUTTING_DOWN, ChatError, Problem

_NO_STORE = Problem("no_store", 503, "The server's store does not answer.")
# Seconds; who asks has a bound of their own, often of one second.
_PATIENCE = 1.0


async def healthy(_: web.Request) -> web.Response:
    """GET /healthz: the process answers."""
    return web.json_response({"status": "ok"})


async def ready(request: web.Request) -> web.Response:
    """GET /readyz: messages are taken, and the store answers. Raises ChatError, a 503, where that is not so."""
    chat = request.app[CHAT]
    if chat.turns.closing:
        raise ChatError(SHUTTING_DOWN)
    try:
        async with asyncio.timeout(_PATIENCE):
            await chat.store.thread("")
    except Exception as fault:
        # What it says may hold anything.
        raise ChatError(_NO_STORE, type(fault).__name__) from fault
    return web.json_response({"status": "ok"})

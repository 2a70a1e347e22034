"""A run as server-sent events."""

from aiohttp import web

from deep_chat_proxy.local_openai.assistants.kept import RunKept
from deep_chat_proxy.local_openai.event_stream import Listener, send

DONE = b"event: done\ndata: [DONE]\n\n"


async def stream_run(request: web.Request, kept: RunKept, listener: Listener) -> web.StreamResponse:
    """Sends what the listener gets until it ends; a client that leaves does not stop the run."""
    try:
        return await send(request, listener, done=DONE)
    finally:
        kept.leave(listener)

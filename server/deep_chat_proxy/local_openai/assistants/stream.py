"""A run as server-sent events."""

from aiohttp import web

from deep_chat_proxy.local_openai.assistants.kept import End, Listener, RunKept

DONE = b"event: done\ndata: [DONE]\n\n"


async def stream_run(request: web.Request, kept: RunKept, listener: Listener) -> web.StreamResponse:
    """Sends what the listener gets until it ends; a client that leaves does not stop the run."""
    response = web.StreamResponse(headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
    response.content_type = "text/event-stream"
    response.charset = "utf-8"
    try:
        await response.prepare(request)
        while not isinstance(frame := await listener.frames.get(), End):
            await response.write(frame)
        await _end(request, response, frame)
    except ConnectionResetError:
        # The client is gone; there is nobody to tell.
        return response
    finally:
        kept.leave(listener)
    return response


async def _end(request: web.Request, response: web.StreamResponse, end: End) -> None:
    if end is End.DONE:
        await response.write(DONE)
    if end is not End.CUT:
        await response.write_eof()
    elif request.transport is not None:
        request.transport.abort()

"""Headers that every answer carries: CORS, as pages on other origins talk to this server, and OpenAI's own."""

import time

from aiohttp import web

from deep_chat_proxy.local_openai.ids import new_id

STARTED = web.RequestKey("started", float)
EXPOSED = "x-request-id, openai-processing-ms, openai-version, openai-poll-after-ms, retry-after, content-disposition"


def preflight(request: web.Request) -> web.Response:
    """The answer to a browser that asks before it sends; it may send whatever it names."""
    return web.Response(
        status=204,
        headers={
            "Access-Control-Allow-Methods": "GET, POST, DELETE, OPTIONS",
            "Access-Control-Allow-Headers": request.headers.get("Access-Control-Request-Headers", "*"),
            "Access-Control-Max-Age": "600",
        },
    )


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """To be used as `on_response_prepare`, so that streams and errors have them too."""
    began = request.get(STARTED, time.perf_counter())
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Access-Control-Expose-Headers"] = EXPOSED
    response.headers["x-request-id"] = new_id("req_")
    response.headers["openai-version"] = "2020-10-01"
    response.headers["openai-processing-ms"] = str(round((time.perf_counter() - began) * 1000))

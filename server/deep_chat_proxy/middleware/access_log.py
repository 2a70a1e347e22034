"""One line a request, without what a visitor sent: no query, no cookie, no file name."""

import logging
import time

from aiohttp import web
from aiohttp.typedefs import Handler

from deep_chat_proxy.middleware.place import place

logger = logging.getLogger("deep_chat_proxy.access")


@web.middleware
async def access_log(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Outermost. A stream's line is written when it ends; 499 stands for an answer that was not sent to its end."""
    begun = time.monotonic()
    status = 499
    try:
        response = await handler(request)
    except web.HTTPException as answer:
        status = answer.status
        raise
    else:
        status = response.status
        return response
    finally:
        logger.info("%s %d %.3fs", place(request), status, time.monotonic() - begun)

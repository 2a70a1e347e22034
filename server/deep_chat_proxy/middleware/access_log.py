"""One line a request, without what a visitor sent: no query, no cookie, no file name."""

import logging
import time

from aiohttp import web
from aiohttp.typedefs import Handler

logger = logging.getLogger("deep_chat_proxy.access")


@web.middleware
async def access_log(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Outermost. A stream's line is written when it ends; 499 stands for a visitor who left before that."""
    begun = time.monotonic()
    status = 499
    try:
        response = await handler(request)
        status = response.status
        return response
    finally:
        # A route's pattern holds no file name and no id.
        resource = request.match_info.route.resource
        where = resource.canonical if resource is not None else "(no route)"
        logger.info("%s %s %d %.3fs", request.method, where, status, time.monotonic() - begun)

"""Counting requests as they end."""

import asyncio

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from deep_chat_proxy.metrics.figures import Figures
from deep_chat_proxy.middleware.place import place


def count_requests(figures: Figures) -> Middleware:
    """Outermost, so that what it sees is what is sent; a stream is counted at its end."""

    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            response = await handler(request)
        except web.HTTPException as answer:
            figures.answered(_route(request), answer.status)
            raise
        except asyncio.CancelledError:
            figures.connection_left()
            raise
        if request.transport is None:
            figures.connection_left()
        else:
            figures.answered(_route(request), response.status)
        return response

    return count


def _route(request: web.Request) -> str:
    """Where nothing is at an address, or not for that method, both are the visitor's own words."""
    return "(none)" if request.match_info.http_exception is not None else place(request)

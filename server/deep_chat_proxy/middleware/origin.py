"""Who may use the server from a browser: pages of its own origin, and of those that are allowed by name.

A form post needs no preflight, so a request that changes something is refused here by its `Origin`, before
anything is done; a request without one comes from no page (curl, another server) and carries no visitor's
cookie by accident. Cross-origin answers, errors too, carry the CORS headers, or the page sees none of them.
"""

from collections.abc import Collection
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from deep_chat_proxy.errors import ChatError, Problem

ANY = "*"
"""Stands for all origins; only for a server that knows no cookies, as every page may ask in its visitor's name."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# A GET of a page has an `Origin` only where it goes to another one, and none at all where an element asks (`<img>`).
_FOREIGN_SITES = frozenset({"cross-site", "same-site"})
_FOREIGN = Problem("foreign_origin", 403, "This page is not allowed to use this chat server.")


def origin_middleware(allowed: Collection[str], guarded: Collection[web.AbstractResource]) -> Middleware:
    """Answers preflights of allowed origins and refuses what others ask for: changes, and whatever is `guarded`."""

    @web.middleware
    async def origin(request: web.Request, handler: Handler) -> web.StreamResponse:
        preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        matters = request.method not in _SAFE or request.match_info.route.resource in guarded
        if (preflight or matters) and _is_foreign(request, allowed):
            asking = request.headers.get("Origin", "-")[:200]
            told = f"origin {asking!r} is neither {request.host[:200]!r} nor an allowed one"
            raise ChatError(_FOREIGN, told)
        return _preflight(request) if preflight else await handler(request)

    return origin


def _is_foreign(request: web.Request, allowed: Collection[str]) -> bool:
    if ANY in allowed:
        return False
    asking = request.headers.get("Origin")
    if asking is None:
        return request.headers.get("Sec-Fetch-Site") in _FOREIGN_SITES
    return asking not in allowed and not is_own(request, asking)


def setup_cors(app: web.Application, allowed: Collection[str]) -> None:
    """Put the CORS headers on every answer to an allowed origin, streams and errors included."""

    async def write(request: web.Request, response: web.StreamResponse) -> None:
        asking = request.headers.get("Origin")
        if allowed:
            # The addresses of files in an answer depend on it where these headers do not.
            response.headers.add("Vary", "Origin")
        if ANY in allowed:
            response.headers["Access-Control-Allow-Origin"] = ANY
        elif asking is not None and asking in allowed:
            response.headers["Access-Control-Allow-Origin"] = asking
            response.headers["Access-Control-Allow-Credentials"] = "true"
        else:
            return
        response.headers["Access-Control-Expose-Headers"] = "Retry-After, Link"

    app.on_response_prepare.append(write)


def is_own(request: web.Request, origin: str) -> bool:
    """Whether a page of `origin` is ours; a proxy in front may end TLS, so its scheme may be either."""
    host = request.headers.get("Host", "")
    try:
        # A page without an origin of its own (a file, a sandboxed frame) sends `null`, which has no host.
        asking = urlsplit(origin)
    except ValueError:
        return False
    default_port = {"http": ":80", "https": ":443"}.get(asking.scheme)
    if default_port is None or not host:
        return False
    return asking.netloc.lower() == host.lower().removesuffix(default_port)


def _preflight(request: web.Request) -> web.Response:
    asked = request.headers.get("Access-Control-Request-Headers", "")
    return web.Response(
        status=204,
        headers={
            "Access-Control-Allow-Methods": "GET, POST, PATCH, DELETE",
            "Access-Control-Allow-Headers": asked,
            "Access-Control-Max-Age": "600",
        },
    )

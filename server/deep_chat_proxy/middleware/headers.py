"""Headers that every answer has unless it says otherwise: not to be guessed at, not to be kept, not to be embedded."""

from aiohttp import web


def setup_headers(app: web.Application, *, shared: bool) -> None:
    """An answer is for one visitor: nobody between may keep it, and a browser takes it for what it says it is. Pages
    of other origins may embed it only where the server is `shared` with some.
    """
    resource_policy = "cross-origin" if shared else "same-origin"

    async def write(_request: web.Request, response: web.StreamResponse) -> None:
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.setdefault("Cross-Origin-Resource-Policy", resource_policy)

    app.on_response_prepare.append(write)

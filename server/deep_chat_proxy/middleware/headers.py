"""Headers that every answer has unless it says otherwise: not to be guessed at, not to be kept."""

from aiohttp import web


def setup_headers(app: web.Application) -> None:
    """An answer is for one visitor: nobody between may keep it, and a browser takes it for what it says it is."""

    async def write(_request: web.Request, response: web.StreamResponse) -> None:
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Cache-Control", "no-store")

    app.on_response_prepare.append(write)

"""The addresses of the chat."""

from aiohttp import web

from deep_chat_proxy.browser.addresses import FILE_ROUTE
from deep_chat_proxy.browser.chat import post_message, start_thread, stop_turn
from deep_chat_proxy.browser.files import get_file
from deep_chat_proxy.browser.resume import resume


def setup_routes(app: web.Application) -> None:
    """Everything a page can ask of the server, but for the page itself."""
    app.router.add_post("/api/chat", post_message)
    app.router.add_post("/api/chat/stop", stop_turn)
    app.router.add_get("/api/chat/resume", resume, allow_head=False)
    app.router.add_post("/api/threads", start_thread)
    app.router.add_get("/api/files/{file_id}/{name}", get_file, name=FILE_ROUTE)
    app.router.add_get("/healthz", healthy)


async def healthy(_: web.Request) -> web.Response:
    """GET /healthz: the process answers."""
    return web.json_response({"status": "ok"})

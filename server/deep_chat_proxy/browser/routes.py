"""The addresses of the chat."""

from aiohttp import web

from deep_chat_proxy.browser.addresses import FILE_ROUTE
from deep_chat_proxy.browser.chat import post_message, stop_turn
from deep_chat_proxy.browser.files_out.files import get_file
from deep_chat_proxy.browser.health import healthy, ready
from deep_chat_proxy.browser.history import get_history
from deep_chat_proxy.browser.resume import resume
from deep_chat_proxy.browser.threads import (
    delete_thread,
    end_session,
    list_threads,
    name_thread,
    open_thread,
    start_thread,
)


def setup_routes(app: web.Application) -> None:
    """Everything a page can ask of the server, but for the page itself."""
    app.router.add_post("/api/chat", post_message)
    app.router.add_post("/api/chat/stop", stop_turn)
    app.router.add_get("/api/chat/resume", resume, allow_head=False)
    app.router.add_get("/api/history", get_history)
    app.router.add_get("/api/threads", list_threads)
    app.router.add_post("/api/threads", start_thread)
    app.router.add_post("/api/threads/{thread_id}", open_thread)
    app.router.add_patch("/api/threads/{thread_id}", name_thread)
    app.router.add_delete("/api/threads/{thread_id}", delete_thread)
    app.router.add_delete("/api/session", end_session)
    app.router.add_get("/api/files/{file_id}/{name}", get_file, name=FILE_ROUTE)
    app.router.add_get("/healthz", healthy)
    app.router.add_get("/readyz", ready)

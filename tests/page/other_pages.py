"""Pages of other people's, at origins of their own, and what a server holds after they asked something of it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aiohttp import web
from aiohttp.test_utils import TestServer

from deep_chat_proxy.browser.keys import CHAT
from deep_chat_proxy.store.sqlite import SqliteStore
from flows.upstream_view import conversations
from page.served import ServedSite

_SHOP = (Path(__file__).parent / "shop.html").read_text(encoding="utf-8")
_BUNDLE = Path(__file__).parents[2] / "web/node_modules/deep-chat/dist/deepChat.bundle.js"

OTHER_SITE, SAME_SITE = "localhost", "127.0.0.1"
"""Names for the machine of the pages; that of the server is the second, where a port makes no other site."""


class OtherPages:
    """A server that has nothing to do with ours."""

    def __init__(self, port: int) -> None:
        self._port = port

    def origin(self, host: str) -> str:
        return f"http://{host}:{self._port}"

    def shop(self, host: str, url: str, **connect: Any) -> str:
        """A page with Deep Chat on it that asks `url`; `connect` is more of what it is connected by, and `carry` has it
        send the `thread_id` that it got.
        """
        return f"{self.origin(host)}/shop#{quote(json.dumps({'url': url, **connect}))}"


@asynccontextmanager
async def other_pages() -> AsyncIterator[OtherPages]:
    """Serve them."""
    app = web.Application()
    app.router.add_get("/deep-chat.js", _bundle)
    app.router.add_get("/shop", _shop)
    app.router.add_get("/", _empty)
    async with TestServer(app) as server:
        yield OtherPages(server.port or 0)


async def _bundle(_: web.Request) -> web.FileResponse:
    return web.FileResponse(_BUNDLE)


async def _shop(_: web.Request) -> web.Response:
    return web.Response(text=_SHOP, content_type="text/html")


async def _empty(_: web.Request) -> web.Response:
    return web.Response(text="<!doctype html><title>Empty</title>", content_type="text/html")


async def held(site: ServedSite) -> list[Any]:
    """What there is of conversations at the server and its back end, and who follows the turns that are under way."""
    chat = site.app[CHAT]
    assert isinstance(chat.store, SqliteStore)
    database = chat.store.database
    threads = await database.read("SELECT thread_id, visitor FROM thread ORDER BY thread_id", ())
    turns = await database.read("SELECT turn_id, thread_id, stopping FROM turn ORDER BY turn_id", ())
    followed = [turn._followers for turn in chat.turns._active.values()]
    return [list(threads), list(turns), followed, conversations(site.state)]

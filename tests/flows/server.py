"""The complete server with its local OpenAI behind it, each on a socket of its own."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from deep_chat_proxy import Settings, create_app
from deep_chat_proxy.browser.keys import CHAT
from deep_chat_proxy.local_openai import STATE, LocalOptions, create_local_openai
from deep_chat_proxy.local_openai.state import LocalState
from deep_chat_proxy.tools import Tool
from deep_chat_proxy.tools.weather import get_weather
from deep_chat_proxy.turn.live import LiveTurn
from flows.visitor import WAIT, Visitor

KEY = "sk-canary-of-the-back-end"
FAST = LocalOptions(token_delay=0, poll_after_ms=5)


HOSTED = ("web_search", "code_interpreter", "image_generation")
DIALECTS: dict[str, dict[str, Any]] = {
    "assistants": {"upstream": "assistants", "assistant_id": "asst_local"},
    "responses": {"upstream": "responses", "model": "local-1", "hosted_tools": HOSTED},
    "chat": {"upstream": "chat", "model": "local-1"},
}
"""The settings that each needs."""


class Site:
    """A server at `url`, and what its back end holds (`state`)."""

    def __init__(self, app: web.Application, port: int, state: LocalState, back_end_url: str) -> None:
        self.app = app
        self.back_end_url = back_end_url
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.state = state

    def visitor(self, jar: aiohttp.CookieJar | None = None) -> AbstractAsyncContextManager[Visitor]:
        return Visitor.at(self.url, jar)

    def live_turns(self) -> list[LiveTurn]:
        return list(self.app[CHAT].turns._active.values())

    async def quiet(self) -> None:
        """Wait until the turns that are under way now are gone, with their runs."""
        async with asyncio.timeout(WAIT):
            for turn in self.live_turns():
                await turn.gone.wait()


def settings_for(base_url: str, **chosen: Any) -> Settings:
    """Settings for a back end at `base_url`, nothing of which is kept on disk."""
    defaults: dict[str, Any] = {
        **DIALECTS["assistants"],
        "openai_base_url": base_url,
        "openai_api_key": KEY,
        "store": "sqlite::memory:",
    }
    return Settings(**(defaults | chosen))


@asynccontextmanager
async def serving(app: web.Application, port: int | None = None) -> AsyncIterator[int]:
    """Serve `app` on 127.0.0.1, at `port` or at a free one, as the command does: without aiohttp's access log."""
    server = TestServer(app, port=port)
    await server.start_server(access_log=None)
    try:
        yield server.port or 0
    finally:
        await server.close()


@asynccontextmanager
async def back_end(options: LocalOptions = FAST) -> AsyncIterator[tuple[str, LocalState]]:
    """A local OpenAI: its base URL, and what it holds."""
    app = create_local_openai(options)
    async with serving(app) as port:
        yield f"http://127.0.0.1:{port}/v1", app[STATE]


@asynccontextmanager
async def site(
    options: LocalOptions = FAST, *, tools: Iterable[Tool[..., Any]] = (get_weather,), **chosen: Any
) -> AsyncIterator[Site]:
    """Run both; `chosen` are settings other than `settings_for` has them."""
    async with back_end(options) as (base_url, state):
        app = create_app(settings_for(base_url, **chosen), tools=tools)
        async with serving(app) as port:
            yield Site(app, port, state, base_url)

"""The complete server as a browser sees it, with pages of other people's beside our own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from deep_chat_proxy import Settings, create_app
from deep_chat_proxy.browser.keys import CHAT
from deep_chat_proxy.local_openai import STATE, LocalOptions, create_local_openai
from deep_chat_proxy.local_openai.assistants.objects import Run
from deep_chat_proxy.local_openai.state import LocalState
from deep_chat_proxy.tools.weather import get_weather

LIVELY = LocalOptions(token_delay=0.01, poll_after_ms=5)
"""A back end that writes fast, but not so fast that an answer is one piece."""

_PAGES = {
    name: (Path(__file__).parent / f"{name}.html").read_text(encoding="utf-8") for name in ("seed", "direct")
}


class ServedSite:
    """The server at `url`; `api` is the base URL of its back end, `state` what that holds."""

    url: str
    api: str
    app: web.Application

    def __init__(self, state: LocalState) -> None:
        self.state = state
        self._answering: web.Request | None = None
        self._runs_made = 0
        self._run_made = asyncio.Event()

    async def note_answer(self, request: web.Request, _response: web.StreamResponse) -> None:
        """To be used as the server's `on_response_prepare`."""
        if request.path == "/api/chat":
            self._answering = request

    async def note_run(self, request: web.Request, _response: web.StreamResponse) -> None:
        """To be used as the back end's `on_response_prepare`."""
        if request.method == "POST" and request.path.endswith("/runs"):
            self._runs_made += 1
            self._run_made.set()

    def cut(self) -> None:
        """Break the connection that the newest answer to a message travels on."""
        assert self._answering is not None
        assert self._answering.transport is not None
        self._answering.transport.abort()

    async def running(self, count: int) -> None:
        """Wait until the back end has made this many runs."""
        async with asyncio.timeout(15):
            while self._runs_made < count:
                self._run_made.clear()
                await self._run_made.wait()

    async def quiet(self) -> None:
        """Wait until the turns that are under way now are gone."""
        async with asyncio.timeout(15):
            for turn in list(self.app[CHAT].turns._active.values()):
                await turn.gone.wait()

    def runs(self) -> list[Run]:
        """All runs of the back end, oldest thread first."""
        return [kept.run for thread in self.state.threads.values() for kept in thread.runs.values()]


@asynccontextmanager
async def served(options: LocalOptions = LIVELY, **chosen: Any) -> AsyncIterator[ServedSite]:
    """Run the server and its back end; `chosen` are settings."""
    # Signals are frozen when a server starts, and its port is known only then.
    local = create_local_openai(options)
    site = ServedSite(local[STATE])
    local.on_response_prepare.append(site.note_run)
    async with TestServer(local) as back_end:
        site.api = f"http://127.0.0.1:{back_end.port}/v1"
        site.app = create_app(_settings(site.api, chosen), tools=[get_weather])
        site.app.on_response_prepare.append(site.note_answer)
        for name in _PAGES:
            site.app.router.add_get(f"/{name}", _show_page)
        async with TestServer(site.app) as front:
            site.url = f"http://127.0.0.1:{front.port}"
            yield site


def _settings(api: str, chosen: dict[str, Any]) -> Settings:
    defaults: dict[str, Any] = {
        "upstream": "assistants",
        "openai_base_url": api,
        "openai_api_key": "sk-canary-of-the-back-end",
        "assistant_id": "asst_local",
        "store": "sqlite::memory:",
        "secret": "a key for the cookies of tests",
    }
    return Settings(**(defaults | chosen))


async def _show_page(request: web.Request) -> web.Response:
    return web.Response(text=_PAGES[request.path.strip("/")], content_type="text/html")

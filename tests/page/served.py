"""The complete server as a browser sees it, with pages of other people's beside our own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from deep_chat_proxy import Settings, create_app
from deep_chat_proxy.browser.keys import CHAT
from deep_chat_proxy.local_openai import STATE, LocalOptions, create_local_openai
from deep_chat_proxy.local_openai.chat.kept import ChatKept
from deep_chat_proxy.local_openai.responses.kept import ResponseKept
from deep_chat_proxy.local_openai.state import LocalState
from deep_chat_proxy.tools import Tool
from deep_chat_proxy.tools.weather import get_weather
from page.dialects import ASSISTANTS, COMPLETIONS, RESPONSES, for_dialect
from playing import until

LIVELY = LocalOptions(token_delay=0.01, poll_after_ms=5)
"""A back end that writes fast, but not so fast that an answer is one piece."""

_MAKES_AN_ANSWER = ("/runs", "/responses", "/chat/completions")
_PAGES = {
    name: (Path(__file__).parent / f"{name}.html").read_text(encoding="utf-8") for name in ("seed", "direct")
}


class ServedSite:
    """The server at `url`; `api` is the base URL of its back end, `state` what that holds; `deaf`: every message
    breaks its connection, however often the browser sends it; `answered` is what was asked of it, with the status.
    """

    url: str
    app: web.Application

    def __init__(
        self, state: LocalState, dialect: str, port: int | None, make: Callable[[], web.Application]
    ) -> None:
        self.state = state
        self.dialect = dialect
        self.port = port
        self.api = ""
        self._make = make
        self._front: TestServer | None = None
        self.deaf = False
        self.answered: list[tuple[str, str, int]] = []
        self._answering: web.Request | None = None
        self._answers_begun = 0
        self._answer_begun = asyncio.Event()
        self._responses: dict[str, ResponseKept] = {}

    async def start(self) -> None:
        """Begin to serve, at the same address as before where there was one."""
        self.app = self._make()
        self.app.middlewares.insert(0, self._note_answering)
        for name in _PAGES:
            self.app.router.add_get(f"/{name}", _show_page)
        self._front = TestServer(self.app, port=self.port)
        await self._front.start_server()
        self.port = self._front.port
        self.url = f"http://127.0.0.1:{self.port}"

    @web.middleware
    async def _note_answering(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.path in {"/api/chat", "/api/chat/resume"}:
            self._answering = request
        if self.deaf and request.path == "/api/chat":
            self.cut()
        answer = await handler(request)
        self.answered.append((request.method, request.path, answer.status))
        return answer

    async def end(self) -> None:
        """Serve no more; the back end goes on."""
        assert self._front is not None
        await self._front.close()

    async def note_begun(self, request: web.Request, _response: web.StreamResponse) -> None:
        """To be used as the back end's `on_response_prepare`."""
        if request.method == "POST" and request.path.endswith(_MAKES_AN_ANSWER):
            # Those in the foreground that are cut off are kept nowhere.
            self._responses |= self.state._answering
            self._answers_begun += 1
            self._answer_begun.set()

    def cut(self) -> None:
        """Break the connection that the newest answer to a message travels on."""
        assert self._answering is not None
        assert self._answering.transport is not None
        self._answering.transport.abort()

    def hurry(self) -> None:
        """Let the answers under way be written on without pauses, where they are runs of Assistants."""
        for thread in self.state.threads.values():
            for kept in thread.runs.values():
                kept.wake.set()

    async def answering(self, count: int) -> None:
        """Wait until the back end has begun this many answers."""
        async with asyncio.timeout(15):
            while self._answers_begun < count:
                self._answer_begun.clear()
                await self._answer_begun.wait()

    async def quiet(self) -> None:
        """Wait until the turns that are under way now are gone, at the back end too."""
        async with asyncio.timeout(15):
            for turn in list(self.app[CHAT].turns._active.values()):
                await turn.gone.wait()
        await until(lambda: not self._active())

    def _active(self) -> list[object]:
        completions = [kept for kept in self.state.chats if not kept.ended.is_set()]
        return [*self.state.active_runs(), *self.state.active_responses(), *completions]

    def endings(self) -> list[str]:
        """How each answer of the back end has ended, in words of Assistants; those of the oldest thread first.

        A round of tools makes an answer of its own, but for Assistants.
        """
        if self.dialect == RESPONSES:
            return [_response_ending(kept) for kept in self._responses.values()]
        if self.dialect == COMPLETIONS:
            return [_completion_ending(kept) for kept in self.state.chats]
        return [kept.run.status for thread in self.state.threads.values() for kept in thread.runs.values()]

    def threads(self) -> int:
        """How many conversations the back end knows; of Chat Completions, it only sees how they begin."""
        if self.dialect == COMPLETIONS:
            return len({repr(kept.asked.messages[0]) for kept in self.state.chats})
        return len(self.state.conversations) + len(self.state.threads)


def _response_ending(kept: ResponseKept) -> str:
    return "cancelled" if kept.cut else kept.response.status


def _completion_ending(kept: ChatKept) -> str:
    if not kept.ended.is_set():
        return "in_progress"
    if kept.failure is not None:
        return "failed"
    return "cancelled" if kept.cut else "completed"


@asynccontextmanager
async def served(
    options: LocalOptions = LIVELY,
    *,
    dialect: str = ASSISTANTS,
    port: int | None = None,
    weather: Tool[..., Any] = get_weather,
    **chosen: Any,
) -> AsyncIterator[ServedSite]:
    """Run the server, at `port` or a free one, and its back end; `chosen` are settings."""
    # Signals are frozen when a server starts, and its port is known only then.
    local = create_local_openai(options)

    def make() -> web.Application:
        return create_app(_settings(site.api, for_dialect(dialect) | chosen), tools=[weather])

    site = ServedSite(local[STATE], dialect, port, make)
    local.on_response_prepare.append(site.note_begun)
    async with TestServer(local) as back_end:
        site.api = f"http://127.0.0.1:{back_end.port}/v1"
        await site.start()
        try:
            yield site
        finally:
            await site.end()


def _settings(api: str, chosen: dict[str, Any]) -> Settings:
    defaults: dict[str, Any] = {
        "openai_base_url": api,
        "openai_api_key": "sk-canary-of-the-back-end",
        "store": "sqlite::memory:",
        "secret": "a key for the cookies of tests",
    }
    return Settings(**(defaults | chosen))


async def _show_page(request: web.Request) -> web.Response:
    return web.Response(text=_PAGES[request.path.strip("/")], content_type="text/html")

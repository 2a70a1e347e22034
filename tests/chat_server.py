"""The whole app on a real socket, with a back end that follows a script (`playing.py`)."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from unittest.mock import patch

import aiohttp
from aiohttp import web
from aiohttp.abc import AbstractCookieJar
from aiohttp.test_utils import TestClient, TestServer

from deep_chat_proxy.app import create_app
from deep_chat_proxy.browser.keys import CHAT, Chat
from deep_chat_proxy.errors import ChatError
from deep_chat_proxy.settings import Settings
from deep_chat_proxy.turn.held import Held
from deep_chat_proxy.turn.message import UserMessage
from deep_chat_proxy.turn.ports import Thread
from deep_chat_proxy.turn.transcript import AnchorKind
from deep_chat_proxy.upstream.files import Content
from playing import ScriptedTurn, Step

Client = TestClient[web.Request, web.Application]


class FakeFiles:
    """Files of the back end by their id there; an exception is raised instead. It knows no ranges, of which `wanted` are
    those that it was asked for.
    """

    def __init__(self) -> None:
        self.there: dict[str, list[bytes | Exception] | Exception] = {}
        self.wanted: list[str | None] = []

    @asynccontextmanager
    async def content(self, upstream_id: str, wanted: str | None = None) -> AsyncIterator[Content]:
        self.wanted.append(wanted)
        chunks = self.there[upstream_id]
        if isinstance(chunks, Exception):
            raise chunks
        whole = all(isinstance(chunk, bytes) for chunk in chunks)
        size = sum(len(chunk) for chunk in chunks if isinstance(chunk, bytes))
        yield Content(size if whole else None, self._chunks(chunks))

    async def _chunks(self, chunks: Sequence[bytes | Exception]) -> AsyncGenerator[bytes]:
        for chunk in chunks:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk


class FakeDialect:
    """Plays the scripts in their order; `asked` holds what each turn began with."""

    name = "assistants"

    def __init__(self, *scripts: Sequence[Step]) -> None:
        self.scripts = list(scripts)
        self.files = FakeFiles()
        self.asked: list[tuple[str | None, UserMessage]] = []
        self.turns: list[ScriptedTurn] = []
        self.deleted: list[Held] = []
        self.down: ChatError | None = None

    async def prepare(self) -> None:
        """Nothing is to be found out."""

    async def delete(self, held: Held) -> None:
        """Note what goes, unless the back end is down."""
        if self.down is not None:
            raise self.down
        self.deleted.append(held)

    async def title(self, model: str, text: str) -> str | None:
        """A title that tells what it was made of; none of a text that says so."""
        if self.down is not None:
            raise self.down
        return None if text == "no title" else f"{model}: {text}"

    def turn(self, thread: Thread, message: UserMessage) -> ScriptedTurn:
        turn = ScriptedTurn(self.scripts.pop(0), prepare=lambda: self._ask(thread, message))
        turn.thread = thread
        self.turns.append(turn)
        return turn

    async def _ask(self, thread: Thread, message: UserMessage) -> None:
        self.asked.append(((await thread.memory()).anchored(AnchorKind.THREAD), message))


class ChatServer:
    """A running server; `client` is one visitor, `visitor()` another."""

    def __init__(self, server: TestServer, dialect: FakeDialect, stack: AsyncExitStack) -> None:
        self._server = server
        self._stack = stack
        self.dialect = dialect

    @property
    def port(self) -> int:
        return self._server.port or 0

    @property
    def host(self) -> str:
        return f"{self._server.host}:{self.port}"

    @property
    def chat(self) -> Chat:
        return self._server.app[CHAT]

    async def visitor(self, *, cookies: bool = True, of: Client | None = None) -> Client:
        """A new visitor, or one that was here before as the client `of`."""
        jar: AbstractCookieJar = aiohttp.CookieJar(unsafe=True) if cookies else aiohttp.DummyCookieJar()
        if of is not None:
            jar = of.session.cookie_jar
        return await self._stack.enter_async_context(TestClient(self._server, cookie_jar=jar))

    async def close(self) -> None:
        await self._server.close()


@asynccontextmanager
async def chat_server(
    *scripts: Sequence[Step], prepare: Callable[[web.Application], None] | None = None, **settings: Any
) -> AsyncIterator[ChatServer]:
    """Run the app with these settings and a back end that plays `scripts`; `prepare` may add routes."""
    dialect = FakeDialect(*scripts)

    @asynccontextmanager
    async def backend(*_: object) -> AsyncIterator[FakeDialect]:
        yield dialect

    chosen: dict[str, Any] = {
        "store": "sqlite::memory:",
        "secret": "x" * 32,
        "pace": 0,
        "grace": 0.0,
    } | settings
    app = await asyncio.to_thread(create_app, Settings(**chosen))
    if prepare is not None:
        prepare(app)
    with patch("deep_chat_proxy.app.open_backend", backend):
        async with AsyncExitStack() as stack:
            server = TestServer(app)
            await stack.enter_async_context(server)
            yield ChatServer(server, dialect, stack)


def said(text: str = "Hello", **fields: Any) -> dict[str, object]:
    """The JSON body of a message."""
    return {"messages": [{"role": "user", "text": text}], **fields}


async def ask(client: Client, text: str = "Hello", **fields: Any) -> tuple[int, Any]:
    """Post a message; status and JSON of the answer."""
    async with asyncio.timeout(5), client.post("/api/chat", json=said(text, **fields)) as response:
        return response.status, await response.json()


STREAM = {"Accept": "text/event-stream"}


async def ask_stream(client: Client, text: str = "Hello", **fields: Any) -> tuple[int, bytes]:
    """Post a message as `stream: true` does; status and body of the answer."""
    async with (
        asyncio.timeout(5),
        client.post("/api/chat", json=said(text, **fields), headers=STREAM) as response,
    ):
        return response.status, await response.read()


def events_in(stream: bytes) -> list[Any]:
    """The data of a stream's events."""
    lines = stream.decode().splitlines()
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]

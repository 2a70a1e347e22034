"""A back end on a real socket that says what a test scripted: whole answers, or streams piece by piece."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import aiohttp
import msgspec
from aiohttp import web
from aiohttp.test_utils import TestServer
from msgspec import Struct

from deep_chat_proxy.upstream.client import ApiClient, Endpoint


class Json(Struct, frozen=True):
    """A whole answer."""

    body: Any
    status: int = 200
    headers: dict[str, str] = {}


class Body(Struct, frozen=True):
    """The pieces of an answer as they go over the network, then its end.

    `end`: "close" ends it properly, "cut" closes the connection in its middle, "reset" breaks it, "stall"
    leaves it open and silent.
    """

    pieces: Sequence[bytes]
    end: str = "close"
    status: int = 200
    content_type: str = "text/event-stream"
    headers: dict[str, str] = {}


class Gone(Struct, frozen=True):
    """No answer at all: the connection is closed once the request is there."""


class Seen(Struct, frozen=True):
    """One request as it came; `target` is the undecoded path and query after the base URL's path."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def line(self) -> str:
        return f"{self.method} {self.target}"

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


Answer = Json | Body | Gone
Reaction = Answer | Callable[[Seen], Answer | Awaitable[Answer]]


class ScriptedBackend:
    """Answers each route with its reactions one after the other; the last one is given again and again."""

    def __init__(self) -> None:
        self.requests: list[Seen] = []
        self.unexpected: list[str] = []
        self.connections: set[object] = set()
        self._routes: list[tuple[re.Pattern[str], list[Reaction]]] = []
        self._over = asyncio.Event()
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{rest:(?s:.*)}", self._handle)
        self._server = TestServer(app)

    async def start(self) -> None:
        await self._server.start_server(access_log=None)

    async def close(self) -> None:
        self._over.set()
        await self._server.close()

    @property
    def base_url(self) -> str:
        return str(self._server.make_url("/v1"))

    @property
    def lines(self) -> list[str]:
        """The requests so far as `METHOD target`."""
        return [seen.line for seen in self.requests]

    def on(self, line: str, *reactions: Reaction) -> None:
        """What to do for `METHOD /path`, a regular expression for the whole of method, path and query."""
        self._routes.insert(0, (re.compile(line), list(reactions)))

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        target = request.raw_path.removeprefix("/v1")
        assert request.transport is not None
        self.connections.add(request.transport.get_extra_info("peername"))
        seen = Seen(request.method, target, headers, await request.read())
        self.requests.append(seen)
        answer = await self._answer(seen)
        if isinstance(answer, Gone):
            request.transport.abort()
            return web.Response()
        if isinstance(answer, Json):
            return web.json_response(answer.body, status=answer.status, headers=answer.headers)
        return await self._send(request, answer)

    async def _answer(self, seen: Seen) -> Answer:
        for pattern, reactions in self._routes:
            if pattern.fullmatch(seen.line):
                reaction = reactions.pop(0) if len(reactions) > 1 else reactions[0]
                if callable(reaction):
                    made = reaction(seen)
                    return made if isinstance(made, Json | Body | Gone) else await made
                return reaction
        self.unexpected.append(seen.line)
        return Json({"error": {"message": f"nothing is scripted for {seen.line}"}}, 418)

    async def _send(self, request: web.Request, answer: Body) -> web.StreamResponse:
        headers = {"Content-Type": answer.content_type, **answer.headers}
        response = web.StreamResponse(status=answer.status, headers=headers)
        await response.prepare(request)
        transport = request.transport
        assert transport is not None
        for piece in answer.pieces:
            await response.write(piece)
            # The loop is shared with the client: this lets it read each piece before the next one is there.
            for _ in range(2):
                await asyncio.sleep(0)
        match answer.end:
            case "cut":
                transport.close()
            case "reset":
                transport.abort()
            case "stall":
                await self._over.wait()
        return response


def client_of(session: aiohttp.ClientSession, base_url: str, **endpoint: Any) -> ApiClient:
    """A client with a key; `endpoint` sets fields of Endpoint."""
    given = {"headers": {"Authorization": "Bearer sk-canary"}, "query": {}, **endpoint}
    return ApiClient(session, Endpoint(base_url=base_url, **given))

"""Errors as answers: a real status, one safe sentence, and never a second answer into a first."""

import asyncio
import logging
from io import BytesIO

import aiohttp
import pytest
from aiohttp import web

from chat_server import ask, chat_server
from deep_chat_proxy.errors import INTERNAL, RATE_LIMITED, ChatError
from deep_chat_proxy.turn.events import Accepted, Completed, TextDelta

CANARY = "sk-canary-91"


def add_routes(app: web.Application) -> None:
    async def refused(_: web.Request) -> web.StreamResponse:
        raise ChatError(RATE_LIMITED, "cause-of-it", retry_after=0.2)

    async def broken(_: web.Request) -> web.StreamResponse:
        raise ValueError(CANARY)

    async def broken_later(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"begun")
        raise {
            "unexpected": ValueError(CANARY),
            "refused": ChatError(RATE_LIMITED),
            "http": web.HTTPBadRequest(),
        }[request.match_info["how"]]

    async def moved(_: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("/elsewhere")

    async def greedy(request: web.Request) -> web.StreamResponse:
        return web.Response(body=await request.read())

    async def deaf(request: web.Request) -> web.StreamResponse:
        # What a handler sees whose cancellation is off.
        transport = request.transport
        assert transport is not None
        transport.abort()
        request.protocol.transport = None
        raise ConnectionResetError

    app.router.add_get("/refused", refused)
    app.router.add_get("/broken", broken)
    app.router.add_get("/later/{how}", broken_later)
    app.router.add_get("/moved", moved)
    app.router.add_post("/greedy", greedy)
    app.router.add_get("/deaf", deaf)


async def test_a_refusal_has_its_status_its_sentence_and_its_wish_to_wait() -> None:
    async with chat_server(prepare=add_routes) as server:
        client = await server.visitor()
        async with client.get("/refused") as response:
            assert response.status == 429
            assert response.content_type == "application/json"
            assert response.headers["Retry-After"] == "1"
            assert await response.json() == {"error": RATE_LIMITED.sentence}


async def test_an_unexpected_exception_says_nothing_of_itself(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with chat_server(prepare=add_routes) as server:
        client = await server.visitor()
        async with client.get("/broken") as response:
            assert response.status == 500
            assert await response.json() == {"error": INTERNAL.sentence}

    assert "GET /broken: unexpected ValueError" in caplog.text
    assert "test_errors.py" in caplog.text
    assert CANARY not in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("DELETE", "/api/chat", 405), ("GET", "/api/chat", 405)],
)
async def test_what_aiohttp_refuses_is_json_too(method: str, path: str, status: int) -> None:
    async with chat_server() as server:
        client = await server.visitor()
        async with client.request(method, path) as response:
            assert response.status == status
            assert list(await response.json()) == ["error"]
            assert ("Allow" in response.headers) is (status == 405)


async def test_a_body_that_is_too_large_is_told_as_such() -> None:
    async with chat_server(prepare=add_routes) as server:
        client = await server.visitor()
        async with client.post("/greedy", data=BytesIO(bytes(1024 * 1024 + 1))) as response:
            assert (response.status, await response.json()) == (413, {"error": "The request is too large."})


async def test_a_redirect_is_no_error() -> None:
    async with chat_server(prepare=add_routes) as server:
        client = await server.visitor()
        async with client.get("/moved", allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (302, "/elsewhere")


async def test_an_error_carries_the_thread_of_the_visitor() -> None:
    async with chat_server([[Accepted(), TextDelta("Hi"), Completed()]], prepare=add_routes) as server:
        client = await server.visitor()
        _, answer = await ask(client)
        for path in ("/refused", "/broken", "/nowhere"):
            async with client.get(path) as response:
                assert (await response.json())["thread_id"] == answer["thread_id"]


@pytest.mark.parametrize("how", ["unexpected", "refused", "http"])
async def test_an_error_after_the_start_ends_the_connection_and_writes_nothing(how: str) -> None:
    async with chat_server(prepare=add_routes) as server:
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(f"GET /later/{how} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            answer = await reader.read()
            writer.close()

    assert answer.count(b"HTTP/1.1") == 1
    assert answer.endswith(b"begun\r\n")


async def test_a_visitor_who_has_gone_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with chat_server(prepare=add_routes) as server:
        client = await server.visitor()
        with pytest.raises(aiohttp.ClientError):
            await client.get("/deaf")

    assert "GET /deaf: the visitor has gone" in caplog.text
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]

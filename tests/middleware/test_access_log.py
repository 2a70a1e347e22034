"""The access log: a line a request, with nothing in it that a visitor sent."""

import asyncio
import logging
import re

import pytest
from aiohttp import web

from chat_server import ask, chat_server, said
from deep_chat_proxy.turn.events import Accepted, Completed, TextDelta
from playing import Step, soon, until

ANSWER: list[Step] = [[Accepted(), TextDelta("Hi"), Completed()]]


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "deep_chat_proxy")
    return caplog


def lines(log: pytest.LogCaptureFixture) -> list[str]:
    """The access lines without their times."""
    found = [record.getMessage() for record in log.records if record.name == "deep_chat_proxy.access"]
    assert all(re.search(r" \d+\.\d{3}s\Z", line) for line in found)
    return [line.rpartition(" ")[0] for line in found]


async def test_each_request_is_one_line(log: pytest.LogCaptureFixture) -> None:
    async with chat_server(ANSWER) as server:
        client = await server.visitor()
        await ask(client)
        async with client.get("/healthz"):
            pass

    assert lines(log) == ["POST /api/chat 200", "GET /healthz 200"]


async def test_nothing_that_a_visitor_sent_is_logged(log: pytest.LogCaptureFixture) -> None:
    async with chat_server(ANSWER) as server:
        client = await server.visitor()
        await ask(client, "canary-message")
        _, body = await ask(client, "x", thread_id="canary-thread")
        for path in ("/canary-path?canary=query", "/api/files/canary-id/canary-name.pdf?canary"):
            async with client.get(path, headers={"Cookie": "canary=1", "X-Canary": "canary"}):
                pass

    assert "error" in body
    assert "canary" not in log.text.replace("test_nothing_that_a_visitor_sent_is_logged", "")
    assert lines(log)[-2:] == ["GET (no route) 404", "GET /api/files/{file_id}/{name} 404"]


async def test_a_redirect_is_logged_with_its_status(log: pytest.LogCaptureFixture) -> None:
    async def moved(_: web.Request) -> web.Response:
        raise web.HTTPFound("/healthz")

    def add_route(app: web.Application) -> None:
        app.router.add_get("/moved", moved)

    async with chat_server(prepare=add_route) as server:
        client = await server.visitor()
        async with client.get("/moved", allow_redirects=False):
            pass

    assert lines(log) == ["GET /moved 302"]


async def test_a_visitor_who_leaves_is_a_499(log: pytest.LogCaptureFixture) -> None:
    async with chat_server([None]) as server:
        client = await server.visitor()
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(client.post("/api/chat", json=said()))
            await until(lambda: server.dialect.turns)
            await soon(server.dialect.turns[0].begun.wait())
            asking.cancel()
        await until(lambda: lines(log))

    assert lines(log) == ["POST /api/chat 499"]

"""What Prometheus can read of a server, and who can ask whether it is ready."""

import re
from collections.abc import AsyncIterator

import pytest

# Loaded as where a server starts: before the loop runs.
import deep_chat_proxy.metrics  # noqa: F401
from chat_server import STREAM, ChatServer, ask, ask_stream, chat_server, said
from deep_chat_proxy.errors import RATE_LIMITED, ChatError
from deep_chat_proxy.turn.events import Accepted, Completed, TextDelta, Usage
from flows.server import site
from playing import Step, until

ANSWER: list[Step] = [[Accepted()], [TextDelta("Hello")], [Usage(11, 7), Completed()]]
SAMPLE = re.compile(r"^(deep_chat_\w+(?:\{.*\})?) (\S+)$", re.MULTILINE)


async def figures(server: ChatServer) -> dict[str, float]:
    """Every figure of ours by its name with its labels; those that are zero and the buckets are left out."""
    client = await server.visitor()
    async with client.get("/metrics") as response:
        assert response.status == 200
        assert response.content_type == "text/plain"
        text = await response.text()
    samples = {match[1]: float(match[2]) for match in SAMPLE.finditer(text)}
    return {
        name: value
        for name, value in samples.items()
        if value and not re.search(r"_(created|bucket|sum)", name)
    }


@pytest.fixture
async def gone() -> AsyncIterator[ChatServer]:
    """A server whose back end never comes to an end."""
    async with chat_server([[Accepted()], [TextDelta("Hel")], None], metrics="on", grace=0.0) as server:
        yield server


async def test_a_turn_is_counted_with_what_it_used() -> None:
    async with chat_server(ANSWER, metrics="on") as server:
        client = await server.visitor()
        assert (await ask(client))[0] == 200
        await until(lambda: not len(server.chat.turns))

        assert await figures(server) == {
            'deep_chat_turns_total{ended="completed",problem=""}': 1,
            "deep_chat_first_text_seconds_count": 1,
            "deep_chat_turn_seconds_count": 1,
            'deep_chat_tokens_total{direction="in"}': 11,
            'deep_chat_tokens_total{direction="out"}': 7,
            'deep_chat_requests_total{route="POST /api/chat",status="2xx"}': 1,
        }


async def test_a_turn_that_failed_is_counted_by_its_problem() -> None:
    async with chat_server([ChatError(RATE_LIMITED)], metrics="on") as server:
        client = await server.visitor()
        assert (await ask_stream(client))[0] == 429
        await until(lambda: not len(server.chat.turns))
        seen = await figures(server)

    assert seen['deep_chat_turns_total{ended="failed",problem="rate_limited"}'] == 1
    assert seen['deep_chat_requests_total{route="POST /api/chat",status="4xx"}'] == 1
    assert "deep_chat_first_text_seconds_count" not in seen


async def test_what_is_under_way_and_who_left_is_counted(gone: ChatServer) -> None:
    client = await gone.visitor()
    async with client.post("/api/chat", json=said(), headers=STREAM) as response:
        await response.content.readline()
        assert (await figures(gone))["deep_chat_turns_under_way"] == 1
        response.close()
    await until(lambda: not len(gone.chat.turns))
    seen = await figures(gone)

    assert "deep_chat_turns_under_way" not in seen
    assert seen['deep_chat_turns_total{ended="stopped",problem=""}'] == 1
    assert seen["deep_chat_connections_left_total"] == 1


async def test_tool_calls_are_counted_by_whether_they_did_what_they_should() -> None:
    async with site(metrics="on") as whole, whole.visitor() as visitor:
        await visitor.say("weather in Paris and Tokyo")
        await whole.quiet()
        told = (await visitor.get("/metrics")).body.decode()

    assert 'deep_chat_tool_calls_total{ok="yes"} 2.0\n' in told
    assert 'deep_chat_tool_calls_total{ok="no"} 0.0\n' in told


async def test_files_are_counted_with_their_bytes() -> None:
    async with chat_server(ANSWER, metrics="on") as server:
        client = await server.visitor()
        file = {"src": "data:text/plain;base64,SGVsbG8=", "name": "a.txt", "type": "any"}
        message = {"messages": [{"role": "user", "text": "Read it", "files": [file]}]}
        async with client.post("/api/chat", json=message) as response:
            assert response.status == 200
        seen = await figures(server)

    assert seen["deep_chat_files_taken_total"] == 1
    assert seen["deep_chat_file_bytes_taken_total"] == 5


async def test_no_address_that_a_visitor_makes_up_becomes_a_label() -> None:
    async with chat_server(metrics="on") as server:
        client = await server.visitor()
        for method, address in (("GET", "/canary"), ("PROPFIND", "/"), ("PROPFIND", "/api/chat")):
            async with client.request(method, address) as response:
                assert response.status in {404, 405}
        async with client.get("/api/files/canary/canary.txt") as response:
            assert response.status == 404
        seen = await figures(server)

    assert seen['deep_chat_requests_total{route="(none)",status="4xx"}'] == 3
    assert seen['deep_chat_requests_total{route="GET /api/files/{file_id}/{name}",status="4xx"}'] == 1
    assert not any("canary" in name or "PROPFIND" in name for name in seen)


async def test_there_are_no_figures_where_nobody_asked_for_them() -> None:
    async with chat_server() as server:
        client = await server.visitor()
        async with client.get("/metrics") as response:
            assert response.status == 404


async def test_probes_are_answered_under_any_name() -> None:
    async with chat_server(metrics="on", allowed_hosts=("chat.example",)) as server:
        client = await server.visitor()
        statuses = []
        for address in ("/healthz", "/readyz", "/metrics", "/api/history"):
            async with client.get(address, headers={"Host": "10.0.0.7:8080"}) as response:
                statuses.append(response.status)

    assert statuses == [200, 200, 200, 421]

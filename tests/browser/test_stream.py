"""Streams over real sockets: headers, heartbeats, ends, and browsers that leave or do not read."""

import asyncio
import logging
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiohttp
import msgspec
import pytest
from aiohttp import web

from captured import post
from chat_server import STREAM, ChatServer, ask_stream, chat_server, events_in, said
from deep_chat_proxy.browser.keys import CHAT
from deep_chat_proxy.browser.stream import StreamDelivery
from deep_chat_proxy.errors import CUT_OFF, FAILED, RATE_LIMITED, ChatError
from deep_chat_proxy.turn.events import Accepted, Completed, TextDelta, ToolCall, ToolCallsRequested
from playing import FakeTools, Step, soon, until

NEVER: list[Step] = [[Accepted(), TextDelta("Once")], None]
BODY = msgspec.json.encode(said())


@asynccontextmanager
async def connection(
    server: ChatServer, *, version: str = "1.1", headers: tuple[str, ...] = ()
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection that has asked for a stream."""
    reader, writer = await soon(asyncio.open_connection("127.0.0.1", server.port))
    request = post(BODY, "Accept: text/event-stream", "Content-Type: application/json", *headers)
    writer.write(
        request.replace(b"HTTP/1.1", f"HTTP/{version}".encode(), 1).replace(b"Connection: close\r\n", b"")
    )
    try:
        yield reader, writer
    finally:
        writer.close()


async def test_a_stream_has_the_headers_that_let_it_through_proxies() -> None:
    async with chat_server([[Accepted(), TextDelta("Hi"), Completed()]]) as server:
        client = await server.visitor()
        async with client.post("/api/chat", json=said(), headers=STREAM) as response:
            assert response.status == 200
            assert response.headers["Content-Type"] == "text/event-stream"
            assert response.headers["Cache-Control"] == "no-cache"
            assert response.headers["X-Accel-Buffering"] == "no"
            assert response.headers["Transfer-Encoding"] == "chunked"


async def test_headers_come_as_soon_as_the_back_end_took_the_message() -> None:
    async with chat_server([[Accepted()], None]) as server:
        client = await server.visitor()
        async with asyncio.timeout(5), client.post("/api/chat", json=said(), headers=STREAM) as response:
            assert events_in(await response.content.readuntil(b"\n\n"))[0]["text"] == "*Thinking…*"


async def test_headers_come_before_the_first_event_where_the_back_end_takes_its_time() -> None:
    def hurry(app: web.Application) -> None:
        async def shorten(app: web.Application) -> None:
            app[CHAT] = msgspec.structs.replace(app[CHAT], accept_within=0.01)

        app.on_startup.append(shorten)

    goes_on = asyncio.Event()
    script: list[Step] = [goes_on, [Accepted(), TextDelta("Hi"), Completed()]]
    async with chat_server(script, prepare=hurry) as server:
        client = await server.visitor()
        async with asyncio.timeout(5), client.post("/api/chat", json=said(), headers=STREAM) as response:
            assert response.status == 200
            goes_on.set()
            assert [event["text"] for event in events_in(await response.read())] == ["*Thinking…*", "Hi"]


async def test_a_refusal_before_acceptance_is_a_real_status() -> None:
    async with chat_server([ChatError(RATE_LIMITED, retry_after=2.5)]) as server:
        client = await server.visitor()
        async with client.post("/api/chat", json=said(), headers=STREAM) as response:
            assert response.status == 429
            assert response.content_type == "application/json"
            assert response.headers["Retry-After"] == "3"
            assert await response.json() == {
                "error": RATE_LIMITED.sentence,
                "thread_id": (await response.json())["thread_id"],
            }


async def test_a_failure_after_acceptance_is_the_last_event() -> None:
    async with chat_server([[Accepted(), TextDelta("Half")], ChatError(CUT_OFF)]) as server:
        status, stream = await ask_stream(await server.visitor())

        assert status == 200
        assert events_in(stream)[-1]["error"] == CUT_OFF.sentence
        assert stream.endswith(b"}\n\n")


async def test_a_heartbeat_is_a_comment_of_one_line() -> None:
    goes_on = asyncio.Event()
    script: list[Step] = [[Accepted()], goes_on, [TextDelta("Hi"), Completed()]]
    async with chat_server(script, heartbeat=0.01) as server:
        client = await server.visitor()
        async with asyncio.timeout(5), client.post("/api/chat", json=said(), headers=STREAM) as response:
            await response.content.readuntil(b"\n\n")
            assert await response.content.readexactly(14) == b": ping\n: ping\n"
            goes_on.set()
            rest = (await response.read()).replace(b": ping\n", b"")
            assert [event["text"] for event in events_in(rest)] == ["Hi"]
            assert rest.count(b"\n\n") == 1


async def test_no_heartbeat_follows_the_last_event() -> None:
    script: list[Step] = [[Accepted(), TextDelta("Hi")], ChatError(FAILED)]
    async with chat_server(script, heartbeat=0.02) as server:
        _, stream = await ask_stream(await server.visitor())

        assert stream.endswith(b"}\n\n")


async def test_the_end_comes_a_moment_after_the_last_event() -> None:
    """An asynchronous interceptor of the page would lose an answer whose end comes with it."""
    async with (
        chat_server([[Accepted(), TextDelta("Hi"), Completed()]]) as server,
        connection(server) as (reader, _),
    ):
        await soon(reader.readuntil(b'"overwrite":true'))
        await soon(reader.readuntil(b"}\n\n\r\n"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.03):
                await reader.readexactly(1)
        assert await soon(reader.readexactly(5)) == b"0\r\n\r\n"


async def test_an_answer_that_comes_whole_is_shown_in_pieces() -> None:
    text = "one two three four five six seven"
    async with chat_server([[Accepted(), TextDelta(text, whole=True), Completed()]], pace=200) as server:
        _, stream = await ask_stream(await server.visitor())
        texts = [event["text"] for event in events_in(stream)][1:]

        assert len(texts) > 2
        assert "".join(texts) == text
        assert stream.count(b"id: ") == 1


async def test_an_http_1_0_client_gets_a_stream_that_ends_with_the_connection() -> None:
    async with (
        chat_server([[Accepted(), TextDelta("Hi"), Completed()]]) as server,
        connection(server, version="1.0", headers=("Connection: keep-alive",)) as (reader, _),
    ):
        answer = await soon(reader.read())

    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"connection: close" in head.lower()
    assert b"chunked" not in head.lower()
    assert [event["text"] for event in events_in(body)] == ["*Thinking…*", "Hi"]


async def test_a_browser_that_leaves_ends_the_turn_when_the_grace_period_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with chat_server(NEVER) as server:
        async with connection(server) as (reader, writer):
            await soon(reader.readuntil(b"Once"))
            turn = next(iter(server.chat.turns._active.values()))
            writer.transport.abort()
            await soon(turn.gone.wait())

        assert turn.log.state == "stopped"
        assert server.dialect.turns[0].closed == 1
    assert "Traceback" not in caplog.text
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_browser_that_leaves_while_the_message_is_on_its_way_ends_the_turn() -> None:
    async with chat_server([None]) as server:
        async with connection(server) as (_, writer):
            await until(lambda: server.dialect.turns)
            await soon(server.dialect.turns[0].begun.wait())
            turn = next(iter(server.chat.turns._active.values()))
            writer.transport.abort()
            await soon(turn.gone.wait())

        assert turn.log.state == "stopped"


async def test_a_browser_that_reads_nothing_is_let_go() -> None:
    async def rush(app: web.Application) -> None:
        delivery = StreamDelivery(heartbeat=15, pace=0, silence=60, send_timeout=0.05)
        app[CHAT] = msgspec.structs.replace(app[CHAT], delivery=delivery)

    flood: list[Step] = [[Accepted()], *[[TextDelta("x" * 1_000_000)] for _ in range(12)], None]
    async with chat_server(
        flood, prepare=lambda app: app.on_startup.append(rush), max_answer=100_000_000
    ) as server:
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.setblocking(False)
        try:
            loop = asyncio.get_running_loop()
            await loop.sock_connect(deaf, ("127.0.0.1", server.port))
            await loop.sock_sendall(deaf, post(BODY, "Accept: text/event-stream"))
            await until(lambda: server.chat.turns._active)
            turn = next(iter(server.chat.turns._active.values()))
            await soon(turn.gone.wait())

            assert turn.log.state == "stopped"
            received = b""
            # What waits in a connection that was broken off goes with it after a while; where the browser's end has no
            # reason to say anything then, the system lets go of it without a word.
            with suppress(ConnectionResetError, TimeoutError):
                while True:
                    async with asyncio.timeout(2):
                        data = await loop.sock_recv(deaf, 65_536)
                    if not data:
                        break
                    received = received[-10:] + data
            assert not received.endswith(b"0\r\n\r\n")
        finally:
            deaf.close()


async def test_streams_end_with_an_error_when_the_server_goes_down() -> None:
    async with chat_server(NEVER, shutdown=1.0) as server, connection(server) as (reader, _):
        await soon(reader.readuntil(b"Once"))
        async with asyncio.TaskGroup() as group:
            group.create_task(soon(server.close()))
            stream = await soon(reader.read())

    assert b'"error":"The server is restarting' in stream
    assert stream.endswith(b"0\r\n\r\n")


async def test_a_stream_is_asked_for_in_any_of_several_accept_headers() -> None:
    async with chat_server([[Accepted(), TextDelta("Hi"), Completed()]]) as server:
        client = await server.visitor()
        headers = {"Accept": "application/json, Text/Event-Stream;q=0.5"}
        async with client.post("/api/chat", json=said(), headers=headers) as response:
            assert response.content_type == "text/event-stream"


async def test_heartbeats_stop_when_the_back_end_has_been_silent_for_too_long() -> None:
    """Whatever stands between a page and the server can see then that the answer hangs."""
    goes_on = asyncio.Event()
    script: list[Step] = [[Accepted()], goes_on, [TextDelta("Hi")], None]
    async with chat_server(
        script,
        heartbeat=0.02,
        answer_timeout=0.2,
        first_event_timeout=0.2,
        silence_timeout=0.2,
        shutdown=1.0,
    ) as server:
        client = await server.visitor()
        async with asyncio.timeout(5), client.post("/api/chat", json=said(), headers=STREAM) as response:
            await response.content.readuntil(b": ping\n")
            with pytest.raises(TimeoutError):
                await silence_in(response.content)
            goes_on.set()
            await response.content.readuntil(b"Hi")
            await response.content.readuntil(b": ping\n")


async def silence_in(content: aiohttp.StreamReader) -> None:
    """Read until nothing comes for much longer than there is between two heartbeats."""
    while True:
        async with asyncio.timeout(0.3):
            await content.readline()


async def test_a_tool_that_runs_for_long_is_no_silence() -> None:
    running = asyncio.Event()

    async def slow(_: ToolCall) -> str:
        await running.wait()
        return "done"

    calls = ToolCallsRequested((ToolCall("call_1", "slow", "{}"),))
    script: list[Step] = [[Accepted(), calls]]
    async with chat_server(
        script,
        heartbeat=0.02,
        answer_timeout=0.05,
        first_event_timeout=0.05,
        silence_timeout=0.05,
        shutdown=1.0,
    ) as server:
        server.chat.turns._tool_runner = FakeTools(slow=slow)
        client = await server.visitor()
        async with asyncio.timeout(5), client.post("/api/chat", json=said(), headers=STREAM) as response:
            await response.content.readuntil(b"slow")
            for _ in range(20):
                await response.content.readuntil(b": ping\n")


async def test_the_ids_of_events_name_their_turn_so_that_no_two_are_the_same() -> None:
    script: list[Step] = [[Accepted(), TextDelta("Hi"), Completed()]]
    async with chat_server(script, script) as server:
        client = await server.visitor()
        streams = [(await ask_stream(client, text))[1] for text in ("One", "Two")]
        ids = [set(re.findall(rb"^id: ([0-9a-f]+)-\d+$", stream, re.MULTILINE)) for stream in streams]

        assert [len(found) for found in ids] == [1, 1]
        assert ids[0] != ids[1]
        for stream, (found,) in zip(streams, ids, strict=True):
            assert {event.get("turn_id") for event in events_in(stream)} - {None} == {found.decode()}

"""The thread session cookie: on every kind of answer, readable and forgeable by nobody."""

import asyncio
import base64
import time
from typing import Any
from unittest.mock import patch

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler
from hypothesis import given, settings
from hypothesis import strategies as st

from chat_server import STREAM, ask, chat_server, said
from deep_chat_proxy.errors import FAILED, ChatError
from deep_chat_proxy.middleware.cookie import NAME
from deep_chat_proxy.middleware.sealing import Sealer, SessionData
from deep_chat_proxy.middleware.session import SESSION
from deep_chat_proxy.turn.events import Accepted, Completed, TextDelta
from middleware.cookies import SetCookie, cookie_in
from playing import Step

ANSWER: list[Step] = [[Accepted(), TextDelta("Hi"), Completed()]]
DAY = 24 * 3600
OLD, NEW, OTHER = "old-key-old-key-old", "new-key-new-key-new", "other-key-other-key"


def add_routes(app: web.Application) -> None:
    async def chosen(request: web.Request) -> web.Response:
        request[SESSION].thread_id = "thread-of-this-visitor"
        return web.json_response({"visitor": request[SESSION].visitor})

    async def whoami(request: web.Request) -> web.Response:
        session = request[SESSION]
        return web.json_response({"visitor": session.visitor, "thread_id": session.thread_id})

    async def streamed(request: web.Request) -> web.StreamResponse:
        request[SESSION].thread_id = "thread-of-this-visitor"
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: {}\n\n")
        return response

    def failing(fault: Exception) -> Handler:
        async def fail(request: web.Request) -> web.StreamResponse:
            request[SESSION].thread_id = "thread-of-this-visitor"
            raise fault

        return fail

    async def left(request: web.Request) -> web.Response:
        request[SESSION].thread_id = None
        return web.Response()

    async def ended(request: web.Request) -> web.Response:
        request[SESSION].end()
        return web.Response()

    app.router.add_get("/chosen", chosen)
    app.router.add_get("/left", left)
    app.router.add_get("/ended", ended)
    app.router.add_get("/whoami", whoami)
    app.router.add_get("/streamed", streamed)
    app.router.add_get("/error", failing(ChatError(FAILED)))
    app.router.add_get("/404", failing(web.HTTPNotFound()))
    app.router.add_get("/500", failing(RuntimeError("sk-canary")))
    app.router.add_get("/redirect", failing(web.HTTPFound("/whoami")))


@pytest.mark.parametrize("address", ["/chosen", "/streamed", "/error", "/404", "/500", "/redirect"])
async def test_every_kind_of_answer_carries_the_cookie_once(address: str) -> None:
    async with chat_server(prepare=add_routes) as server:
        client = await server.visitor()
        async with client.get(address, allow_redirects=False) as response:
            assert len([value for value in response.headers.getall("Set-Cookie") if NAME in value]) == 1
        async with client.get("/whoami") as response:
            assert (await response.json())["thread_id"] == "thread-of-this-visitor"


async def test_the_stream_of_an_answer_carries_the_cookie() -> None:
    async with chat_server(ANSWER) as server:
        client = await server.visitor()
        async with client.post("/api/chat", json=said(), headers=STREAM) as response:
            assert cookie_in(response.headers) is not None


async def test_a_visitor_who_only_looks_gets_no_cookie() -> None:
    async with chat_server(prepare=add_routes) as server:
        client = await server.visitor()
        for address in ("/whoami", "/healthz", "/no-such-address"):
            async with client.get(address) as response:
                assert cookie_in(response.headers) is None


async def test_the_cookie_is_set_again_only_when_the_thread_changes() -> None:
    async with chat_server(ANSWER, ANSWER, ANSWER) as server:
        client = await server.visitor()
        await ask(client)
        async with client.post("/api/chat", json=said()) as response:
            assert cookie_in(response.headers) is None
        async with client.post("/api/threads") as response:
            assert cookie_in(response.headers) is not None


async def test_a_change_of_thread_keeps_the_visitor() -> None:
    async with chat_server(prepare=add_routes) as server:
        client = await server.visitor()
        async with client.get("/chosen") as response:
            visitor = (await response.json())["visitor"]
        async with client.post("/api/threads"):
            pass
        async with client.get("/whoami") as response:
            assert (await response.json())["visitor"] == visitor


async def test_the_cookie_tells_nothing_to_who_holds_it() -> None:
    async with chat_server(prepare=add_routes) as server:
        client = await server.visitor()
        async with client.get("/chosen") as response:
            visitor = (await response.json())["visitor"]
            cookie = cookie_in(response.headers)

    assert cookie is not None
    unpacked = base64.urlsafe_b64decode(cookie.value)
    for secret in (visitor, "thread-of-this-visitor"):
        assert secret not in cookie.value
        assert secret.encode() not in unpacked


async def whoami(token: str, **settings: Any) -> tuple[dict[str, Any], SetCookie | None]:
    """Who the server takes the holder of a token for, and the cookie that it answers with."""
    async with chat_server(prepare=add_routes, **settings) as server:
        client = await server.visitor(cookies=False)
        async with client.get("/whoami", headers={"Cookie": f"{NAME}={token}"}) as response:
            assert response.status == 200
            return await response.json(), cookie_in(response.headers)


KNOWN = SessionData("V1", "thread-of-this-visitor")
IS_KNOWN = {"visitor": "V1", "thread_id": "thread-of-this-visitor"}


async def test_a_token_of_an_older_key_is_read_and_sealed_anew() -> None:
    who, cookie = await whoami(Sealer([OLD], DAY).seal(KNOWN), secret=f"{NEW},{OLD}")

    assert who == IS_KNOWN
    assert cookie is not None
    opened = Sealer([NEW], DAY).unseal(cookie.value)
    assert opened is not None
    assert opened.data == KNOWN


async def test_a_token_of_the_newest_key_is_left_as_it_is() -> None:
    assert await whoami(Sealer([NEW], DAY).seal(KNOWN), secret=f"{NEW},{OLD}") == (IS_KNOWN, None)


async def test_a_key_that_was_removed_ends_its_sessions() -> None:
    who, _ = await whoami(Sealer([OTHER], DAY).seal(KNOWN), secret=f"{NEW},{OLD}")

    assert who["visitor"] != "V1"
    assert who["thread_id"] is None


def sealed_ago(seconds: float) -> str:
    with patch("time.time", return_value=time.time() - seconds):
        return Sealer([NEW], DAY).seal(KNOWN)


async def test_a_token_is_renewed_by_use_before_it_expires() -> None:
    who, cookie = await whoami(sealed_ago(1.5 * DAY), secret=NEW)

    assert who == IS_KNOWN
    assert cookie is not None


async def test_a_session_shorter_than_a_day_is_renewed_by_use_too() -> None:
    who, cookie = await whoami(sealed_ago(0.3 * DAY), secret=NEW, session_days=0.5)

    assert who == IS_KNOWN
    assert cookie is not None


@pytest.mark.parametrize("address", ["/nowhere", "/api/files/none/none"])
async def test_an_error_renews_no_token(address: str) -> None:
    async with chat_server(secret=NEW) as server:
        client = await server.visitor(cookies=False)
        async with client.get(address, headers={"Cookie": f"{NAME}={sealed_ago(1.5 * DAY)}"}) as response:
            assert response.status == 404
            assert cookie_in(response.headers) is None


async def test_a_thread_that_is_left_leaves_the_visitor_without_one() -> None:
    async with chat_server(prepare=add_routes) as server:
        client = await server.visitor()
        async with client.get("/chosen") as response:
            visitor = (await response.json())["visitor"]
        async with client.get("/left"):
            pass
        async with client.get("/whoami") as response:
            assert await response.json() == {"visitor": visitor, "thread_id": None}


async def test_a_session_that_is_ended_takes_its_cookie_with_it() -> None:
    async with chat_server(prepare=add_routes) as server:
        client = await server.visitor()
        async with client.get("/chosen") as response:
            before, kept = await response.json(), cookie_in(response.headers)
        async with client.get("/ended") as response:
            gone = cookie_in(response.headers)
        async with client.get("/whoami") as response:
            after = await response.json()

    assert kept is not None
    assert gone == SetCookie(kept.name, "", kept.attributes | {"max-age": "0"})
    assert len(client.session.cookie_jar) == 0
    assert after["visitor"] != before["visitor"]
    assert after["thread_id"] is None


async def test_an_expired_token_starts_a_new_session() -> None:
    who, _ = await whoami(sealed_ago(31 * DAY), secret=NEW)

    assert who["thread_id"] is None


async def test_a_token_that_was_changed_starts_a_new_session() -> None:
    token = Sealer([NEW], DAY).seal(KNOWN)
    changed = token[:-10] + ("A" if token[-10] != "A" else "B") + token[-9:]

    assert (await whoami(changed, secret=NEW))[0]["thread_id"] is None


async def test_a_token_of_any_length_starts_a_new_session() -> None:
    assert (await whoami("x" * 5000, secret=NEW))[0]["thread_id"] is None


@given(st.one_of(st.text(), st.binary().map(lambda data: base64.urlsafe_b64encode(b"\x80" + data).decode())))
def test_garbage_is_no_token(token: str) -> None:
    assert Sealer([NEW, OLD], DAY).unseal(token) is None


@given(st.text(max_size=30), st.none() | st.text(max_size=30))
def test_what_was_sealed_is_unsealed(visitor: str, thread_id: str | None) -> None:
    data = SessionData(visitor, thread_id)
    opened = Sealer([NEW], DAY).unseal(Sealer([NEW], DAY).seal(data))

    assert opened is not None
    assert opened.data == data


def test_a_token_that_holds_something_else_is_no_session() -> None:
    sealer = Sealer([NEW], DAY)

    for other in (b"[]", b"{}", b"not json", b'{"visitor": 5}'):
        assert sealer.unseal(sealer._keys[0].encrypt(other).decode()) is None


garbage = st.binary(max_size=200).map(
    lambda data: bytes(byte for byte in data if byte >= 0x20 and byte != 0x7F) or b"x"
)


@settings(max_examples=15, deadline=None)
@given(st.lists(garbage, min_size=5, max_size=40))
def test_no_cookie_header_is_an_error_of_the_server(headers: list[bytes]) -> None:
    async def statuses() -> set[bytes]:
        async with chat_server(prepare=add_routes) as server:
            seen: set[bytes] = set()
            for value in [*headers, NAME.encode() + b"=" + b"".join(headers)]:
                async with asyncio.timeout(5):
                    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
                    writer.write(
                        b"GET /whoami HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: "
                        + value
                        + b"\r\n\r\n"
                    )
                    seen.add((await reader.read()).split(b" ", 2)[1])
                    writer.close()
            return seen

    assert asyncio.run(statuses()) <= {b"200", b"400"}

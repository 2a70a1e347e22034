"""Which pages may use the server from a browser."""

import asyncio

import pytest
from aiohttp import FormData, web
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from chat_server import STREAM, ask, chat_server, said
from deep_chat_proxy import Settings, create_app
from deep_chat_proxy.errors import FAILED, ChatError
from deep_chat_proxy.middleware.origin import is_own
from deep_chat_proxy.turn.events import Accepted, Completed, TextDelta
from playing import Step

SHOP = "https://shop.example"
ANSWER: list[Step] = [[Accepted(), TextDelta("Hi"), Completed()]]


async def test_a_page_of_our_own_may_ask() -> None:
    async with chat_server(ANSWER) as server:
        client = await server.visitor()
        async with client.post(
            "/api/chat", json=said(), headers={"Origin": f"http://{server.host}"}
        ) as response:
            assert response.status == 200
            assert "Access-Control-Allow-Origin" not in response.headers


async def test_a_page_behind_a_proxy_that_ends_tls_is_our_own() -> None:
    async with chat_server(ANSWER) as server:
        client = await server.visitor()
        headers = {"Host": "chat.example", "Origin": "https://chat.example"}
        async with client.post("/api/chat", json=said(), headers=headers) as response:
            assert response.status == 200


async def test_who_is_no_page_may_ask() -> None:
    async with chat_server(ANSWER) as server:
        assert (await ask(await server.visitor()))[0] == 200


@pytest.mark.parametrize(
    "origin",
    [SHOP, "null", "http://127.0.0.1", "http://[", "http://", "", "chat.example", "http://127.0.0.1:1@x"],
)
async def test_a_foreign_page_is_refused_and_nothing_is_done(origin: str) -> None:
    async with chat_server(ANSWER) as server:
        client = await server.visitor()
        form = FormData({"message1": '{"role":"user","text":"Hi"}'})
        form.add_field("files", b"%PDF-1.7", filename="a.pdf")
        for path, body in (("/api/chat", form), ("/api/chat/stop", None), ("/api/threads", None)):
            async with client.post(path, data=body, headers={"Origin": origin}) as response:
                assert response.status == 403
                assert list(await response.json()) == ["error"]
                assert "Access-Control-Allow-Origin" not in response.headers
                assert "Set-Cookie" not in response.headers

        assert server.dialect.asked == []


async def test_a_page_that_is_allowed_by_name_reads_answers_streams_and_errors() -> None:
    scripts: list[list[Step]] = [ANSWER, ANSWER, [ChatError(FAILED)]]
    async with chat_server(*scripts, allowed_origins=(SHOP,)) as server:
        client = await server.visitor()
        asked: list[tuple[dict[str, str], int]] = [
            ({}, 200),
            (STREAM, 200),
            (STREAM, 502),
            ({"X": "404"}, 404),
        ]
        for number, (accept, status) in enumerate(asked):
            path = "/nowhere" if status == 404 else "/api/chat"
            headers = {"Origin": SHOP, **accept}
            async with client.post(path, json=said(f"Message {number}"), headers=headers) as response:
                assert response.status == status
                assert response.headers["Access-Control-Allow-Origin"] == SHOP
                assert response.headers["Access-Control-Allow-Credentials"] == "true"
                assert "Origin" in response.headers.getall("Vary")


@pytest.mark.parametrize("origin", [SHOP + ".evil.example", SHOP + "/", "http://shop.example", SHOP.upper()])
async def test_only_the_very_origin_is_allowed(origin: str) -> None:
    async with chat_server(ANSWER, allowed_origins=(SHOP,)) as server:
        client = await server.visitor()
        async with client.post("/api/chat", json=said(), headers={"Origin": origin}) as response:
            assert response.status == 403
            assert "Access-Control-Allow-Origin" not in response.headers


async def test_answers_to_others_vary_by_origin_too_so_that_no_cache_mixes_them_up() -> None:
    async with chat_server(allowed_origins=(SHOP,)) as server:
        client = await server.visitor()
        async with client.get("/healthz") as response:
            assert response.headers["Vary"] == "Origin"
            assert "Access-Control-Allow-Origin" not in response.headers


async def preflight(allowed: tuple[str, ...], origin: str) -> tuple[int, dict[str, str]]:
    async with chat_server(allowed_origins=allowed) as server:
        client = await server.visitor()
        headers = {
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type,x-custom",
        }
        async with client.options("/api/chat", headers=headers) as response:
            return response.status, dict(response.headers)


async def test_a_preflight_grants_the_headers_that_were_asked_for() -> None:
    status, headers = await preflight((SHOP,), SHOP)

    assert status == 204
    assert headers["Access-Control-Allow-Origin"] == SHOP
    assert headers["Access-Control-Allow-Credentials"] == "true"
    assert headers["Access-Control-Allow-Headers"] == "authorization,content-type,x-custom"
    assert "POST" in headers["Access-Control-Allow-Methods"]


async def test_a_preflight_of_a_foreign_page_grants_nothing() -> None:
    status, headers = await preflight((SHOP,), "https://evil.example")

    assert status == 403
    assert not [name for name in headers if name.startswith("Access-Control")]


async def test_a_foreign_page_can_follow_a_link_to_ours() -> None:
    async with chat_server() as server:
        client = await server.visitor()
        async with client.get("/healthz", headers={"Origin": SHOP}) as response:
            assert response.status == 200
            assert "Access-Control-Allow-Origin" not in response.headers


@given(st.one_of(st.text(), st.text().map("http://".__add__), st.text().map("https://chat.example".__add__)))
def test_any_origin_but_our_own_is_foreign(origin: str) -> None:
    request = make_mocked_request("POST", "/", headers={"Host": "chat.example"})
    ours = is_own(request, origin)

    assert not ours or "//chat.example" in origin


def test_without_a_host_no_page_is_ours() -> None:
    assert not is_own(make_mocked_request("POST", "/"), "null")


@pytest.mark.parametrize(
    ("host", "origin", "own"),
    [
        ("Chat.Example", "http://chat.example", True),
        ("chat.example:80", "http://chat.example", True),
        ("chat.example:443", "https://chat.example", True),
        ("chat.example:443", "http://chat.example", False),
        ("chat.example", "ftp://chat.example", False),
    ],
)
def test_an_origin_is_compared_as_browsers_write_it(host: str, origin: str, own: bool) -> None:
    assert is_own(make_mocked_request("POST", "/", {"Host": host}), origin) is own


@pytest.mark.parametrize(
    ("site", "status"), [("cross-site", 403), ("same-site", 403), ("same-origin", 201), ("none", 201)]
)
async def test_a_page_that_hides_its_origin_is_refused_unless_it_is_our_own(site: str, status: int) -> None:
    async with chat_server(ANSWER) as server:
        client = await server.visitor()
        async with client.post("/api/threads", headers={"Sec-Fetch-Site": site}) as response:
            assert response.status == status


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": SHOP}]
)
async def test_what_is_read_of_a_chat_is_read_by_our_pages_alone(headers: dict[str, str]) -> None:
    async with chat_server() as server:
        client = await server.visitor()
        for path, status in (
            ("/api/chat/resume", 403),
            ("/api/files/none/none", 404),
            ("/healthz", 200),
            ("/nowhere", 404),
        ):
            async with client.get(path, headers=headers) as response:
                assert response.status == status
                assert "Set-Cookie" not in response.headers


async def test_below_a_prefix_the_same_addresses_are_for_our_pages_alone() -> None:
    site = web.Application()
    site.add_subapp(
        "/api", await asyncio.to_thread(create_app, Settings(store="sqlite::memory:", secret="x" * 32))
    )
    async with TestClient(TestServer(site)) as client:
        for path, status in (("/api/", {200, 503}), ("/api/healthz", {200}), ("/api/api/chat/resume", {403})):
            async with client.get(path, headers={"Sec-Fetch-Site": "cross-site"}) as response:
                assert response.status in status


async def test_a_page_that_is_allowed_learns_what_it_is_to_wait_for_and_where_to_go_on() -> None:
    async with chat_server([ChatError(FAILED, retry_after=3)], allowed_origins=(SHOP,)) as server:
        client = await server.visitor()
        async with client.post("/api/chat", json=said(), headers={"Origin": SHOP}) as response:
            assert response.headers["Retry-After"] == "3"
            assert response.headers["Access-Control-Expose-Headers"] == "Retry-After, Link"


async def test_errors_of_every_kind_can_be_read_by_a_page_that_is_allowed() -> None:
    async with chat_server(allowed_origins=(SHOP,), allowed_hosts=("127.0.0.1",), max_body=10) as server:
        client = await server.visitor()
        for method, path, more, status in (
            ("POST", "/api/chat", {"Host": "evil.example"}, 421),
            ("GET", "/nowhere", {}, 404),
            ("PUT", "/api/chat", {}, 405),
            ("POST", "/api/chat", {}, 413),
            ("GET", "/api/chat", {"Expect": "more"}, 417),
        ):
            headers = {"Origin": SHOP, **more}
            async with client.request(method, path, json=said(), headers=headers) as response:
                assert response.status == status
                assert response.headers["Access-Control-Allow-Origin"] == SHOP
                assert response.headers["Access-Control-Allow-Credentials"] == "true"
                assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
async def test_a_preflight_grants_every_method_and_sets_no_cookie(method: str) -> None:
    async with chat_server(allowed_origins=(SHOP,)) as server:
        client = await server.visitor()
        headers = {
            "Origin": SHOP,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "last-event-id, x-shop",
        }
        async with client.options("/api/chat/resume", headers=headers) as response:
            assert response.status == 204
            assert method in response.headers["Access-Control-Allow-Methods"].split(", ")
            assert response.headers["Access-Control-Allow-Headers"] == "last-event-id, x-shop"
            assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize(
    "headers", [{"Origin": SHOP}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {}]
)
async def test_without_cookies_every_page_can_be_allowed(headers: dict[str, str]) -> None:
    async with chat_server(ANSWER, allowed_origins=("*",), visitors="handle") as server:
        client = await server.visitor()
        async with client.post("/api/chat", json=said(), headers=headers) as response:
            assert response.status == 200
            assert response.headers["Access-Control-Allow-Origin"] == "*"
            assert "Access-Control-Allow-Credentials" not in response.headers

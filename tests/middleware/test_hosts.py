"""Under which names the server answers."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server import ChatServer, ask, chat_server, said
from deep_chat_proxy.middleware.hosts import host_name
from deep_chat_proxy.turn.events import Accepted, Completed, TextDelta
from playing import Step

ANSWER: list[Step] = [[Accepted(), TextDelta("Hi"), Completed()]]
ALLOWED = ("Chat.Example", "*.shop.example", "[::1]", "127.0.0.1")
SENTENCE = "This server does not answer to that name; its owner can add it to DEEP_CHAT_ALLOWED_HOSTS."


async def status_under(server: ChatServer, host: str, path: str = "/api/chat/resume") -> int:
    client = await server.visitor()
    async with client.get(path, headers={"Host": host}) as response:
        return response.status


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("chat.example", True),
        ("CHAT.EXAMPLE:8080", True),
        ("chat.example.", True),
        ("chat.example.:443", True),
        ("a.shop.example", True),
        ("a.b.shop.example:1", True),
        ("[::1]:8080", True),
        ("[::1]", True),
        ("127.0.0.1:8080", True),
        ("shop.example", False),
        (".shop.example", False),
        ("evilshop.example", False),
        ("a.shop.example.evil.example", False),
        ("evil.example", False),
        ("chat.example@evil.example", False),
        ("evil.example:chat.example", False),
        ("x.chat.example", False),
        ("::1", False),
        ("[::1", False),
        ("127.0.0.2", False),
        ("*.shop.example", True),
    ],
)
async def test_only_the_names_on_the_list_are_answered_to(host: str, allowed: bool) -> None:
    async with chat_server(allowed_hosts=ALLOWED) as server:
        assert await status_under(server, host) == (204 if allowed else 421)


async def test_another_name_is_refused_with_the_setting_and_nothing_is_done() -> None:
    async with chat_server(ANSWER, allowed_hosts=("chat.example",)) as server:
        client = await server.visitor()
        headers = {"Host": "evil.example", "Origin": "http://evil.example"}
        async with client.post("/api/chat", json=said(), headers=headers) as response:
            assert response.status == 421
            assert await response.json() == {"error": SENTENCE}
            assert "Set-Cookie" not in response.headers

        assert server.dialect.asked == []


async def test_the_page_too_is_shown_under_no_other_name() -> None:
    async with chat_server(allowed_hosts=("chat.example",)) as server:
        for path in ("/", "/page/page.js", "/nowhere"):
            assert await status_under(server, "evil.example", path) == 421


async def test_a_name_that_a_proxy_forwards_says_nothing() -> None:
    async with chat_server(allowed_hosts=("chat.example",)) as server:
        client = await server.visitor()
        headers = {
            "Host": "evil.example",
            "X-Forwarded-Host": "chat.example",
            "Forwarded": "host=chat.example",
        }
        async with client.get("/api/chat/resume", headers=headers) as response:
            assert response.status == 421


async def test_whoever_probes_the_server_may_do_so_under_any_name() -> None:
    async with chat_server(allowed_hosts=("chat.example",)) as server:
        assert await status_under(server, "10.0.0.7:8080", "/healthz") == 200


async def test_without_a_list_every_name_is_answered_to() -> None:
    async with chat_server(ANSWER) as server:
        assert await status_under(server, "any.example") == 204
        assert (await ask(await server.visitor()))[0] == 200


@pytest.mark.parametrize(
    ("request_line", "hosts", "status"),
    [
        (b"GET /api/chat/resume HTTP/1.0", [], b"400"),
        (b"GET /api/chat/resume HTTP/1.1", [], b"400"),
        (b"GET /api/chat/resume HTTP/1.1", [b""], b"400"),
        (b"GET /api/chat/resume HTTP/1.1", [b"chat.example", b"chat.example"], b"400"),
        (b"GET /api/chat/resume HTTP/1.1", [b"chat.example", b"evil.example"], b"400"),
        (b"GET http://evil.example/api/chat/resume HTTP/1.1", [b"chat.example"], b"421"),
        (b"GET http://chat.example/api/chat/resume HTTP/1.1", [b"evil.example"], b"421"),
        (b"GET http://chat.example/api/chat/resume HTTP/1.1", [b"chat.example"], b"204"),
        (b"GET /healthz HTTP/1.0", [], b"200"),
    ],
)
async def test_a_request_names_one_host_and_no_other(
    request_line: bytes, hosts: list[bytes], status: bytes
) -> None:
    async with chat_server(allowed_hosts=("chat.example",)) as server, asyncio.timeout(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        lines = [request_line, *(b"Host: " + host for host in hosts), b"Connection: close", b"", b""]
        writer.write(b"\r\n".join(lines))
        answer = await reader.read()
        writer.close()

    assert answer.split(b" ", 2)[1] == status


@given(st.text())
def test_any_host_has_a_name_in_lower_case(host: str) -> None:
    name = host_name(host)

    assert name == name.lower()
    assert host_name(name + ":80") == name or ":" in name or "]" in name

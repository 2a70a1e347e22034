"""Files of the assistant: only for their visitor, and under headers that let them do no harm."""

import asyncio
import logging
import re
from typing import Any
from urllib.parse import unquote

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server import ChatServer, Client, ask, chat_server
from deep_chat_proxy.browser.files_out.headers import file_headers
from deep_chat_proxy.errors import CUT_OFF, FILE_NOT_FOUND, UNREACHABLE, ChatError
from deep_chat_proxy.turn.events import Accepted, Completed, FileKind, FileMade
from deep_chat_proxy.upstream.failures import ErrorBody, UpstreamError
from playing import Step

PNG = b"\x89PNG\r\n\x1a\n" + bytes(32)


def made(name: str | None, kind: FileKind = FileKind.ANY) -> list[Step]:
    return [[Accepted(), FileMade("file-upstream", name, kind), Completed()]]


async def address_of(client: Client, server: ChatServer, *chunks: bytes | Exception) -> str:
    """Where the file is that the assistant makes in this visitor's next turn."""
    server.dialect.files.there["file-upstream"] = list(chunks)
    _, body = await ask(client)
    return str(body["files"][0]["src"])


def not_found() -> UpstreamError:
    return UpstreamError(CUT_OFF, 404, ErrorBody("No such File object: file-upstream"))


async def test_a_file_is_an_attachment_that_is_never_a_page() -> None:
    async with chat_server(made("data.csv")) as server:
        client = await server.visitor()
        async with client.get(await address_of(client, server, b"a,b\n", b"1,2\n")) as response:
            assert await response.read() == b"a,b\n1,2\n"
            assert response.headers["Content-Type"] == "text/csv"
            assert response.headers["Content-Length"] == "8"
            assert (
                response.headers["Content-Disposition"]
                == "attachment; filename=\"data.csv\"; filename*=UTF-8''data.csv"
            )
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
            assert response.headers["Cache-Control"] == "private, max-age=3600"


async def test_an_image_is_shown_in_the_chat() -> None:
    async with chat_server(made("plot.PNG", FileKind.IMAGE)) as server:
        client = await server.visitor()
        async with client.get(await address_of(client, server, PNG[:3], PNG[3:])) as response:
            assert await response.read() == PNG
            assert response.headers["Content-Type"] == "image/png"
            assert response.headers["Content-Disposition"].startswith("inline;")


async def test_an_image_without_a_name_gets_one_that_shows_it() -> None:
    async with chat_server(made(None, FileKind.IMAGE)) as server:
        client = await server.visitor()
        async with client.get(await address_of(client, server, PNG)) as response:
            assert response.headers["Content-Type"] == "image/png"


@pytest.mark.parametrize(
    "content", [b"<svg onload=alert(1)>", b"<html><script>", b"%PDF-1.7", b"BM", b"", b"\x89PN"]
)
async def test_what_is_no_image_under_the_name_of_one_is_an_attachment_without_a_type(content: bytes) -> None:
    async with chat_server(made("plot.png", FileKind.IMAGE)) as server:
        client = await server.visitor()
        address = await address_of(client, server, content)
        for method in ("GET", "HEAD"):
            async with client.request(method, address) as response:
                assert response.headers["Content-Type"] == "application/octet-stream"
                assert response.headers["Content-Disposition"].startswith("attachment;")
                assert await response.read() == (content if method == "GET" else b"")


async def test_an_image_of_another_kind_than_its_name_is_shown_as_what_it_is() -> None:
    async with chat_server(made("plot.png", FileKind.IMAGE)) as server:
        client = await server.visitor()
        async with client.get(
            await address_of(client, server, b"GIF89a<script>alert(1)</script>")
        ) as response:
            assert response.headers["Content-Type"] == "image/gif"
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"


async def test_an_image_that_breaks_off_before_it_can_be_known_is_an_error_with_a_status() -> None:
    async with chat_server(made("plot.png", FileKind.IMAGE)) as server:
        client = await server.visitor()
        async with client.get(await address_of(client, server, PNG[:5], ChatError(CUT_OFF))) as response:
            assert (response.status, (await response.json())["error"]) == (502, CUT_OFF.sentence)


@pytest.mark.parametrize(
    "name", ["page.html", "logo.svg", "script.js", "x.xhtml", "x.pdf.html", "noending", "x.HTML"]
)
async def test_what_a_browser_could_run_has_no_type_and_is_not_shown(name: str) -> None:
    headers = file_headers(name)

    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["Content-Disposition"].startswith("attachment;")


@given(st.text(max_size=40))
def test_any_name_makes_headers_of_one_line_that_say_the_name(name: str) -> None:
    disposition = file_headers(name)["Content-Disposition"]

    found = re.fullmatch(
        r"attachment; filename=\"([^\"\\%]*)\"; filename\*=UTF-8''([A-Za-z0-9%_.~-]*)", disposition
    )
    assert found is not None
    plain, encoded = found.groups()
    assert disposition.isascii()
    assert disposition.isprintable()
    assert len(plain) == len(name)
    assert unquote(encoded) == name


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("über uns.pdf", "_ber uns.pdf"),
        ('a"b;c%41.csv', "a_b_c_41.csv"),
        ("日本.csv", "__.csv"),
        ("\ud800.txt", "_.txt"),
    ],
)
async def test_a_program_that_knows_only_plain_names_gets_one(name: str, plain: str) -> None:
    assert f'filename="{plain}"' in file_headers(name)["Content-Disposition"]


@pytest.mark.parametrize(
    "name",
    [
        'über "uns".pdf',
        "日本 語.csv",
        "a/b.csv",
        "..",
        "a?b#c%41.txt",
        "../../etc/passwd",
        "😀.txt",
        "a;b=c&d.txt",
    ],
)
async def test_a_file_of_any_name_can_be_fetched(name: str) -> None:
    async with chat_server(made(name)) as server:
        client = await server.visitor()
        async with client.get(await address_of(client, server, b"x")) as response:
            assert response.status == 200
            assert await response.read() == b"x"


async def test_the_name_in_the_address_is_for_show() -> None:
    async with chat_server(made("data.csv")) as server:
        client = await server.visitor()
        address = await address_of(client, server, b"x")
        async with client.get(address.replace("data.csv", "page.html")) as response:
            assert response.headers["Content-Type"] == "text/csv"


async def test_the_file_of_another_visitor_is_not_there() -> None:
    async with chat_server(made("data.csv")) as server:
        owner, other = await server.visitor(), await server.visitor()
        address = await address_of(owner, server, b"secret")
        async with other.get(address) as response:
            assert (response.status, (await response.json())["error"]) == (404, FILE_NOT_FOUND.sentence)
        async with other.head(address) as response:
            assert response.status == 404


@pytest.mark.parametrize("file_id", ["made-up", "file-upstream", "%252e%252e", "' OR 1=1", "日本"])
async def test_a_file_that_is_not_there_is_the_same_404(file_id: str) -> None:
    async with chat_server(made("data.csv")) as server:
        client = await server.visitor()
        await address_of(client, server, b"x")
        async with client.get(f"/api/files/{file_id}/data.csv") as response:
            assert (response.status, (await response.json())["error"]) == (404, FILE_NOT_FOUND.sentence)


async def test_a_file_that_the_back_end_has_no_more_is_the_same_404() -> None:
    async with chat_server(made("data.csv")) as server:
        client = await server.visitor()
        address = await address_of(client, server)
        server.dialect.files.there["file-upstream"] = not_found()
        async with client.get(address) as response:
            body = await response.json()
            assert (response.status, body["error"]) == (404, FILE_NOT_FOUND.sentence)
            assert "file-upstream" not in str(body)


@pytest.mark.parametrize("fault", [ChatError(UNREACHABLE), UpstreamError(UNREACHABLE, 500, ErrorBody())])
async def test_a_back_end_that_cannot_give_the_file_now_is_told_as_such(fault: ChatError) -> None:
    async with chat_server(made("data.csv")) as server:
        client = await server.visitor()
        address = await address_of(client, server)
        server.dialect.files.there["file-upstream"] = fault
        async with client.get(address) as response:
            assert (response.status, (await response.json())["error"]) == (502, UNREACHABLE.sentence)


async def test_a_head_request_has_the_headers_and_no_content() -> None:
    async with chat_server(made("data.csv")) as server:
        client = await server.visitor()
        async with client.head(await address_of(client, server, b"12345")) as response:
            assert response.headers["Content-Length"] == "5"
            assert await response.read() == b""


async def test_a_download_that_breaks_off_ends_the_connection_and_no_second_answer_follows(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "deep_chat_proxy")
    async with chat_server(made("data.csv")) as server:
        client = await server.visitor()
        address = await address_of(client, server, b"begun", ChatError(CUT_OFF, "the connection broke"))
        async with asyncio.timeout(5), client.get(address) as response:
            assert await response.content.readexactly(5) == b"begun"
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.content.readany()

    assert any("cut_off" in record.getMessage() for record in caplog.records)


async def test_the_log_holds_no_name_and_no_id_of_a_file(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with chat_server(made("salaries.csv")) as server:
        owner, other = await server.visitor(), await server.visitor()
        address = await address_of(owner, server, b"x")
        for client in (owner, other):
            async with client.get(address):
                pass

    logged: Any = [
        record.getMessage() for record in caplog.records if record.name.startswith("deep_chat_proxy")
    ]
    assert any("/api/files/{file_id}/{name} 404" in line for line in logged)
    assert not any("salaries" in line or address.split("/")[3] in line for line in logged)


async def test_a_page_of_another_origin_gets_whole_addresses() -> None:
    async with chat_server(made("data.csv"), allowed_origins=("https://shop.example",)) as server:
        client = await server.visitor()
        body = {"messages": [{"role": "user", "text": "Hi"}]}
        for headers, scheme in (({}, "http"), ({"X-Forwarded-Proto": "https"}, "https")):
            server.dialect.scripts[:] = [made("data.csv")]
            all_headers = {"Origin": "https://shop.example", **headers}
            async with client.post("/api/chat", json=body, headers=all_headers) as response:
                address = (await response.json())["files"][0]["src"]
            assert address.startswith(f"{scheme}://{server.host}/api/files/")

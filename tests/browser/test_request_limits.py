"""Every limit lets through what is just at it and refuses one more, before the rest has arrived."""

import asyncio
import base64
import gzip
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from captured import exchange, post
from deep_chat_proxy.browser.limits import RequestLimits
from request_reader import BOUNDARY, PNG, form, form_body, json_post, part, request_reader

FORM_TYPE = f"Content-Type: multipart/form-data; boundary={BOUNDARY}"
MESSAGE = '{"messages":[{"role":"user","text":"%s"}]}'


async def statuses(folder: Path, limits: RequestLimits, *requests: bytes) -> list[int]:
    async with request_reader(folder, limits) as reader:
        answers = [await reader.ask(request) for request in requests]
        assert all(answer.content["error"].endswith(".") for answer in answers if answer.status != 200)
        assert reader.left_over() == []
        return [answer.status for answer in answers]


def chunked(body: bytes, *headers: str) -> bytes:
    """A request that declares no length."""
    head = "\r\n".join(
        ["POST / HTTP/1.1", "Host: x", "Connection: close", "Transfer-Encoding: chunked", *headers]
    )
    return head.encode() + b"\r\n\r\n%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"


async def test_a_json_body_above_the_limit_is_refused(tmp_path: Path) -> None:
    body = (MESSAGE % "t").encode()
    limits = RequestLimits(max_body=len(body))

    assert await statuses(tmp_path, limits, json_post(body), json_post(body + b" ")) == [200, 413]


async def test_a_json_body_of_undeclared_length_is_refused_above_the_limit(tmp_path: Path) -> None:
    body = (MESSAGE % "t").encode()
    limits = RequestLimits(max_body=len(body))

    assert await statuses(tmp_path, limits, chunked(body), chunked(body + b" ")) == [200, 413]


async def test_a_compressed_body_is_refused_however_small_it_is(tmp_path: Path) -> None:
    body = gzip.compress((MESSAGE % "Hi").encode())

    assert await statuses(tmp_path, RequestLimits(), json_post(body, "Content-Encoding: gzip")) == [415]


async def test_a_declared_length_above_the_limit_is_refused_before_the_body_is_sent(tmp_path: Path) -> None:
    limits = RequestLimits(max_body=1000, max_field_bytes=1000, max_upload_bytes=1000)
    async with request_reader(tmp_path, limits) as reader:
        json_answer = await reader.ask(post(b"{" + b" " * 80, length=10**9))
        form_answer = await reader.ask(post(part("files", PNG, "a.png"), FORM_TYPE, length=10**9))

        assert (json_answer.status, form_answer.status) == (413, 413)
        assert reader.left_over() == []


async def test_a_text_above_the_limit_is_refused(tmp_path: Path) -> None:
    limits = RequestLimits(max_text=5)
    requests = [json_post(MESSAGE % "\U0001f600äääa"), json_post(MESSAGE % "\U0001f600äääab")]
    requests.append(form(part("files", PNG, "a.png"), part("message1", b'{"role":"user","text":"123456"}')))

    assert await statuses(tmp_path, limits, *requests) == [200, 413, 413]


async def test_a_second_file_is_refused_when_the_limit_is_one(tmp_path: Path) -> None:
    file = part("files", PNG, "a.png")

    assert await statuses(tmp_path, RequestLimits(max_files=1), form(file), form(file, file)) == [200, 413]


async def test_a_file_above_the_limit_is_refused(tmp_path: Path) -> None:
    limits = RequestLimits(max_file_bytes=300_000)
    at_it, above = (form(part("files", b"a" * size, "a.txt")) for size in (300_000, 300_001))

    assert await statuses(tmp_path, limits, at_it, above) == [200, 413]


async def test_files_that_are_too_large_together_are_refused(tmp_path: Path) -> None:
    limits = RequestLimits(max_upload_bytes=200)
    at_it, above = (form(*[part("files", b"a" * size, "a.txt")] * 2) for size in (100, 101))

    assert await statuses(tmp_path, limits, at_it, above) == [200, 413]


async def test_files_within_json_are_held_to_the_same_limits(tmp_path: Path) -> None:
    def inline(*sizes: int) -> bytes:
        urls = ["data:text/plain;base64," + base64.b64encode(b"a" * size).decode() for size in sizes]
        return json_post(
            json.dumps({"messages": [{"role": "user", "files": [{"src": url} for url in urls]}]})
        )

    limits = RequestLimits(max_files=2, max_file_bytes=100, max_upload_bytes=150)
    requests = [inline(100, 50), inline(101), inline(100, 51), inline(1, 1, 1)]

    assert await statuses(tmp_path, limits, *requests) == [200, 413, 413, 413]


async def test_too_many_parts_are_refused(tmp_path: Path) -> None:
    file, field = part("files", PNG, "a.png"), part("model", b"m")
    limits = RequestLimits(max_parts=3)

    assert await statuses(tmp_path, limits, form(file, field, field), form(file, *[field] * 3)) == [200, 413]


async def test_fields_that_are_too_large_together_are_refused_even_where_they_are_ignored(
    tmp_path: Path,
) -> None:
    file = part("files", PNG, "a.png")
    limits = RequestLimits(max_field_bytes=1000)
    at_it, above = (form(file, part("a", b"x" * 500), part("b", b"x" * size)) for size in (500, 501))

    assert await statuses(tmp_path, limits, at_it, above) == [200, 413]


async def test_part_headers_are_limited(tmp_path: Path) -> None:
    long_name = form(part("files", PNG, "a" * 3000 + ".png"))
    many = form(part("files", PNG, "a.png").replace(b"\r\n\r\n", b"\r\nX-A: 1" * 7 + b"\r\n\r\n", 1))

    assert await statuses(tmp_path, RequestLimits(), long_name, many) == [413, 413]


async def test_bytes_around_the_parts_of_a_form_are_limited(tmp_path: Path) -> None:
    limits = RequestLimits(max_upload_bytes=1000, max_field_bytes=1000, max_parts=1)
    body = form_body(part("files", PNG, "a.png"))
    behind, before = (
        chunked(body + bytes(20_000), FORM_TYPE),
        chunked(bytes(20_000) + b"\r\n" + body, FORM_TYPE),
    )

    assert await statuses(tmp_path, limits, behind, before) == [413, 413]


async def test_json_of_more_items_than_a_conversation_has_is_refused(tmp_path: Path) -> None:
    body = '{"messages":[' + "{}," * 300_000 + '{"role":"user","text":"t"}]}'

    assert await statuses(tmp_path, RequestLimits(), json_post(body)) == [413]


async def test_a_media_type_can_be_left_out(tmp_path: Path) -> None:
    limits = RequestLimits(accepted=frozenset({"image/png"}))
    async with request_reader(tmp_path, limits) as reader:
        image = await reader.ask(form(part("files", PNG, "a.png")))
        text = await reader.ask(form(part("files", b"text", "a.txt")))

        assert (image.status, text.status) == (200, 415)
        assert "images" in text.content["error"]
        assert "PDF" not in text.content["error"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "Please save it as .docx, .xlsx or .pptx"),
        (b"PK\x03\x04" + bytes(26), "is damaged"),
    ],
)
async def test_a_file_that_can_be_mended_is_refused_with_the_way_to_do_it(
    content: bytes, words: str, tmp_path: Path
) -> None:
    async with request_reader(tmp_path) as reader:
        answer = await reader.ask(form(part("files", content, "a.doc")))

        assert (answer.status, words in answer.content["error"]) == (415, True)
        assert reader.left_over() == []


async def test_no_files_at_all_can_be_accepted(tmp_path: Path) -> None:
    async with request_reader(tmp_path, RequestLimits(accepted=frozenset())) as reader:
        answer = await reader.ask(form(part("files", PNG, "a.png")))

        assert (answer.status, "no files" in answer.content["error"]) == (415, True)


async def test_a_file_of_another_kind_is_refused_while_it_still_arrives(tmp_path: Path) -> None:
    async with request_reader(tmp_path) as reader, asyncio.timeout(5):
        beginning = part("files", b"MZ\x90\x00" + bytes(200_000), "setup.exe")
        answer = await reader.ask(post(beginning, FORM_TYPE, length=30_000_000))

        assert answer.status == 415
        assert reader.left_over() == []


@pytest.mark.parametrize("piece_size", [65_536])
async def test_a_large_upload_takes_no_more_memory_than_a_small_one(piece_size: int, tmp_path: Path) -> None:
    size = 48 * 2**20
    before = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="big.txt"\r\n\r\n'.encode()
    )
    after = f"\r\n--{BOUNDARY}--\r\n".encode()

    def pieces() -> Iterator[bytes]:
        yield post(before, FORM_TYPE, length=len(before) + size + len(after))
        piece = b"a" * piece_size
        yield from (piece for _ in range(size // piece_size))
        yield after

    limits = RequestLimits(max_file_bytes=size, max_upload_bytes=size)
    async with request_reader(tmp_path, limits) as reader:
        tracemalloc.start()
        try:
            answer = await exchange(reader.port, pieces())
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert answer.content["files"][0]["on_disk"] == size
    assert peak < 8 * 2**20

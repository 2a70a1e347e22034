"""Parts of files: one part is given as asked for, everything else is the whole file."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from chat_server import ChatServer, Client, ask, chat_server
from deep_chat_proxy.browser.files_out.ranges import Part, Span, wanted_part
from deep_chat_proxy.errors import UNREACHABLE
from deep_chat_proxy.turn.events import Accepted, Completed, FileKind, FileMade
from deep_chat_proxy.upstream.failures import ErrorBody, UpstreamError
from deep_chat_proxy.upstream.files import Content

DATA = bytes(range(48, 58)) * 10
PNG = b"\x89PNG\r\n\x1a\n" + DATA


def wanted(*values: str, method: str = "GET") -> Part | None:
    return wanted_part(make_mocked_request(method, "/", {"Range": ",".join(values)} if values else {}))


@pytest.mark.parametrize(
    ("value", "span"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=10-19", (10, 20)),
        ("bytes=10-", (10, 100)),
        ("bytes=-1", (99, 100)),
        ("bytes=-1000", (0, 100)),
        ("bytes=0-1000", (0, 100)),
        ("BYTES = 5-6 ", (5, 7)),
        ("bytes=100-", None),
        ("bytes=-0", None),
        ("bytes=999999999999999999-", None),
    ],
)
def test_a_part_is_what_the_standard_says_it_is(value: str, span: tuple[int, int] | None) -> None:
    part = wanted(value)

    assert part is not None
    assert part.of(len(DATA)) == (None if span is None else Span(*span))


@pytest.mark.parametrize(
    "value",
    [
        *("bytes=0-1,5-6", "bytes=", "bytes=-", "bytes=5-4", "bytes=a-b", "bytes=1-2-3", "items=0-1", "0-1"),
        *(
            "bytes=-1-2",
            "bytes=+1-2",
            "bytes=0x1-2",
            "bytes=1.5-2",
            "bytes=\u0661-",
            "bytes=" + "9" * 19 + "-",
        ),
    ],
)
def test_anything_else_is_the_whole_file(value: str) -> None:
    assert wanted(value) is None


def test_only_a_get_has_parts() -> None:
    assert wanted("bytes=0-1", method="HEAD") is None
    assert wanted() is None


@given(st.text(max_size=30) | st.text("bytes=-,0123456789 ", max_size=30).map(lambda rest: f"bytes={rest}"))
def test_any_range_is_a_part_that_lies_within_the_file_or_none(value: str) -> None:
    part = wanted(value.replace("\r", "").replace("\n", ""))
    span = None if part is None else part.of(100)

    assert span is None or 0 <= span.start < span.stop <= 100


@given(st.integers(0, 120), st.integers(0, 120) | st.none())
def test_a_part_is_asked_for_in_its_own_words(first: int, last: int | None) -> None:
    part = Part(first, last)

    assert wanted(part.header) == (None if last is not None and last < first else part)
    assert last is None or wanted(Part(None, last).header) == Part(None, last)


class RangingFiles:
    """A back end that keeps to a `Range`, but for what `spoil` makes of its answer."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.asked: list[str | None] = []
        self.given: list[int] = []
        self.spoil: dict[str, Any] = {}

    @asynccontextmanager
    async def content(self, _: str, wanted: str | None = None) -> AsyncIterator[Content]:
        self.asked.append(wanted)
        if wanted is None:
            yield Content(len(self.data), self._chunks(self.data))
            return
        part = wanted_part(make_mocked_request("GET", "/", {"Range": wanted}))
        span = None if part is None else part.of(len(self.data))
        if span is None:
            raise UpstreamError(UNREACHABLE, 416, ErrorBody())
        fields = {"size": len(self.data), "start": span.start, "stop": span.stop} | self.spoil
        yield Content(chunks=self._chunks(self.data[span.start : span.stop]), **fields)

    async def _chunks(self, data: bytes) -> AsyncGenerator[bytes]:
        self.given.append(len(data))
        for at in range(0, len(data), 7):
            yield data[at : at + 7]


async def made(
    server: ChatServer, client: Client, name: str, kind: FileKind = FileKind.ANY, key: str | None = None
) -> str:
    """The address of a file that the assistant makes; on the shelf under `key`."""
    server.dialect.scripts[:] = [[[Accepted(), FileMade("file-upstream", name, kind), Completed()]]]
    _, body = await ask(client)
    address = str(body["files"][0]["src"])
    if key is not None:
        file_id = address.split("/")[-2]
        await server.chat.store.database.insert(  # type: ignore[attr-defined]
            "UPDATE file SET key = ? WHERE file_id = ?", (key, file_id)
        )
    return address


async def fetched(client: Client, address: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    async with asyncio.timeout(5), client.get(address, headers=headers) as response:
        return response.status, dict(response.headers), await response.read()


WAYS = ("ranging", "plain", "shelf")


@asynccontextmanager
async def serving(way: str, folder: Path, name: str = "data.csv", data: bytes = DATA) -> AsyncIterator[Any]:
    """A server with a file that is at a back end with or without ranges, or on the shelf: visitor, address, server."""
    async with chat_server() as server:
        client = await server.visitor()
        key = None
        if way == "shelf":
            path = folder / "made"
            path.write_bytes(data)
            key = await server.chat.shelf.take(path)
        if way == "ranging":
            files = RangingFiles(data)
            server.dialect.files.content = files.content  # type: ignore[assignment,method-assign]
            server.dialect.files.wanted = files.asked
        server.dialect.files.there["file-upstream"] = [data[at : at + 9] for at in range(0, len(data), 9)]
        kind = FileKind.IMAGE if name.endswith("png") else FileKind.ANY
        yield client, await made(server, client, name, kind, key), server


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("value", "start", "stop"),
    [
        ("bytes=0-1", 0, 2),
        ("bytes=13-57", 13, 58),
        ("bytes=90-", 90, 100),
        ("bytes=-4", 96, 100),
        ("bytes=0-", 0, 100),
    ],
)
async def test_a_part_comes_as_one_wherever_the_file_is(
    way: str, value: str, start: int, stop: int, tmp_path: Path
) -> None:
    async with serving(way, tmp_path) as (client, address, _):
        status, headers, body = await fetched(client, address, Range=value)

        assert (status, body) == (206, DATA[start:stop])
        assert headers["Content-Range"] == f"bytes {start}-{stop - 1}/100"
        assert headers["Content-Length"] == str(stop - start)
        assert (headers["Accept-Ranges"], headers["Content-Type"]) == ("bytes", "text/csv")
        assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("value", ["bytes=100-", "bytes=-0", "bytes=5000-6000"])
async def test_a_part_that_is_not_there_is_refused_with_the_size_of_the_file(
    way: str, value: str, tmp_path: Path
) -> None:
    async with serving(way, tmp_path) as (client, address, _):
        status, headers, body = await fetched(client, address, Range=value)

        assert (status, headers["Content-Range"]) == (416, "bytes */100")
        assert body == b'{"error":"The file has no such part."}'


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "headers",
    [
        *({"Range": "bytes=0-1,4-5"}, {"Range": "bytes=7-3"}, {"Range": "lines=0-1"}),
        {"Range": "bytes=0-1", "If-Range": '"made-up"'},
        {"Range": "bytes=0-1", "If-Range": "Wed, 21 Oct 2099 07:28:00 GMT"},
    ],
)
async def test_what_is_no_single_part_gets_the_whole_file(
    way: str, headers: dict[str, str], tmp_path: Path
) -> None:
    async with serving(way, tmp_path) as (client, address, _):
        status, answered, body = await fetched(client, address, **headers)

        assert (status, body) == (200, DATA)
        assert (answered["Accept-Ranges"], "Content-Range" in answered) == ("bytes", False)


@pytest.mark.parametrize("way", WAYS)
async def test_a_head_request_has_the_headers_of_the_whole_file_whatever_part_it_names(
    way: str, tmp_path: Path
) -> None:
    async with serving(way, tmp_path) as (client, address, _):
        _, whole, _ = await fetched(client, address)
        async with client.head(address, headers={"Range": "bytes=0-1"}) as response:
            headers = dict(response.headers)
            assert (response.status, await response.read()) == (200, b"")

        assert {**headers, "Date": ""} == {**whole, "Date": ""}


async def test_the_back_end_is_asked_for_the_part_alone(tmp_path: Path) -> None:
    async with serving("ranging", tmp_path) as (client, address, server):
        await fetched(client, address, Range="bytes=13-57")

        assert server.dialect.files.wanted == ["bytes=13-57"]


@pytest.mark.parametrize(
    "spoiled", [{"start": 12}, {"stop": 57}, {"size": 50}, {"start": 0, "stop": 0, "size": 0}]
)
async def test_a_back_end_that_gives_another_part_is_asked_for_the_whole(
    spoiled: dict[str, Any], tmp_path: Path
) -> None:
    async with serving("ranging", tmp_path) as (client, address, server):
        server.dialect.files.content.__self__.spoil = spoiled
        status, _, body = await fetched(client, address, Range="bytes=13-57")

        assert (status, body) == (206, DATA[13:58])
        assert server.dialect.files.wanted == ["bytes=13-57", None]


@pytest.mark.parametrize("way", WAYS)
async def test_a_part_of_an_image_is_one_of_an_image(way: str, tmp_path: Path) -> None:
    async with serving(way, tmp_path, "plot.png", PNG) as (client, address, _):
        status, headers, body = await fetched(client, address, Range="bytes=20-29")

        assert (status, body, headers["Content-Type"]) == (206, PNG[20:30], "image/png")


async def test_a_part_of_a_file_of_unknown_size_is_the_whole(tmp_path: Path) -> None:
    async with serving("ranging", tmp_path) as (client, address, server):
        files = RangingFiles(DATA)

        @asynccontextmanager
        async def content(_: str, wanted: str | None = None) -> AsyncIterator[Content]:
            assert wanted is None or wanted.startswith("bytes=")
            yield Content(None, files._chunks(DATA))

        server.dialect.files.content = content
        status, headers, body = await fetched(client, address, Range="bytes=0-1")

        assert (status, body, "Accept-Ranges" in headers) == (200, DATA, False)


@pytest.mark.parametrize("value", [None, "bytes=10-89"])
async def test_a_file_that_ends_too_early_never_looks_complete(value: str | None, tmp_path: Path) -> None:
    async with serving("ranging", tmp_path) as (client, address, server):
        files = RangingFiles(DATA)

        @asynccontextmanager
        async def content(_: str, wanted: str | None = None) -> AsyncIterator[Content]:
            assert wanted == value
            start, stop = (0, None) if value is None else (10, 90)
            yield Content(len(DATA), files._chunks(DATA[start:60]), start, stop)

        server.dialect.files.content = content
        headers = {} if value is None else {"Range": value}
        async with asyncio.timeout(5), client.get(address, headers=headers) as response:
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()

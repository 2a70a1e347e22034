"""Files of any size pass through the server in pieces: its memory, as the system sees it, hardly grows."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import pytest

from flows.process import Process, server
from flows.raw import connection, read_answer
from flows.visitor import CSV, WAIT, Answer, Visitor

MIB = 2**20
SIZE = 200 * MIB
MOST_GROWTH = 32 * MIB
LONG = 60.0
BACK_END = str(Path(__file__).with_name("large_back_end.py"))
BLOCK = b"city,celsius\r\n" * 8192


def status_of(process: Process, field: str) -> int:
    """VmRSS or VmHWM of the process, in bytes."""
    lines = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii").splitlines()
    (value,) = [line.split()[1] for line in lines if line.startswith(f"{field}:")]
    return int(value) * 1024


def forget_peak(process: Process) -> None:
    """Let VmHWM begin again from here; where the system does not allow it, it only hides less."""
    with suppress(OSError):
        Path(f"/proc/{process.pid}/clear_refs").write_text("5", encoding="ascii")


@asynccontextmanager
async def hardly_growing(process: Process) -> AsyncIterator[None]:
    """What is done within takes the process little more memory at any time."""
    await asyncio.to_thread(forget_peak, process)
    before = await asyncio.to_thread(status_of, process, "VmRSS")
    yield
    peak = await asyncio.to_thread(status_of, process, "VmHWM")
    assert peak - before < MOST_GROWTH, f"{(peak - before) / MIB:.1f} MiB more"


@pytest.fixture
async def back_end(tmp_path: Path) -> AsyncIterator[Process]:
    async with server(tmp_path, (BACK_END, str(SIZE))) as running:
        yield running


@pytest.fixture
async def proxy(tmp_path: Path, back_end: Process) -> AsyncIterator[Process]:
    settings = {
        "OPENAI_BASE_URL": f"{back_end.url}/v1",
        "OPENAI_API_KEY": "sk-canary",
        "DEEP_CHAT_UPSTREAM": "assistants",
        "DEEP_CHAT_ASSISTANT_ID": "asst_local",
        "DEEP_CHAT_MAX_FILE_SIZE": str(SIZE),
        "DEEP_CHAT_MAX_UPLOAD": str(SIZE),
        "TMPDIR": str(tmp_path),
    }
    async with server(tmp_path, **settings) as running:
        yield running
        # The answer is there before the turn has cleared up.
        async with asyncio.timeout(WAIT):
            while await asyncio.to_thread(spooled, tmp_path):
                pass


def spooled(folder: Path) -> list[Path]:
    """Files of visitors that still lie about."""
    return [path for path in folder.rglob("deep-chat-*") if path.is_file()]


def write_large(path: Path) -> str:
    """A text of that size; its SHA-256."""
    digest, left = hashlib.sha256(), SIZE
    with path.open("wb") as file:
        while left > 0:
            file.write(BLOCK[:left])
            digest.update(BLOCK[:left])
            left -= len(BLOCK[:left])
    return digest.hexdigest()


async def test_a_large_upload_reaches_the_back_end_whole_and_in_pieces(
    tmp_path: Path, back_end: Process, proxy: Process
) -> None:
    path = tmp_path / "large.txt"
    digest = await asyncio.to_thread(write_large, path)
    async with Visitor.at(proxy.url) as visitor:
        assert (await visitor.say("hello", CSV)).status == 200
        handle = await asyncio.to_thread(path.open, "rb")
        form = aiohttp.FormData()
        form.add_field("files", handle, filename="large.txt", content_type="text/plain")
        async with hardly_growing(proxy), asyncio.timeout(LONG):
            response = await visitor.session.post(f"{proxy.url}/api/chat", data=form)
            assert (response.status, "error" in await response.json()) == (200, False)
        seen = await visitor.get(f"{back_end.url}/seen")

    assert seen.body.decode().replace(" ", "").endswith(f'[{SIZE},"{digest}"]]')


async def test_a_large_download_reaches_the_visitor_in_pieces_whole_or_in_part(proxy: Process) -> None:
    async with Visitor.at(proxy.url) as visitor, asyncio.timeout(LONG):
        (file,) = (await visitor.say("make a csv")).files
        url = proxy.url + file["src"]
        async with hardly_growing(proxy):
            async with visitor.session.get(url) as response:
                assert (response.status, await length_of(response)) == (200, SIZE)
            async with visitor.session.get(url, headers={"Range": "bytes=-1000"}) as response:
                assert (response.status, await length_of(response)) == (206, 1000)


async def test_a_visitor_who_reads_slowly_does_not_make_the_server_gather_what_the_back_end_sends(
    proxy: Process,
) -> None:
    async with Visitor.at(proxy.url) as visitor:
        (file,) = (await visitor.say("make a csv")).files
        async with hardly_growing(proxy), visitor.session.get(proxy.url + file["src"]) as response:
            assert len(await response.content.readexactly(MIB)) == MIB
            # Nothing more is read while the back end sends what it can.
            for _ in range(10):
                await visitor.get("/healthz")


async def length_of(response: aiohttp.ClientResponse) -> int:
    return sum([len(chunk) async for chunk in response.content.iter_any()])


async def test_a_gigabyte_that_is_refused_is_told_so_while_it_is_sent_and_never_gathered(
    proxy: Process,
) -> None:
    port = int(proxy.url.rpartition(":")[2])
    for declared in (True, False):
        async with hardly_growing(proxy), asyncio.timeout(LONG):
            answer = await sending_a_gigabyte(port, declared=declared)
        assert (answer.status, answer.headers["Connection"]) == (413, "close")
        assert answer.json["error"].endswith("at most 200 MB.")
    async with Visitor.at(proxy.url) as visitor:
        assert (await visitor.say("hello", CSV)).status == 200


async def sending_a_gigabyte(port: int, *, declared: bool) -> Answer:
    """The answer to an upload that goes on for a while after it was told, as browsers do."""
    beginning = b'--X\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\n'
    length = f"Content-Length: {1024 * MIB}" if declared else "Transfer-Encoding: chunked"
    head = (
        f"POST /api/chat HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{length}\r\n"
        "Content-Type: multipart/form-data; boundary=X\r\n\r\n"
    ).encode()
    async with connection(port) as (reader, writer):
        writer.write(head + (beginning if declared else b"%x\r\n%b\r\n" % (len(beginning), beginning)))
        answering = asyncio.get_running_loop().create_task(read_answer(reader), name="read the answer")
        block = b"a" * MIB
        sent = 0
        # The server does not hear a visitor out for ever.
        with suppress(ConnectionError):
            while sent < (1024 if declared else 300):
                writer.write(block if declared else b"%x\r\n%b\r\n" % (len(block), block))
                await writer.drain()
                sent += 1
        assert sent > 250
        answer = await answering
    assert answer is not None
    return answer

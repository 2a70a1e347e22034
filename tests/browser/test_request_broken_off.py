"""A request that ends too early, for whatever reason, leaves no file and no traceback."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from captured import post
from deep_chat_proxy.browser.limits import RequestLimits
from deep_chat_proxy.browser.request import read_chat_request
from deep_chat_proxy.errors import ChatError
from request_reader import BOUNDARY, form_body, json_post, part, request_reader

FORM_TYPE = f"Content-Type: multipart/form-data; boundary={BOUNDARY}"
MESSAGE = b'{"messages":[{"role":"user","text":"t"}]}'


class Watched:
    """A server that tells how reading ended; `spooled` is set once a file lies on disk."""

    def __init__(self, folder: Path, limits: RequestLimits) -> None:
        self.limits = limits
        self.folder = folder
        self.port = 0
        self.task: asyncio.Task[object] | None = None
        self.ended: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    async def handle(self, request: web.Request) -> web.Response:
        self.task = asyncio.current_task()
        try:
            await read_chat_request(request, self.limits, self.folder)
        except (ChatError, asyncio.CancelledError) as fault:
            self.ended.set_result(fault)
            raise web.HTTPBadRequest from None
        return web.Response()

    def left_over(self) -> list[Path]:
        return list(self.folder.iterdir())

    async def until_spooled(self) -> None:
        """Wait until the beginning of an upload was written to disk."""
        async with asyncio.timeout(5):
            while not any(path.stat().st_size for path in self.left_over()):
                await asyncio.to_thread(self.left_over)


@asynccontextmanager
async def watched(
    folder: Path, limits: RequestLimits | None = None, *, handler_cancellation: bool
) -> AsyncIterator[Watched]:
    server = Watched(folder, limits or RequestLimits())
    app = web.Application()
    app.router.add_post("/api/chat", server.handle)
    runner = web.AppRunner(app, handler_cancellation=handler_cancellation, lingering_time=0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.port = runner.addresses[0][1]
        yield server
    finally:
        await runner.cleanup()


UNFINISHED_UPLOAD = post(part("files", b"a" * 300_000, "a.txt")[:-2], FORM_TYPE, length=10_000_000)


@pytest.mark.parametrize("handler_cancellation", [True, False])
async def test_an_upload_that_the_browser_breaks_off_leaves_no_file(
    handler_cancellation: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with watched(tmp_path, handler_cancellation=handler_cancellation) as server, asyncio.timeout(5):
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(UNFINISHED_UPLOAD)
        await server.until_spooled()
        writer.transport.abort()
        await server.ended

        assert server.left_over() == []
    assert [record for record in caplog.records if record.exc_info] == []


async def test_an_upload_whose_reading_is_cancelled_leaves_no_file(tmp_path: Path) -> None:
    async with watched(tmp_path, handler_cancellation=True) as server, asyncio.timeout(5):
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(UNFINISHED_UPLOAD)
        await server.until_spooled()
        assert server.task is not None
        server.task.cancel()

        assert isinstance(await server.ended, asyncio.CancelledError)
        assert server.left_over() == []
        writer.close()


async def test_a_finished_file_is_removed_when_a_later_one_is_refused(tmp_path: Path) -> None:
    async with request_reader(tmp_path) as reader:
        body = form_body(part("files", b"a" * 300_000, "a.txt"), part("files", b"\0", "b.txt"))
        answer = await reader.ask(post(body, FORM_TYPE))

        assert answer.status == 415
        assert reader.left_over() == []


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_body_that_is_said_to_be_compressed_is_refused_even_where_it_is_not(
    encoding: str, tmp_path: Path
) -> None:
    async with request_reader(tmp_path) as reader:
        answer = await reader.ask(json_post(MESSAGE, f"Content-Encoding: {encoding}"))

        assert (answer.status, answer.content["error"].endswith(".")) == (415, True)


async def test_a_body_that_stops_coming_is_given_up(tmp_path: Path) -> None:
    async with request_reader(tmp_path, RequestLimits(max_pause=0.05)) as reader:
        in_a_form = await reader.ask(UNFINISHED_UPLOAD)
        in_json = await reader.ask(post(MESSAGE, length=1000))

        assert (in_a_form.status, in_json.status) == (408, 408)
        assert reader.left_over() == []


async def test_a_broken_chunk_header_does_not_keep_a_request_waiting(tmp_path: Path) -> None:
    head = b"POST /api/chat HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    beginning = part("files", b"a" * 300_000, "a.txt")
    limits = RequestLimits(max_pause=0.2)
    async with watched(tmp_path, limits, handler_cancellation=False) as server, asyncio.timeout(5):
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(head + b"%x\r\n%b\r\n" % (len(beginning), beginning))
        await server.until_spooled()
        writer.write(b"nonsense\r\n")
        fault = await server.ended
        writer.close()

        assert isinstance(fault, ChatError)
        assert server.left_over() == []

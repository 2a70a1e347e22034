"""The command as an operator runs it: a process, its log, its signals, its store."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from yarl import URL

from flows.process import environment_with, server
from flows.visitor import WAIT, Visitor, read_until_text, rest_of

LOST = "*The earlier conversation is no longer there, so this is the beginning of a new one.*"
# A tool that tells the test that it runs, and then does not end.
BELL = """
import asyncio

from deep_chat_proxy import tool


@tool
async def ring() -> str:
    \"\"\"Ring the bell.\"\"\"
    _, writer = await asyncio.open_connection("127.0.0.1", {port})
    writer.close()
    await asyncio.Event().wait()
    return "never"
"""


async def test_a_restart_keeps_the_visitors_and_their_threads(tmp_path: Path) -> None:
    async with server(tmp_path) as first, Visitor.at(first.url) as visitor:
        before = await visitor.say("my name is Ada", stream=True)
        weather = await visitor.say("weather in Paris and Tokyo")
        first_status = await first.end()
        async with server(tmp_path) as second, Visitor.at(second.url, visitor.jar) as later:
            after = await later.say("what is my name?", stream=True)
            named = await later.say("hello", thread_id=before.thread_id)
            second_status = await second.end()

    assert before.text == "Nice to meet you, Ada!"
    assert "**Tokyo**: 25 °C" in weather.text
    # The local OpenAI forgets, the server does not.
    assert after.text == f"{LOST}\n\nYou have not told me your name."
    assert after.thread_id == before.thread_id == named.thread_id
    assert (first_status, second_status) == (0, 0)
    first.check_log()
    second.check_log()


async def test_hundreds_who_come_while_the_server_is_busy_are_let_in(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with server(tmp_path) as running, AsyncExitStack() as stack:
        where = ("127.0.0.1", URL(running.url).port)
        os.kill(running.pid, signal.SIGSTOP)
        visitors = [stack.enter_context(socket.socket()) for _ in range(500)]
        for visitor in visitors:
            visitor.setblocking(False)
        async with asyncio.timeout(WAIT):
            await asyncio.gather(*(loop.sock_connect(visitor, where) for visitor in visitors))
            os.kill(running.pid, signal.SIGCONT)
            for visitor in visitors:
                await loop.sock_sendall(visitor, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answers = [await loop.sock_recv(visitor, 12) for visitor in visitors]

    assert set(answers) == {b"HTTP/1.1 200"}


@pytest.mark.parametrize("text", ["slowly count to 1000", "hang"])
async def test_a_stream_ends_with_an_error_event_when_the_server_is_told_to_end(
    tmp_path: Path, text: str
) -> None:
    # Two seconds: on a busy machine a process may not be on a core for most of one.
    async with server(tmp_path, DEEP_CHAT_SHUTDOWN="2") as running, Visitor.at(running.url) as visitor:
        async with visitor.saying(text) as response:
            await read_until_text(response, "1" if "count" in text else "Thinking")
            running.ask_to_end()
            rest = await rest_of(response)
        status = await running.ended()

    assert rest[-1]["error"] == "The server is restarting. Please try again in a moment."
    assert status == 0
    running.check_log()


@asynccontextmanager
async def idle_connection(url: str) -> AsyncIterator[asyncio.StreamReader]:
    """A connection over which a request was answered: a server that ends closes it once nobody is let in any more.

    Trying to connect would tell it too, but asyncio drops a connection that it has taken just as it stops listening,
    and leaves it to the garbage collector, which warns.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", URL(url).port)
    try:
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        yield reader
    finally:
        writer.close()


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_being_told_to_end_again_and_again_makes_no_difference(tmp_path: Path, workers: str) -> None:
    settings = {"DEEP_CHAT_SHUTDOWN": "3", "DEEP_CHAT_WORKERS": workers}
    async with server(tmp_path, **settings) as running, Visitor.at(running.url) as visitor:
        async with visitor.saying("slowly count to 1000") as response, idle_connection(running.url) as idle:
            await read_until_text(response, "1")
            os.kill(running.pid, signal.SIGINT)
            running.ask_to_end()
            async with asyncio.timeout(WAIT):
                await idle.read()
            running.ask_to_end()
            rest = await rest_of(response)
        status = await running.ended()

    assert rest[-1]["error"] == "The server is restarting. Please try again in a moment."
    assert status == 0
    running.check_log()


async def test_an_answer_as_one_object_becomes_an_error_when_the_server_is_told_to_end(
    tmp_path: Path,
) -> None:
    rung = asyncio.Event()

    def ring(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        rung.set()

    bell = await asyncio.start_server(ring, "127.0.0.1")
    tools = tmp_path / "tools.py"
    tools.write_text(BELL.format(port=bell.sockets[0].getsockname()[1]), encoding="utf-8")
    async with (
        bell,
        server(tmp_path, DEEP_CHAT_TOOLS=str(tools), DEEP_CHAT_SHUTDOWN="1") as running,
        Visitor.at(running.url) as visitor,
        asyncio.TaskGroup() as group,
    ):
        asked = group.create_task(visitor.say("call ring"), name="a visitor who waits")
        async with asyncio.timeout(WAIT):
            await rung.wait()
        running.ask_to_end()
        answer = await asked
        status = await running.ended()

    assert (answer.status, answer.error) == (503, "The server is restarting. Please try again in a moment.")
    assert status == 0
    running.check_log()


async def test_a_wrong_setting_is_refused_by_name_and_nothing_starts(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-m", "deep_chat_proxy", "--port", "0"),
        cwd=tmp_path,
        env=environment_with(DEEP_CHAT_GRACE="soon"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(WAIT):
        out, told = await process.communicate()

    assert (process.returncode, out) == (2, b"")
    assert told.startswith(b"deep-chat-proxy: DEEP_CHAT_GRACE: ")
    assert told.count(b"\n") == 1


async def test_an_address_that_is_taken_is_told_in_one_line(tmp_path: Path) -> None:
    async with server(tmp_path) as running:
        port = running.url.rpartition(":")[2]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "deep_chat_proxy", "--port", port),
            cwd=tmp_path,
            env=environment_with(DEEP_CHAT_STORE="sqlite::memory:"),
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(WAIT):
            _, told = await process.communicate()

    assert process.returncode == 1
    assert b"Traceback" not in told
    assert b"deep-chat-proxy: " in told.splitlines()[-1]


async def test_a_process_may_open_as_many_files_as_the_system_lets_it(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    try:
        async with server(tmp_path) as running:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
            soft, hard = resource.prlimit(running.pid, resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

    assert soft == min(hard, 65_536)

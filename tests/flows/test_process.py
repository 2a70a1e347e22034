"""The command as an operator runs it: a process, its log, its signals, its store."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from flows.visitor import WAIT, Visitor, events_in, read_until_text

LOST = "*The earlier conversation is no longer there, so this is the beginning of a new one.*"
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (INFO|WARNING) [\w.]+: \S.*")
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
ADDRESS = re.compile(rb"http://127\.0\.0\.1:\d+")


class Process:
    """A server as a process at `url`; `log` grows as it is read."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.log: list[bytes] = []
        self.url = ""

    async def read_address(self) -> None:
        """Read the log until it names the address."""
        assert self._process.stderr is not None
        while not self.url:
            line = await self._process.stderr.readline()
            assert line, self.log
            self.log.append(line)
            if found := ADDRESS.search(line):
                self.url = found[0].decode()

    async def end(self) -> int:
        """Ask it to end and wait for that; returns the exit status."""
        self.ask_to_end()
        return await self.ended()

    def ask_to_end(self) -> None:
        """Send SIGTERM."""
        self._process.terminate()

    async def ended(self) -> int:
        """Wait for the end, which a server that was asked to end comes to within four seconds."""
        async with asyncio.timeout(4):
            out, rest = await self._process.communicate()
        assert out == b""
        self.log += rest.splitlines(keepends=True)
        assert self._process.returncode is not None
        return self._process.returncode

    def check_log(self) -> None:
        """One line an event: no traceback, no error."""
        assert self.log
        for line in self.log:
            assert LOG_LINE.fullmatch(line.decode().rstrip("\n")), line


def environment_with(**settings: str) -> dict[str, str]:
    """The environment with these settings and none of those of whoever runs the tests."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("DEEP_CHAT_", "OPENAI_"))
    }
    return kept | settings


@asynccontextmanager
async def server(folder: Path, **environment: str) -> AsyncIterator[Process]:
    """Run it with a store in `folder`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-m", "deep_chat_proxy", "--port", "0"),
        cwd=folder,
        env=environment_with(DEEP_CHAT_STORE=f"sqlite:{folder}/store.sqlite3", **environment),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    running = Process(process)
    try:
        async with asyncio.timeout(WAIT):
            await running.read_address()
        yield running
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


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


@pytest.mark.parametrize("text", ["slowly count to 1000", "hang", "call get_weather then wait 60 seconds"])
async def test_a_stream_ends_with_an_error_event_when_the_server_is_told_to_end(
    tmp_path: Path, text: str
) -> None:
    async with server(tmp_path) as running, Visitor.at(running.url) as visitor:
        async with visitor.saying(text) as response:
            await read_until_text(response, "1" if "count" in text else "Thinking")
            running.ask_to_end()
            async with asyncio.timeout(WAIT):
                rest = events_in(await response.read())
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
        server(tmp_path, DEEP_CHAT_TOOLS=str(tools)) as running,
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

"""The command as an operator runs it: a process, its log, its signals, its store."""

import asyncio
import sys
from pathlib import Path

import pytest

from flows.process import environment_with, server
from flows.visitor import WAIT, Visitor, events_in, read_until_text

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


@pytest.mark.parametrize("text", ["slowly count to 1000", "hang"])
async def test_a_stream_ends_with_an_error_event_when_the_server_is_told_to_end(
    tmp_path: Path, text: str
) -> None:
    async with server(tmp_path, DEEP_CHAT_SHUTDOWN="1") as running, Visitor.at(running.url) as visitor:
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

"""SIGTERM: turns may come to their end, the others are left to the next process, and this one ends in time."""

import asyncio
import os
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from deep_chat_proxy.local_openai import LocalOptions
from flows.process import server
from flows.server import DIALECTS, KEY, back_end
from flows.upstream_view import active, conversations
from flows.visitor import WAIT, Answer, Visitor, answer_of, read_until_text

RESTARTING = "The server is restarting. Please try again in a moment."
STREAMS = int(os.environ.get("SHUTDOWN_STREAMS", "200"))
# Seconds.
WITHIN = 8
COUNTED = "".join(f"{number} " for number in range(1, 101))
# An answer takes about ten seconds.
SLOW = LocalOptions(token_delay=0.05, poll_after_ms=200)


def environment(dialect: str, base_url: str, **chosen: str) -> dict[str, str]:
    settings = {name: value for name, value in DIALECTS[dialect].items() if name != "hosted_tools"}
    found = {f"DEEP_CHAT_{name.upper()}": str(value) for name, value in (settings | chosen).items()}
    return found | {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": KEY}


async def begun(visitor: Visitor, stack: AsyncExitStack, text: str) -> Any:
    response = await stack.enter_async_context(visitor.saying(text))
    await read_until_text(response, " 3")
    return response


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_many_streams_end_in_time_and_every_answer_is_whole_after_the_restart(
    tmp_path: Path, dialect: str
) -> None:
    async with back_end(SLOW) as (base_url, state), AsyncExitStack() as stack:
        settings = environment(dialect, base_url, shutdown=str(WITHIN))
        first = await stack.enter_async_context(server(tmp_path, **settings))
        visitors = [await stack.enter_async_context(Visitor.at(first.url)) for _ in range(STREAMS)]
        responses = await asyncio.gather(*(begun(visitor, stack, "count to 100") for visitor in visitors))
        first.ask_to_end()
        began = time.monotonic()
        async with asyncio.timeout(3 * WAIT):
            ended = await asyncio.gather(*(answer_of(response) for response in responses))
            status = await first.ended(within=WAIT)
        took = time.monotonic() - began

        second = await stack.enter_async_context(server(tmp_path, **settings))
        async with asyncio.timeout(6 * WAIT):
            whole = await asyncio.gather(*(answer_after(second.url, visitor) for visitor in visitors))
        held = conversations(state)
        assert active(state) == []
        await second.end()

    assert status == 0
    assert took < WITHIN + 0.5
    # Those that were soon at their end came to it; of each the beginning was read before.
    assert {answer.error for answer in ended} - {None} == {RESTARTING}
    assert all(COUNTED.endswith(answer.text) for answer in ended if answer.error is None)
    assert {answer.text for answer in whole} == {COUNTED}
    # Every message is there once: with its answer, in a conversation of its own.
    assert [len(items) for items in held] == [2] * (STREAMS if held else 0)
    first.check_log()
    second.check_log()


async def answer_after(url: str, visitor: Visitor) -> Answer:
    """What a page has that comes back after a restart."""
    async with Visitor.at(url, visitor.jar) as later, later.session.get(f"{url}/api/chat/resume") as response:
        return await answer_of(response)


async def test_turns_that_end_soon_come_to_their_end_before_the_process_does(tmp_path: Path) -> None:
    async with server(tmp_path) as running, Visitor.at(running.url) as visitor:
        async with visitor.saying("slowly count to 8") as response:
            await read_until_text(response, "1")
            running.ask_to_end()
            answer = await answer_of(response)
        status = await running.ended(within=8)

    assert answer.error is None
    assert answer.text.split()[-1] == "8"
    assert status == 0


async def test_a_server_that_ends_takes_no_message_any_more(tmp_path: Path) -> None:
    async with (
        server(tmp_path) as running,
        Visitor.at(running.url) as visitor,
        Visitor.at(running.url) as other,
    ):
        await other.get("/healthz")
        async with visitor.saying("slowly count to 8") as response:
            await read_until_text(response, "1")
            running.ask_to_end()
            await answer_of(response)
        with pytest.raises(OSError, match="Connect call failed"):
            await other.say("hello")
        await running.ended(within=8)


async def test_a_tool_that_never_ends_does_not_keep_the_process(tmp_path: Path) -> None:
    tools = tmp_path / "tools.py"
    tools.write_text(
        "import time\nfrom deep_chat_proxy import tool\n\n\n@tool\ndef ponder() -> str:\n"
        '    """Think."""\n    time.sleep(600)\n    return "done"\n'
    )
    chosen = {"DEEP_CHAT_TOOLS": str(tools), "DEEP_CHAT_SHUTDOWN": "2"}
    async with server(tmp_path, **chosen) as running, Visitor.at(running.url) as visitor:
        async with visitor.saying("call ponder") as response:
            await read_until_text(response, "Using")
            running.ask_to_end()
            answer = await answer_of(response)
        began = time.monotonic()
        await running.ended(within=8)

    assert answer.error == RESTARTING
    assert time.monotonic() - began < 3

"""A server that goes down in the middle of a turn, and the next one, which goes on with it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import FormData

from chat_server import STREAM, Client, ask, ask_stream, chat_server, events_in, said
from deep_chat_proxy.errors import SHUTTING_DOWN
from deep_chat_proxy.turn.events import Accepted, Completed, TextDelta
from playing import Step, soon, until

HALF: list[Step] = [[Accepted(), TextDelta("One ")], None]
WHOLE: list[Step] = [[Accepted(), TextDelta("One two."), Completed()]]


@pytest.fixture
def kept(tmp_path: Path) -> dict[str, Any]:
    """Settings of servers that share a store, and are quick to go down."""
    return {"store": f"sqlite:{tmp_path}/store.sqlite3", "shutdown": 1.0, "grace": 60.0}


async def begun_and_left(kept: dict[str, Any]) -> tuple[Client, bytes]:
    """A message that a server was answering when it went down: its visitor, and what they got."""
    async with chat_server(HALF, **kept) as server:
        client = await server.visitor()
        async with client.post("/api/chat", json=said(), headers=STREAM) as response:
            await soon(response.content.readuntil(b"One"))
            async with asyncio.TaskGroup() as group:
                rest = group.create_task(soon(response.read()))
                group.create_task(server.close())
        assert server.dialect.turns[0].left == 1
        assert server.dialect.turns[0].closed == 0
        return client, rest.result()


async def test_a_page_is_told_that_the_server_restarts_and_finds_its_answer_afterwards(
    kept: dict[str, Any],
) -> None:
    before, rest = await begun_and_left(kept)
    assert events_in(rest)[-1]["error"] == SHUTTING_DOWN.sentence

    async with chat_server(WHOLE, **kept) as server:
        client = await server.visitor(of=before)
        async with asyncio.timeout(5), client.get("/api/chat/resume") as response:
            events = events_in(await response.read())

        assert events[-1]["text"] == "One two."
        assert [message.text for _, message in server.dialect.asked] == ["Hello"]


async def test_a_message_that_is_sent_again_to_the_next_server_is_not_asked_twice(
    kept: dict[str, Any],
) -> None:
    before, _ = await begun_and_left(kept)
    async with chat_server(WHOLE, **kept) as server:
        client = await server.visitor(of=before)

        assert (await ask(client))[1]["text"] == "One two."
        assert len(server.dialect.asked) == 1


async def test_the_next_message_waits_for_the_answer_that_was_left(kept: dict[str, Any]) -> None:
    before, _ = await begun_and_left(kept)
    goes_on = asyncio.Event()
    slow: list[Step] = [[Accepted()], goes_on, [TextDelta("One two."), Completed()]]
    async with chat_server(slow, WHOLE, **kept) as server:
        client = await server.visitor(of=before)
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(ask(client, "And now?"))
            await until(lambda: server.chat.turns)
            assert len(server.dialect.asked) <= 1
            goes_on.set()

        assert asking.result()[0] == 200
        assert [message.text for _, message in server.dialect.asked] == ["Hello", "And now?"]


async def test_a_turn_that_may_end_in_time_is_answered_before_the_server_goes_down(
    kept: dict[str, Any],
) -> None:
    goes_on = asyncio.Event()
    script: list[Step] = [[Accepted(), TextDelta("One ")], goes_on, [TextDelta("two."), Completed()]]
    async with chat_server(script, **{**kept, "shutdown": 10.0}) as server:
        client = await server.visitor()
        async with client.post("/api/chat", json=said(), headers=STREAM) as response:
            await soon(response.content.readuntil(b"One"))
            async with asyncio.TaskGroup() as group:
                rest = group.create_task(soon(response.read()))
                group.create_task(soon(server.close()))
                goes_on.set()

        assert events_in(rest.result())[-1]["text"] == "two."
        assert (server.dialect.turns[0].left, server.dialect.turns[0].closed) == (0, 1)


async def test_the_files_of_a_message_are_there_for_the_next_server(kept: dict[str, Any]) -> None:
    form = FormData()
    form.add_field("files", b"\x89PNG\r\n\x1a\n" + bytes(32), filename="a.png", content_type="image/png")
    form.add_field("message1", json.dumps({"role": "user", "text": "Look"}))
    async with chat_server(HALF, **kept) as server:
        client = await server.visitor()
        async with client.post("/api/chat", data=form, headers=STREAM) as response:
            await soon(response.content.readuntil(b"One"))
            async with asyncio.TaskGroup() as group:
                group.create_task(soon(response.read()))
                group.create_task(server.close())
    async with chat_server(WHOLE, **kept) as server:
        await until(lambda: server.dialect.asked)
        (file,) = server.dialect.asked[0][1].attachments

        assert file.name == "a.png"
        assert await asyncio.to_thread(file.path.read_bytes) == b"\x89PNG\r\n\x1a\n" + bytes(32)


async def test_a_server_that_goes_down_with_nothing_to_do_leaves_no_folder(
    kept: dict[str, Any], tmp_path: Path
) -> None:
    for _ in range(2):
        async with chat_server(WHOLE, **kept) as server:
            await ask_stream(await server.visitor())

    assert await asyncio.to_thread(lambda: list((tmp_path / "store.processes").iterdir())) == []

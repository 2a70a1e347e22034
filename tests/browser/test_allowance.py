"""A visitor's day has a limit, which is told while an upload arrives, and counts only what was taken."""

import json
from typing import Any

import aiohttp
import pytest

from captured import exchange, post
from chat_server import ChatServer, Client, ask, chat_server
from deep_chat_proxy.errors import UNREACHABLE, ChatError
from deep_chat_proxy.turn.events import Accepted, Completed, Failed, TextDelta
from playing import Step
from request_reader import BOUNDARY, part

ANSWER: list[Step] = [[Accepted(), TextDelta("Yes"), Completed()]]
FAILURE: list[Step] = [[Accepted(), Failed(UNREACHABLE)]]
FORM_TYPE = f"Content-Type: multipart/form-data; boundary={BOUNDARY}"


async def send(client: Client, *files: bytes, text: str = "Look") -> tuple[int, Any, str | None]:
    """Status, body and Retry-After of a message with these files."""
    form = aiohttp.FormData()
    for number, data in enumerate(files):
        form.add_field("files", data, filename=f"{number}.txt")
    form.add_field("message1", json.dumps({"role": "user", "text": text}))
    async with client.post("/api/chat", data=form) as response:
        return response.status, await response.json(), response.headers.get("Retry-After")


async def used(server: ChatServer) -> list[tuple[int, int]]:
    return [
        (row[0], row[1])
        for row in await server.chat.allowances._database.read("SELECT files, bytes FROM allowance")
    ]


async def test_files_above_the_days_number_are_refused_until_tomorrow() -> None:
    async with chat_server(ANSWER, ANSWER, daily_files=2) as server:
        client = await server.visitor()
        assert (await send(client, b"a", text="1"))[0] == 200
        status, body, wait = await send(client, b"b", b"c", text="2")

        assert (status, body["error"]) == (
            413,
            "At most 2 files can be sent in a day. Please wait with these until tomorrow (00:00 UTC).",
        )
        assert 0 < int(wait or 0) <= 24 * 3600
        assert (await send(client, b"b", text="3"))[0] == 200
        assert (await send(client, b"d", text="4"))[0] == 413


async def test_bytes_above_the_days_sum_are_refused_and_a_message_of_text_is_not() -> None:
    async with chat_server(ANSWER, ANSWER, daily_upload=1000) as server:
        client = await server.visitor()
        assert (await send(client, b"a" * 900, text="1"))[0] == 200
        status, body, _ = await send(client, b"b" * 101, text="2")

        assert (status, "1,000 bytes of files" in body["error"]) == (413, True)
        assert (await ask(client))[0] == 200


async def test_the_limit_is_told_in_the_middle_of_an_upload() -> None:
    async with chat_server(daily_upload=1000) as server:
        unfinished = post(part("files", b"a" * 2000, "a.txt"), FORM_TYPE, length=10_000_000)
        answer = await exchange(server.port, [unfinished])

        assert (answer.status, "until tomorrow" in answer.content["error"]) == (413, True)
        assert await used(server) == []


async def test_another_visitor_has_a_day_of_their_own() -> None:
    async with chat_server(ANSWER, ANSWER, daily_files=1) as server:
        for client in (await server.visitor(), await server.visitor()):
            assert (await send(client, b"a"))[0] == 200


async def test_a_message_that_is_refused_is_not_counted() -> None:
    async with chat_server(ANSWER, daily_files=1) as server:
        client = await server.visitor()
        assert (await send(client, b"a\0"))[0] == 415
        form = aiohttp.FormData({"thread_id": "made-up"})
        form.add_field("files", b"a", filename="a.txt")
        assert (await client.post("/api/chat", data=form)).status == 404

        assert await used(server) == []
        assert (await send(client, b"a"))[0] == 200
        assert await used(server) == [(1, 1)]


async def test_a_message_that_no_turn_takes_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: object, **__: object) -> None:
        raise ChatError(UNREACHABLE)

    async with chat_server(daily_files=1) as server:
        monkeypatch.setattr(server.chat.turns, "take", full)
        assert (await send(await server.visitor(), b"a"))[0] == 502

        assert await used(server) == [(0, 0)]


async def test_every_message_counts_that_a_turn_takes_the_same_one_again_too() -> None:
    async with chat_server(FAILURE, ANSWER, daily_files=2) as server:
        client = await server.visitor()
        assert (await send(client, b"a"))[0] == 502
        assert (await send(client, b"a"))[0] == 200

        assert await used(server) == [(2, 2)]
        assert (await send(client, b"a"))[0] == 413


async def test_a_message_without_files_asks_and_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with chat_server(ANSWER) as server:
        monkeypatch.delattr(type(server.chat.allowances), "left")
        monkeypatch.delattr(type(server.chat.allowances), "take")

        assert (await ask(await server.visitor()))[0] == 200

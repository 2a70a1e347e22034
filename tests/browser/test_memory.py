"""What all requests hold in memory together has a bound; at it there is a clear refusal."""

import asyncio
import json

import pytest

from captured import Answer, exchange, post
from chat_server import ChatServer, chat_server, said
from deep_chat_proxy.browser.memory import BodyMemory
from deep_chat_proxy.errors import SERVER_BUSY, ChatError
from deep_chat_proxy.turn.events import Accepted, Completed, TextDelta
from playing import Step
from request_reader import BOUNDARY, part

ANSWER: list[Step] = [[Accepted(), TextDelta("Yes"), Completed()]]


def test_a_share_is_given_back_whatever_happens() -> None:
    memory = BodyMemory(100)
    with memory.share() as share:
        share.hold(60)
        with pytest.raises(ChatError) as refusal:
            share.hold(41)

    assert (refusal.value.problem, refusal.value.retry_after) == (SERVER_BUSY, 1)
    assert memory.held == 0


def test_a_request_that_cannot_go_on_makes_room_for_the_others() -> None:
    memory = BodyMemory(100)
    with memory.share() as one:
        one.hold(60)
        with memory.share() as other:
            other.hold(30)
            with pytest.raises(ChatError):
                other.hold(30)
        one.hold(40)
        with pytest.raises(ChatError), memory.share():
            pass

    assert memory.held == 0


async def until_held(server: ChatServer, size: int) -> None:
    async with asyncio.timeout(5):
        while server.chat.memory.held < size:
            await asyncio.to_thread(int)


async def small(server: ChatServer) -> Answer:
    return await exchange(server.port, [post(json.dumps(said()).encode())])


@pytest.mark.parametrize("kind", ["json", "form"])
async def test_a_body_above_the_bound_is_told_to_come_back_and_those_before_it_go_on(kind: str) -> None:
    message = json.dumps({**said(), "padding": "x" * 900}).encode()
    if kind == "json":
        whole = post(message)
    else:
        fields = json.dumps({"role": "user", "text": "Hello", "padding": "x" * 900}).encode()
        body = part("message1", fields) + f"--{BOUNDARY}--\r\n".encode()
        whole = post(body, f"Content-Type: multipart/form-data; boundary={BOUNDARY}")
    async with (
        chat_server(ANSWER, ANSWER, max_body=1000, bodies_in_memory=1000) as server,
        asyncio.timeout(10),
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(whole[:-100])
        await until_held(server, 700)
        second = await exchange(server.port, [post(message)])
        writer.write(whole[-100:])
        first = await reader.readuntil(b"\r\n\r\n")
        writer.close()

        assert (second.status, second.content["error"]) == (503, SERVER_BUSY.sentence)
        assert b" 200 " in first.splitlines()[0]
        assert server.chat.memory.held == 0
        assert (await small(server)).status == 200


async def test_a_body_that_is_broken_off_gives_its_share_back() -> None:
    async with chat_server(ANSWER, max_body=1000) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(post(b"x" * 500, length=900))
        await until_held(server, 500)
        writer.transport.abort()
        async with asyncio.timeout(5):
            while server.chat.memory.held:
                await asyncio.to_thread(int)

        assert (await small(server)).status == 200

"""An answer as one JSON object."""

import asyncio

import pytest

from chat_server import ask, chat_server
from deep_chat_proxy.errors import EMPTY_ANSWER, FAILED, RATE_LIMITED, STOPPED, ChatError, Problem
from deep_chat_proxy.turn.events import (
    Accepted,
    Cited,
    Completed,
    Cut,
    Failed,
    FileKind,
    FileMade,
    Stopped,
    TextDelta,
    TextReplaced,
)
from playing import Step, csv_made, soon, until


async def test_an_answer_is_an_object_with_its_text_and_thread() -> None:
    async with chat_server([[Accepted(), TextDelta("Hel")], [TextDelta("lo"), Completed()]]) as server:
        status, body = await ask(await server.visitor())

        assert status == 200
        assert body == {
            "text": "Hello",
            "thread_id": body["thread_id"],
            "_sessionId": body["thread_id"],
            "turn_id": body["turn_id"],
        }
        assert body["thread_id"]
        assert body["turn_id"]


async def test_text_before_and_after_a_replacement_is_as_a_stream_would_show_it() -> None:
    script: list[Step] = [
        [Accepted(), TextDelta("wrong"), TextReplaced("right"), TextDelta("."), Completed()]
    ]
    async with chat_server(script) as server:
        assert (await ask(await server.visitor()))[1]["text"] == "right."


async def test_files_come_with_the_answer_by_our_own_address() -> None:
    async with chat_server([[Accepted(), TextDelta("Here"), csv_made("file-abc"), Completed()]]) as server:
        _, body = await ask(await server.visitor())

        assert [(file["name"], file["type"]) for file in body["files"]] == [("data.csv", "any")]
        assert body["files"][0]["src"].startswith("/api/files/")
        assert "file-abc" not in str(body)


async def test_files_alone_get_a_text_as_an_empty_one_is_an_invisible_bubble() -> None:
    async with chat_server([[Accepted(), csv_made(), Completed()]]) as server:
        assert (await ask(await server.visitor()))[1]["text"] == "*Here it is:*"


@pytest.mark.parametrize(
    ("cut", "says"), [(Cut.LENGTH, "its longest length"), (Cut.CONTENT_FILTER, "content rules")]
)
async def test_a_cut_answer_says_why(cut: Cut, says: str) -> None:
    async with chat_server([[Accepted(), TextDelta("Half"), Completed(cut)]]) as server:
        text = (await ask(await server.visitor()))[1]["text"]

        assert text.startswith("Half\n\n*")
        assert says in text


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        (ChatError(FAILED, "sk-cause"), FAILED),
        ([Accepted(), TextDelta("Half"), Failed(RATE_LIMITED, 2)], RATE_LIMITED),
        ([Accepted(), Completed()], EMPTY_ANSWER),
        ([Accepted(), Stopped()], STOPPED),
    ],
)
async def test_a_failure_is_a_real_status_with_the_thread(step: Step, problem: Problem) -> None:
    async with chat_server([step]) as server:
        status, body = await ask(await server.visitor())

        assert status == problem.status
        assert body == {"error": problem.sentence, "thread_id": body["thread_id"]}


async def test_the_wish_of_the_back_end_to_wait_is_passed_on() -> None:
    async with chat_server([[Accepted(), Failed(RATE_LIMITED, 1.2)]]) as server:
        client = await server.visitor()
        async with client.post("/api/chat", json={"messages": [{"role": "user", "text": "Hi"}]}) as response:
            assert response.headers["Retry-After"] == "2"


async def test_a_partial_answer_is_kept_where_the_turn_was_stopped() -> None:
    async with chat_server([[Accepted(), TextDelta("Half"), Stopped()]]) as server:
        assert (await ask(await server.visitor()))[1]["text"] == "Half\n\n*Stopped.*"


async def test_a_file_is_kept_where_the_turn_was_stopped() -> None:
    async with chat_server([[Accepted(), csv_made(), Stopped()]]) as server:
        assert len((await ask(await server.visitor()))[1]["files"]) == 1


async def test_the_answer_waits_for_the_end_of_the_turn() -> None:
    goes_on = asyncio.Event()
    async with chat_server([[Accepted(), TextDelta("a")], goes_on, [TextDelta("b"), Completed()]]) as server:
        client = await server.visitor()
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(ask(client))
            await until(lambda: server.dialect.turns)
            await soon(server.dialect.turns[0].begun.wait())
            assert not asking.done()
            goes_on.set()

        assert asking.result()[1]["text"] == "ab"


async def test_sources_come_as_text_and_as_data() -> None:
    cited = Cited("S", "https://s.example", marker="【4:0†source】")
    async with chat_server([[Accepted(), TextDelta("One【4:0†source】."), cited, Completed()]]) as server:
        _, body = await ask(await server.visitor())

        assert body["text"].startswith(r"One[\[1\]](https://s.example).")
        assert body["text"].endswith("1. [S](https://s.example)")
        assert body["custom"] == {"sources": [{"number": 1, "title": "S", "url": "https://s.example"}]}


async def test_a_file_that_the_model_wrote_of_is_a_link_to_our_own_address() -> None:
    made = FileMade("up-1", "t.csv", FileKind.ANY, marker="sandbox:/mnt/t.csv")
    async with chat_server([[Accepted(), TextDelta("[T](sandbox:/mnt/t.csv)"), made, Completed()]]) as server:
        _, body = await ask(await server.visitor())

        assert body["text"] == f"[T]({body['files'][0]['src']})"

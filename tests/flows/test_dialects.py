"""What a visitor does, with a back end that speaks Responses or Chat Completions; Assistants are in
test_conversations.py.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from deep_chat_proxy.local_openai import LocalOptions
from flows.server import DIALECTS, Site, site
from flows.visitor import CSV, DISPOSITION, WAIT, Visitor, read_events, read_until_text, rest_of
from playing import until

SLOW = LocalOptions(token_delay=0.01)
WEATHER = "Here is the weather:\n\n- **Paris**: 21 °C, partly cloudy\n- **Tokyo**: 25 °C, sunny\n"
CUT_OFF = "The connection to the assistant was lost before the answer was complete. Please try again."


@pytest.fixture(params=["responses", "chat"])
def dialect(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The settings of each, one after the other."""
    return DIALECTS[request.param]


@pytest.fixture
async def whole(dialect: dict[str, Any]) -> AsyncIterator[Site]:
    async with site(grace=0, **dialect) as running:
        yield running


@pytest.fixture
async def visitor(whole: Site) -> AsyncIterator[Visitor]:
    async with whole.visitor() as one:
        yield one


@pytest.mark.parametrize("stream", [False, True])
async def test_a_thread_goes_on_over_text_and_files(visitor: Visitor, stream: bool) -> None:
    first = await visitor.say("my name is Ada", stream=stream)
    second = await visitor.say("and this file?", CSV, stream=stream)
    third = await visitor.say("what is my name?", stream=stream)

    assert first.text == "Nice to meet you, Ada!"
    assert second.text == "**cities.csv** (24 bytes) says: “city,celsius Paris,21”\n"
    assert third.text == "Your name is Ada."
    assert first.thread_id == second.thread_id == third.thread_id


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "show markdown",
        "unicode",
        "two messages",
        "weather in Paris and Tokyo",
        "make a csv",
        "draw a chart",
        "search the web for news",
    ],
)
@pytest.mark.parametrize("follow", ["stream", "poll"])
async def test_a_stream_and_one_object_say_the_same_however_the_answer_is_followed(
    dialect: dict[str, Any], text: str, follow: str
) -> None:
    async with site(follow=follow, pace=0, **dialect) as running, running.visitor() as visitor:
        whole_answer = await visitor.say(text)
        await visitor.post("/api/threads")
        streamed = await visitor.say(text, stream=True)

    assert (whole_answer.status, streamed.error) == (200, None)
    assert streamed.plain_text == whole_answer.plain_text
    assert [file["name"] for file in streamed.files] == [file["name"] for file in whole_answer.files]


async def test_tools_are_told_of_while_they_run(visitor: Visitor) -> None:
    answer = await visitor.say("weather in Paris and Tokyo", stream=True)

    told = [part["status"]["state"] for part in answer.events if "status" in part]
    assert told == ["started", "started", "ended", "ended"]
    assert answer.text == WEATHER


async def test_two_rounds_of_tools_make_one_answer(visitor: Visitor) -> None:
    assert (await visitor.say("weather in Paris then in Tokyo", stream=True)).text == WEATHER


async def test_a_file_that_is_kept_here_can_be_fetched_whole_and_in_parts() -> None:
    async with site(**DIALECTS["responses"]) as running, running.visitor() as visitor:
        (file,) = (await visitor.say("make a csv", stream=True)).files
        fetched = await visitor.get(file["src"])
        part = await visitor.session.get(running.url + file["src"], headers={"Range": "bytes=0-3"})

        assert (file["name"], file["type"]) == ("cities.csv", "any")
        assert fetched.body.startswith(b"city,celsius\r\nParis,21\r\n")
        assert fetched.headers["Content-Type"] == "text/csv"
        assert fetched.headers["Content-Disposition"] == DISPOSITION
        assert fetched.headers["X-Content-Type-Options"] == "nosniff"
        assert (part.status, await part.read()) == (206, b"city")
        async with running.visitor() as other:
            assert (await other.get(file["src"])).status == 404


@pytest.mark.parametrize("follow", ["stream", "poll"])
async def test_a_closed_connection_ends_the_answer_and_the_next_message_works(
    dialect: dict[str, Any], follow: str
) -> None:
    async with site(SLOW, grace=0, follow=follow, **dialect) as running, running.visitor() as visitor:
        async with visitor.saying("count to 5000") as response:
            await read_events(response, 1)
            (turn,) = running.live_turns()
        async with asyncio.timeout(WAIT):
            await turn.gone.wait()
        await until(lambda: not running.state.active_responses())
        answer = await visitor.say("hello", stream=True)

    assert answer.text == "Hello again! I am the **local assistant**. Write `help` to see what I can do."


async def test_stop_keeps_what_was_said_and_the_next_message_works(dialect: dict[str, Any]) -> None:
    async with site(SLOW, **dialect) as running, running.visitor() as visitor:
        async with visitor.saying("count to 5000") as response:
            said = await read_until_text(response, "3")
            (turn,) = running.live_turns()
            stopped = await visitor.post("/api/chat/stop")
            async with asyncio.timeout(WAIT):
                rest = await response.read()
                await turn.gone.wait()
        answer = await visitor.say("what did I say before?", stream=True)
        count = await visitor.say("how many messages?")

    assert stopped.json["stopped"] is True
    assert b"error" not in rest
    assert said.startswith("1 2 3")
    assert answer.text == "Just before this you said: “count to 5000”"
    assert count.text == "This thread has 3 messages of yours, this one included, and 2 of mine."


@pytest.mark.parametrize(
    "text", ["hang", "hang at once", "slowly count to 100", "call no_such_tool then call hang"]
)
async def test_stop_works_before_anything_was_said(dialect: dict[str, Any], text: str) -> None:
    async with site(**dialect) as running, running.visitor() as visitor:
        await visitor.say("hello")
        async with visitor.saying(text) as response:
            await read_events(response, 1)
            await visitor.post("/api/chat/stop")
            rest = await rest_of(response)
        answer = await visitor.say("how many messages?")

    assert not any("error" in part for part in rest)
    assert answer.text.startswith("This thread has 3 messages of yours")


async def test_an_error_within_an_answer_comes_last_and_leaves_the_text_before_it(visitor: Visitor) -> None:
    answer = await visitor.say("fail", stream=True)
    later = await visitor.say("hello", stream=True)

    assert answer.text == "This is the beginning of an answer that will not come to its end."
    assert answer.error == "The assistant ran into an error. Please try again."
    assert [part for part in answer.events if "error" in part] == answer.events[-1:]
    assert later.error is None


async def test_a_stream_of_the_back_end_that_breaks_off_is_said_to_be_cut(visitor: Visitor) -> None:
    answer = await visitor.say("cut the connection", stream=True)
    later = await visitor.say("hello", stream=True)

    assert answer.text == "This is the beginning of an answer that will not come to its end."
    assert answer.error == CUT_OFF
    assert later.error is None


async def test_a_message_that_waits_for_the_first_answer_goes_on_in_the_same_thread(
    dialect: dict[str, Any],
) -> None:
    async with site(SLOW, **dialect) as running, running.visitor() as visitor:
        await visitor.post("/api/threads")
        async with asyncio.timeout(WAIT), asyncio.TaskGroup() as tabs:
            first = tabs.create_task(visitor.say("my name is Ada", stream=True))
            await asyncio.sleep(0)
            second = tabs.create_task(visitor.say("what is my name?", stream=True))

    assert first.result().text == "Nice to meet you, Ada!"
    assert second.result().text == "Your name is Ada."


async def test_what_the_instructions_say_holds_for_every_message(dialect: dict[str, Any]) -> None:
    async with site(instructions="Speak of cheese.", **dialect) as running, running.visitor() as visitor:
        answers = [await visitor.say("what are your instructions?") for _ in range(3)]

    assert all("Speak of cheese." in answer.text for answer in answers)

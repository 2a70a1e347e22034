"""What a visitor does, from the request to the answer."""

import asyncio

import pytest
from aiohttp import web

from deep_chat_proxy import create_app, tool
from deep_chat_proxy.local_openai import LocalOptions, create_local_openai
from deep_chat_proxy.tasks import Tasks
from flows.server import FAST, Site, back_end, serving, settings_for, site
from flows.visitor import (
    CSV,
    DISPOSITION,
    WAIT,
    SentFile,
    Visitor,
    read_events,
    read_until_text,
    rest_of,
)

LOST = "*The earlier conversation is no longer there, so this is the beginning of a new one.*"
NOT_FOUND = "This conversation was not found. Please start a new one."
SLOW = LocalOptions(token_delay=0.01)
WEATHER = "Here is the weather:\n\n- **Paris**: 21 °C, partly cloudy\n- **Tokyo**: 25 °C, sunny\n"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_thread_goes_on_over_text_and_files(whole: Site, visitor: Visitor, stream: bool) -> None:
    first = await visitor.say("my name is Ada", stream=stream)
    second = await visitor.say("and this file?", CSV, stream=stream)
    third = await visitor.say("what is my name?", stream=stream)

    assert first.text == "Nice to meet you, Ada!"
    assert second.text == "**cities.csv** (24 bytes) says: “city,celsius Paris,21”\n"
    assert third.text == "Your name is Ada."
    assert first.thread_id == second.thread_id == third.thread_id
    assert len(whole.state.threads) == 1


async def test_the_thread_goes_on_in_a_new_browser_window_with_the_same_cookies(
    whole: Site, visitor: Visitor
) -> None:
    await visitor.say("my name is Ada")

    async with whole.visitor(visitor.jar) as later:
        answer = await later.say("what is my name?", stream=True)

    assert answer.text == "Your name is Ada."


async def test_another_visitor_starts_with_a_thread_of_their_own(whole: Site, visitor: Visitor) -> None:
    mine = await visitor.say("my name is Ada")

    async with whole.visitor() as other:
        theirs = await other.say("what is my name?")

    assert theirs.text == "You have not told me your name."
    assert theirs.thread_id != mine.thread_id


async def test_the_thread_that_a_page_names_goes_on_beside_the_current_one(visitor: Visitor) -> None:
    first = await visitor.say("my name is Ada")
    started = await visitor.post("/api/threads")
    second = await visitor.say("what is my name?")
    back = await visitor.say("what is my name?", thread_id=first.thread_id)
    with_file = await visitor.say("how many messages?", CSV, thread_id=first.thread_id)

    assert started.status == 201
    assert second.thread_id == started.json["thread_id"] != first.thread_id
    assert second.text == "You have not told me your name."
    assert back.text == "Your name is Ada."
    assert with_file.thread_id == first.thread_id


@pytest.mark.parametrize(
    "text", ["hello", "show markdown", "unicode", "two messages", "weather in Paris and Tokyo", "make a csv"]
)
async def test_a_stream_and_one_object_say_the_same(visitor: Visitor, text: str) -> None:
    whole_answer = await visitor.say(text)
    await visitor.post("/api/threads")
    streamed = await visitor.say(text, stream=True)

    assert streamed.is_stream
    assert not whole_answer.is_stream
    assert streamed.plain_text == whole_answer.plain_text
    assert [file["name"] for file in streamed.files] == [file["name"] for file in whole_answer.files]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_tool_is_called_for_two_cities_at_once(whole: Site, visitor: Visitor, stream: bool) -> None:
    answer = await visitor.say("weather in Paris and Tokyo", stream=stream)

    assert answer.text == WEATHER
    submitted = [path for _, path in whole.state.requests if path.endswith("/submit_tool_outputs")]
    assert len(submitted) == 1


async def test_a_stream_tells_of_the_tools_while_they_run(visitor: Visitor) -> None:
    answer = await visitor.say("weather in Paris and Tokyo", stream=True)

    told = [part["status"] for part in answer.events if "status" in part]
    started = {"state": "started", "tool": "get_weather", "text": "Looking up the weather…"}
    ended = {"state": "ended", "tool": "get_weather", "ok": True}
    assert told == [started, started, ended, ended]


async def test_two_rounds_of_tools_make_one_answer(visitor: Visitor) -> None:
    answer = await visitor.say("weather in Paris then in Tokyo", stream=True)

    assert answer.text == WEATHER


@pytest.mark.parametrize("stream", [False, True])
async def test_a_file_of_the_assistant_can_be_fetched(visitor: Visitor, stream: bool) -> None:
    answer = await visitor.say("make a csv", stream=stream)
    (file,) = answer.files
    fetched = await visitor.get(file["src"])

    assert (file["name"], file["type"]) == ("cities.csv", "any")
    assert fetched.body.startswith(b"city,celsius\r\nParis,21\r\n")
    assert fetched.headers["Content-Type"] == "text/csv"
    assert fetched.headers["Content-Disposition"] == DISPOSITION


async def test_a_picture_of_the_assistant_can_be_fetched(visitor: Visitor) -> None:
    answer = await visitor.say("draw a chart", stream=True)
    (file,) = answer.files
    fetched = await visitor.get(file["src"])

    assert file["type"] == "image"
    assert fetched.headers["Content-Type"] == "image/png"
    assert fetched.body.startswith(b"\x89PNG\r\n\x1a\n")


async def test_a_page_of_another_origin_gets_the_whole_url_of_a_file() -> None:
    origin = "https://shop.example"
    async with site(allowed_origins=(origin,)) as running, running.visitor() as visitor:
        answer = await visitor.say("make a csv", headers={"Origin": origin})
        (file,) = answer.files
        fetched = await visitor.get(file["src"])

    assert file["src"].startswith(f"{running.url}/api/files/")
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert fetched.body.startswith(b"city,celsius")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_file_without_a_word_is_answered(visitor: Visitor, stream: bool) -> None:
    answer = await visitor.say(None, CSV, stream=stream)

    assert answer.text == "**cities.csv** (24 bytes) says: “city,celsius Paris,21”\n"


async def test_several_files_reach_the_assistant_in_their_order_and_with_their_names(
    visitor: Visitor,
) -> None:
    answer = await visitor.say(
        "files", SentFile("größe 1.txt", b"one"), SentFile("b.txt", b"two"), SentFile("c.txt", b"three")
    )

    text, sources = answer.plain_text.split("\n\n\n**Sources**\n\n")
    assert text.splitlines() == [
        "You gave me 3 files:",
        "",
        r"- **größe 1.txt** (3 bytes) says: “one”[\[1\]](/api/files/ID/gr%C3%B6%C3%9Fe%201.txt)",
        r"- **b.txt** (3 bytes) says: “two”[\[2\]](/api/files/ID/b.txt)",
        r"- **c.txt** (5 bytes) says: “three”[\[3\]](/api/files/ID/c.txt)",
    ]
    assert sources.splitlines() == [
        "1. [größe 1.txt](/api/files/ID/gr%C3%B6%C3%9Fe%201.txt)",
        "2. [b.txt](/api/files/ID/b.txt)",
        "3. [c.txt](/api/files/ID/c.txt)",
    ]


async def test_a_closed_connection_cancels_the_run_and_the_next_message_works() -> None:
    async with site(SLOW, grace=0) as running, running.visitor() as visitor:
        async with visitor.saying("count to 5000") as response:
            await read_until_text(response, "3")
            (run,) = running.state.active_runs()
            (turn,) = running.live_turns()
        async with asyncio.timeout(WAIT):
            await turn.gone.wait()
        answer = await visitor.say("hello", stream=True)

    assert run.status == "cancelled"
    assert answer.text == "Hello again! I am the **local assistant**. Write `help` to see what I can do."


@pytest.mark.parametrize("stream", [False, True])
async def test_a_closed_connection_ends_a_tool_that_still_runs_and_the_run_that_waits_for_it(
    stream: bool,
) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    @tool
    async def ponder() -> str:
        """Think about it."""
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return "never"

    async with site(grace=0, tools=[ponder]) as running, running.visitor() as visitor:
        tasks = Tasks()
        tasks.start(visitor.say("call ponder", stream=stream), name="a visitor who leaves")
        async with asyncio.timeout(WAIT):
            await began.wait()
            (turn,) = running.live_turns()
            await tasks.close()
            await turn.gone.wait()

        assert ended.is_set()
        assert running.state.active_runs() == []


async def test_a_turn_goes_on_within_the_grace_period_and_is_answered_in_the_next_message() -> None:
    async with site(grace=30) as running, running.visitor() as visitor:
        async with visitor.saying("hello") as response:
            await read_events(response, 1)
            (turn,) = running.live_turns()
        async with asyncio.timeout(WAIT):
            await turn.gone.wait()
        answer = await visitor.say("how many messages?")

    assert answer.text == "This thread has 2 messages of yours, this one included, and 1 of mine."


async def test_stop_keeps_what_was_said_and_the_next_message_works() -> None:
    async with site(SLOW) as running, running.visitor() as visitor:
        async with visitor.saying("count to 5000") as response:
            said = await read_until_text(response, "3")
            (run,) = running.state.active_runs()
            (turn,) = running.live_turns()
            stopped = await visitor.post("/api/chat/stop")
            async with asyncio.timeout(WAIT):
                rest = await response.read()
                await turn.gone.wait()
        again = await visitor.post("/api/chat/stop")
        answer = await visitor.say("what did I say before?", stream=True)

    assert (stopped.status, stopped.json["stopped"]) == (200, True)
    assert again.json["stopped"] is False
    assert b"error" not in rest
    assert said.startswith("1 2 3")
    assert run.status == "cancelled"
    assert answer.text == "Just before this you said: “count to 5000”"


@pytest.mark.parametrize(
    "text", ["hang", "hang at once", "slowly count to 100", "call no_such_tool then call hang"]
)
async def test_stop_works_before_anything_was_said(text: str) -> None:
    async with site() as running, running.visitor() as visitor:
        await visitor.say("hello")
        async with visitor.saying(text) as response:
            await read_events(response, 1)
            await visitor.post("/api/chat/stop")
            rest = await rest_of(response)
        answer = await visitor.say("how many messages?")

        assert running.state.active_runs() == []
    assert not any("error" in part for part in rest)
    assert answer.text.startswith("This thread has 3 messages of yours")


async def test_a_message_that_comes_while_another_is_followed_is_refused_and_the_first_goes_on() -> None:
    async with site(SLOW, busy_wait=0) as running, running.visitor() as visitor:
        await visitor.say("hello")
        async with visitor.saying("count to 5000") as response:
            await read_until_text(response, "3")
            second = await visitor.say("hello", stream=True)
            await read_until_text(response, "9")
            await visitor.post("/api/chat/stop")

    assert second.status == 409
    assert second.error == "The previous message is still being answered. Please wait or stop it first."


@pytest.mark.parametrize("stream", [False, True])
async def test_a_first_message_that_fails_leaves_the_visitor_in_its_thread(
    visitor: Visitor, stream: bool
) -> None:
    failed = await visitor.say("http 400", stream=stream)
    answer = await visitor.say("hello", stream=stream)

    assert (failed.status, failed.error) == (
        502,
        "The assistant could not take this message. Please change it or start a new conversation.",
    )
    assert answer.text.startswith("Hello! I am")
    assert answer.thread_id == failed.thread_id


async def test_an_error_within_an_answer_comes_last_and_leaves_the_text_before_it(visitor: Visitor) -> None:
    answer = await visitor.say("fail", stream=True)
    later = await visitor.say("hello", stream=True)

    assert answer.status == 200
    assert answer.text == "This is the beginning of an answer that will not come to its end."
    assert answer.error == "The assistant ran into an error. Please try again."
    assert [part for part in answer.events if "error" in part] == answer.events[-1:]
    assert later.error is None


async def test_a_stream_of_the_back_end_that_breaks_off_is_made_whole(visitor: Visitor) -> None:
    answer = await visitor.say("cut the connection", stream=True)

    assert answer.text == (
        "This is the beginning of an answer that will not come to its end."
        " But the run went on without you, and here it ends."
    )
    assert answer.error is None


async def test_polling_gives_the_answer_in_pieces_at_a_reading_pace() -> None:
    async with site(follow="poll", pace=4000) as running, running.visitor() as visitor:
        streamed = await visitor.say("long answer", stream=True)
        whole_answer = await visitor.say("long answer")

    assert streamed.text == whole_answer.text
    assert streamed.text.count("paragraph") == 12
    assert len(streamed.events) > 10
    # A run that is followed by its stream is never asked for.
    assert {method for method, path in running.state.requests if "/runs/" in path} == {"GET"}


async def test_polling_runs_tools_and_brings_files() -> None:
    async with site(follow="poll", pace=0) as running, running.visitor() as visitor:
        weather = await visitor.say("weather in Paris and Tokyo", stream=True)
        file = await visitor.say("make a csv", stream=True)

    assert weather.text == WEATHER
    assert [one["name"] for one in file.files] == ["cities.csv"]
    assert running.state.active_runs() == []


@pytest.mark.parametrize("stream", [False, True])
async def test_a_thread_that_the_back_end_lost_begins_anew_and_says_so(
    whole: Site, visitor: Visitor, stream: bool
) -> None:
    before = await visitor.say("my name is Ada")
    whole.state.threads.clear()
    after = await visitor.say("what is my name?", stream=stream)
    later = await visitor.say("how many messages?", stream=stream)

    assert after.text == f"{LOST}\n\nYou have not told me your name."
    assert after.thread_id == before.thread_id
    assert later.text == "This thread has 2 messages of yours, this one included, and 1 of mine."


async def test_a_back_end_that_is_away_is_told_of_and_used_as_soon_as_it_is_back(
    unused_tcp_port: int,
) -> None:
    app = create_app(settings_for(f"http://127.0.0.1:{unused_tcp_port}/v1"), tools=())
    async with serving(app) as port, Visitor.at(f"http://127.0.0.1:{port}") as visitor:
        refused = [await visitor.say("hello", stream=stream) for stream in (False, True)]
        async with serving(create_local_openai(FAST), unused_tcp_port):
            answer = await visitor.say("hello", stream=True)

    assert [(one.status, one.error) for one in refused] == [
        (502, "The assistant could not be reached. Please try again in a moment.")
    ] * 2
    assert answer.text.startswith("Hello! I am")


async def test_a_visitor_cannot_use_the_thread_or_the_files_of_another(whole: Site, visitor: Visitor) -> None:
    mine = await visitor.say("make a csv")
    (file,) = mine.files

    async with whole.visitor() as other:
        own = await other.say("hello")
        refused = [
            await other.say("hello", thread_id=mine.thread_id),
            await other.say("hello", thread_id=mine.thread_id, stream=True),
            await other.say("hello", CSV, thread_id=mine.thread_id),
            await other.post("/api/chat/stop", {"thread_id": mine.thread_id}),
            await other.say("hello", thread_id="thread_made_up"),
            await other.say("hello", thread_id=next(iter(whole.state.threads))),
        ]
        fetched = await other.get(file["src"])

    assert [(answer.status, answer.error) for answer in refused] == [(404, NOT_FOUND)] * 6
    assert {answer.json.get("thread_id") for answer in refused} == {own.thread_id}
    assert (fetched.status, fetched.error) == (404, "This file was not found.")


async def test_it_runs_under_a_prefix_of_another_application() -> None:
    async with back_end(FAST) as (base_url, _):
        outer = web.Application()
        outer.add_subapp("/chat", create_app(settings_for(base_url)))
        async with serving(outer) as port, Visitor.at(f"http://127.0.0.1:{port}/chat") as visitor:
            first = await visitor.say("my name is Ada", stream=True)
            second = await visitor.say("what is my name?")
            made = await visitor.say("make a csv")
            (file,) = made.files
            fetched = await visitor.session.get(f"http://127.0.0.1:{port}{file['src']}")
            healthy = await visitor.get("/healthz")
            missing = await visitor.get("/nothing")

    assert first.text == "Nice to meet you, Ada!"
    assert second.text == "Your name is Ada."
    assert file["src"].startswith("/chat/api/files/")
    assert fetched.status == 200
    assert healthy.json == {"status": "ok"}
    assert (missing.status, missing.error) == (404, "There is nothing at this address.")


async def test_a_message_that_waits_for_the_first_answer_goes_on_in_the_same_thread() -> None:
    """Its thread has no counterpart at the back end yet when it comes."""
    async with site(SLOW) as whole, whole.visitor() as visitor:
        await visitor.post("/api/threads")
        async with asyncio.timeout(WAIT), asyncio.TaskGroup() as tabs:
            first = tabs.create_task(visitor.say("my name is Ada", stream=True))
            await asyncio.sleep(0)
            second = tabs.create_task(visitor.say("what is my name?", stream=True))

        assert first.result().text == "Nice to meet you, Ada!"
        assert second.result().text == "Your name is Ada."
        assert len(whole.state.threads) == 1

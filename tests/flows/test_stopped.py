"""Stop, at any event: the back end hears of it at once, what was said is kept, and the visitor goes on talking."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from deep_chat_proxy import tool
from deep_chat_proxy.local_openai import LocalOptions
from flows.server import DIALECTS, Site, site
from flows.upstream_view import active
from flows.visitor import events_in, read_events, read_until_cut, shown_text

TEXT = "weather in Paris then in Rome"
SLOW = LocalOptions(token_delay=0.005, poll_after_ms=5)
# Within which the back end must have heard of a stop, in seconds.
AT_ONCE = 1.0


@tool(label="Looking up the weather…")
async def get_weather(location: str, unit: str = "celsius") -> str:
    """The weather of a place."""
    await asyncio.sleep(0.02)
    return f"{location}: 21 degrees {unit}"


@pytest.fixture(params=DIALECTS)
async def running(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    """A server with a tool that takes its time, in each dialect."""
    async with site(SLOW, tools=[get_weather], **DIALECTS[request.param], grace=60) as found:
        yield found


async def ended_at_the_back_end(running: Site) -> None:
    async with asyncio.timeout(AT_ONCE):
        while active(running.state):  # noqa: ASYNC110 - a back end has no event for it
            await asyncio.sleep(0)


@pytest.mark.parametrize("closing", [False, True])
async def test_a_stop_at_any_event_ends_the_turn_and_the_next_message_is_answered(
    running: Site, *, closing: bool
) -> None:
    event, stopped = 0, True
    while stopped:
        event += 1
        async with running.visitor() as visitor:
            await visitor.say("my name is Ada")
            async with visitor.saying(TEXT) as response:
                try:
                    had = await read_events(response, event)
                except AssertionError:
                    stopped = False
                    break
                if not closing:
                    await visitor.post("/api/chat/stop")
                    await ended_at_the_back_end(running)
                    rest = events_in(await read_until_cut(response))
                    assert "error" not in (rest or had)[-1]
            # A page that sends its next message has let the one before it go.
            next_answer = await visitor.say("what is my name?", stream=True)
            await ended_at_the_back_end(running)

            assert next_answer.text == "Your name is Ada.", event
    assert event > 5


async def test_a_stop_before_anything_was_said_leaves_a_thread_that_goes_on(running: Site) -> None:
    async with running.visitor() as visitor:
        await visitor.say("my name is Ada")
        async with asyncio.TaskGroup() as group:
            saying = group.create_task(visitor.say("hang", stream=True))
            stopped = False
            while not stopped:
                stopped = (await visitor.post("/api/chat/stop")).json["stopped"]
        await ended_at_the_back_end(running)
        again = await visitor.say("what is my name?")

    assert saying.result().error is None
    assert again.text == "Your name is Ada."


async def test_what_was_said_until_the_stop_is_kept_in_the_conversation(running: Site) -> None:
    async with running.visitor() as visitor:
        async with visitor.saying("count to 500") as response:
            had = shown_text(await read_events(response, 9))
            await visitor.post("/api/chat/stop")
            whole = had + shown_text(events_in(await read_until_cut(response)))
        again = await visitor.resume()
        count = await visitor.say("how many messages?")

    assert whole.startswith("1 2 3")
    assert again.text == whole
    assert "2 messages of yours, this one included, and 1 of mine" in count.text


async def test_a_closed_connection_is_a_stop_after_the_grace_period() -> None:
    async with site(SLOW, grace=0.2) as running, running.visitor() as visitor:
        async with visitor.saying("count to 5000") as response:
            await read_events(response, 4)
        assert active(running.state)
        await running.quiet()

        assert active(running.state) == []


async def test_calls_in_flight_are_cancelled_and_the_thread_is_usable(running: Site) -> None:
    async with running.visitor() as visitor:
        await visitor.say("my name is Ada")
        async with visitor.saying("call get_weather then wait 60 seconds") as response:
            await read_events(response, 2)
            await visitor.post("/api/chat/stop")
            await ended_at_the_back_end(running)
            await read_until_cut(response)
        assert (await visitor.say("what is my name?")).text == "Your name is Ada."

"""The connection to the browser breaks, behind any event: a page that comes back has all of the answer, once."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from deep_chat_proxy.local_openai import LocalOptions
from flows.fault_proxy import FaultProxy
from flows.faults import Cut, Events, Reset, on
from flows.server import DIALECTS, Site, site
from flows.upstream_view import active, conversations
from flows.visitor import (
    Visitor,
    events_in,
    last_event_id,
    read_events,
    read_until_cut,
    read_until_text,
    shown_text,
)
from playing import until

TEXT = "weather in Paris then in Rome"
WHOLE = "Here is the weather:\n\n- **Paris**: 21 °C, partly cloudy\n- **Rome**: 20 °C, windy\n"
COUNTED = "".join(f"{number} " for number in range(1, 31))
# Slow enough that a page is back before its turn has ended.
SLOW = LocalOptions(token_delay=0.004, poll_after_ms=5)


@pytest.fixture(params=DIALECTS)
async def running(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    """A server whose turns go on for long without a connection, in each dialect."""
    async with site(SLOW, **DIALECTS[request.param], grace=60) as found:
        yield found


@pytest.mark.parametrize("ended", [False, True])
async def test_what_a_page_has_and_what_it_gets_when_it_comes_back_is_the_whole_answer(
    running: Site, *, ended: bool
) -> None:
    async with FaultProxy.to(running.port) as proxy:
        event, broke = -1, True
        while broke:
            event += 1
            plan = proxy.fail((Cut, Reset)[event % 2](Events(event)), on("POST", "/api/chat"))
            async with Visitor.at(f"http://127.0.0.1:{proxy.port}") as visitor:
                async with visitor.saying(TEXT) as response:
                    had = await read_until_cut(response)
                broke = plan.hits > 0
                proxy.lift()
                if ended:
                    await running.quiet()
                rest = await visitor.resume(last_event_id(had))
                again = await visitor.resume()
                others = await visitor.say("what is my name?")

            parts = [*events_in(had), *(rest.events if rest.status == 200 else [])]
            assert shown_text(parts) == WHOLE, event
            assert [part for part in parts if "error" in part] == []
            assert again.text == WHOLE, event
            assert others.text == "You have not told me your name."
    assert event > 5
    assert active(running.state) == []
    asked = [str(held).count(TEXT) for held in conversations(running.state)]
    # One visitor each, and each message once.
    assert set(asked) <= {1}


async def test_a_second_tab_follows_the_same_turn(running: Site) -> None:
    async with running.visitor() as visitor, visitor.saying("count to 30") as first:
        await read_until_text(first, " 3")
        second, third = await asyncio.gather(visitor.resume(), visitor.resume())
        rest = await read_until_cut(first)

    assert second.text == third.text
    assert second.text == COUNTED
    assert second.text.endswith(shown_text(events_in(rest)))


async def test_a_page_that_comes_back_within_the_grace_period_keeps_the_turn_alive() -> None:
    async with site(SLOW, grace=60) as running, running.visitor() as visitor:
        for _ in range(3):
            async with visitor.saying("count to 30") as response:
                await read_events(response, 2)
            async with visitor.session.get(f"{running.url}/api/chat/resume") as response:
                await read_until_text(response, "2")
            assert (await visitor.resume()).text == COUNTED


async def test_a_page_that_comes_back_too_late_finds_a_stopped_turn() -> None:
    async with site(SLOW, grace=0) as running, running.visitor() as visitor:
        async with visitor.saying("count to 500") as response:
            await read_until_text(response, "3")
        await running.quiet()
        again = await visitor.resume()
        count = await visitor.say("how many messages?")

    assert again.text.startswith("1 2 3")
    assert "500" not in again.text
    assert active(running.state) == []
    assert "2 messages of yours" in count.text


async def test_when_the_beginning_has_left_the_log_the_text_so_far_comes_as_one() -> None:
    async with (
        site(SLOW, grace=60, log_events=16) as running,
        running.visitor() as visitor,
        visitor.saying("count to 90") as response,
    ):
        had = await read_until_text(response, "30")
        again = await visitor.resume()

    # Behind what stands for an answer that is on its way.
    first = next(event for event in again.events if "_sessionId" in event)
    assert first["overwrite"] is True
    assert first["text"].startswith(had)
    assert again.text.endswith(" 89 90 ")


async def test_there_is_nothing_to_resume_before_the_first_message_nor_behind_the_last_event(
    running: Site,
) -> None:
    async with running.visitor() as visitor:
        before = await visitor.resume()
        answer = await visitor.say("hello", stream=True)
        behind = await visitor.resume(last_event_id(answer.body))
        async with running.visitor() as other:
            await other.say("hello")
            theirs = await other.get(f"/api/chat/resume?thread_id={answer.thread_id}")

    await until(lambda: not running.live_turns())
    assert (before.status, behind.status, theirs.status) == (204, 204, 404)

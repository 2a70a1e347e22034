"""The shipped page: stopping an answer stops the back end, and the next message works."""

import asyncio
import itertools

import pytest
from playwright.async_api import Route, expect

from page.chat_page import ChatPage
from page.dialects import in_every_dialect, in_every_dialect_and
from page.served import ServedSite

pytestmark = [pytest.mark.page, pytest.mark.asyncio(loop_scope="session")]

STOPPED = "The message was stopped before it was answered."


async def assert_goes_on(chat: ChatPage, site: ServedSite) -> None:
    """The stopped answer is cancelled, and another message in the same thread is answered."""
    await site.quiet()
    assert site.endings() == ["cancelled"]
    assert await chat.count() == 2
    assert site.endings() == ["cancelled", "completed"]


@in_every_dialect
async def test_stop_after_the_first_text_keeps_the_text_and_cancels_the_answer(
    chat: ChatPage, site: ServedSite
) -> None:
    await chat.send("slowly count to 100")
    await chat.saw_text("1 2")
    await chat.stop()
    await chat.ended()

    kept = await chat.text()
    assert kept.startswith("1 2")
    assert await chat.errors.count() == 0
    await assert_goes_on(chat, site)
    assert (await chat.texts())[0] == kept


@in_every_dialect
async def test_stop_before_the_first_text_cancels_the_answer(chat: ChatPage, site: ServedSite) -> None:
    await chat.send("hang")
    await expect(chat.answer).to_have_text("Thinking…")
    await chat.stop()
    await chat.ended()

    assert await chat.texts() == ["Stopped."]
    assert await chat.errors.count() == 0
    await assert_goes_on(chat, site)


@in_every_dialect_and("mode, text", *itertools.product(["Simulated", "JSON"], ["hang", "hang at once"]))
async def test_an_answer_that_comes_whole_can_be_stopped_while_it_is_awaited(
    chat: ChatPage, site: ServedSite, mode: str, text: str
) -> None:
    await chat.choose_mode(mode)
    await chat.say("hello")
    await chat.send(text)
    await expect(chat.status).to_have_text("Waiting for the answer…")
    await site.answering(2)
    await chat.page.get_by_role("button", name="Stop").click()
    await chat.ended()

    await expect(chat.errors).to_have_text([STOPPED])
    await site.quiet()
    assert site.endings() == ["completed", "cancelled"]
    assert await chat.count() == 3


async def test_a_message_that_is_still_on_its_way_can_be_stopped(chat: ChatPage, site: ServedSite) -> None:
    stopped_in_vain = asyncio.Event()

    async def hold(route: Route) -> None:
        await stopped_in_vain.wait()
        await route.continue_()

    await chat.choose_mode("JSON")
    await chat.page.route("**/api/chat", hold)
    await chat.send("hang")
    async with chat.page.expect_response("**/api/chat/stop") as answer:
        await chat.page.get_by_role("button", name="Stop").click()
    assert (await (await answer.value).json())["stopped"] is False
    stopped_in_vain.set()
    await chat.ended()

    await expect(chat.errors).to_have_text([STOPPED])
    await site.quiet()
    assert site.state.active_runs() == []


async def test_leaving_the_page_in_the_middle_of_an_answer_is_no_stop(
    chat: ChatPage, site: ServedSite
) -> None:
    await chat.send("slowly count to 4")
    await chat.saw_text("1")
    await chat.page.goto("about:blank")
    await site.quiet()

    assert site.endings() == ["completed"]

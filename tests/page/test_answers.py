"""The shipped page: how an answer arrives."""

import pytest
from playwright.async_api import Browser, expect

from deep_chat_proxy.local_openai import LocalOptions
from page.chat_page import ChatPage, opened
from page.dialects import ASSISTANTS, in_every_dialect, in_every_dialect_and
from page.served import ServedSite, served

pytestmark = [pytest.mark.page, pytest.mark.asyncio(loop_scope="session")]

UNHURRIED = LocalOptions(token_delay=0.05, poll_after_ms=5)
COUNTED = " ".join(str(number) for number in range(1, 31))
WEATHER = "Here is the weather:\n\nParis: 21 °C, partly cloudy\nTokyo: 25 °C, sunny"


@in_every_dialect
async def test_a_streamed_answer_is_shown_as_it_is_written(chromium: Browser, dialect: str) -> None:
    async with served(UNHURRIED, dialect=dialect) as site, opened(chromium, site.url) as chat:
        await chat.send("count to 30")
        await chat.saw_text("1 2 3")
        seen = await chat.text()
        await chat.ended()

        assert await chat.texts() == [COUNTED]
        assert COUNTED.startswith(seen)
        assert await chat.content_type() == "text/event-stream"


async def test_until_the_first_word_comes_the_page_says_that_it_is_thinking(chat: ChatPage) -> None:
    await chat.send("wait 1 second, then hello")
    await expect(chat.answer).to_have_text("Thinking…")
    await chat.ended()

    assert await chat.texts() == ["Hello! I am the local assistant. Write help to see what I can do."]


async def test_a_simulated_stream_types_out_an_answer_that_came_at_once(chat: ChatPage) -> None:
    await chat.choose_mode("Simulated")
    await chat.send("count to 30")
    await chat.saw_text("1 2 3")
    assert (await chat.content_type()).startswith("application/json")
    seen = await chat.text()
    await chat.ended()

    assert await chat.texts() == [COUNTED]
    assert COUNTED.startswith(seen)


@in_every_dialect
async def test_the_conversation_stays_when_the_mode_is_switched(chat: ChatPage, site: ServedSite) -> None:
    await chat.say("my name is Ada")
    for mode in ("JSON", "Simulated", "Stream"):
        await chat.choose_mode(mode)
        assert await chat.say("what is my name?") == "Your name is Ada."

    assert await chat.said() == ["my name is Ada", *["what is my name?"] * 3]
    assert await chat.texts() == ["Nice to meet you, Ada!", *["Your name is Ada."] * 3]
    assert site.threads() == 1


async def test_what_is_written_but_not_sent_stays_when_the_mode_is_switched(chat: ChatPage) -> None:
    await chat.input.fill("half a thought")
    await chat.choose_mode("JSON")

    await expect(chat.input).to_have_text("half a thought")


async def test_the_mode_cannot_be_switched_while_an_answer_is_written(chat: ChatPage) -> None:
    await chat.send("hang")
    await expect(chat.stop_button).to_be_visible()
    await chat.page.get_by_role("radio", name="JSON").click()

    await expect(chat.status).to_have_text("Please let the answer end, or stop it, before you switch.")
    await expect(chat.page.get_by_role("radio", name="Stream")).to_be_checked()


@in_every_dialect_and("mode", "Stream", "JSON")
async def test_a_question_about_two_cities_is_answered_through_the_tool(
    chat: ChatPage, site: ServedSite, mode: str
) -> None:
    await chat.choose_mode(mode)

    assert await chat.say("weather in Paris and Tokyo") == WEATHER
    content_type = {"Stream": "text/event-stream", "JSON": "application/json"}[mode]
    assert await chat.content_type() == content_type
    assert site.endings() == ["completed"] * (1 if site.dialect == ASSISTANTS else 2)
    await expect(chat.status).to_have_text("")


@in_every_dialect
async def test_a_polled_answer_shows_that_it_is_made_and_then_the_text(
    chromium: Browser, dialect: str
) -> None:
    async with served(dialect=dialect, follow="poll") as site, opened(chromium, site.url) as chat:
        await chat.send("wait 1 second, then count to 30")
        await expect(chat.answer).to_have_text("Thinking…")
        await chat.ended()
        assert await chat.texts() == [COUNTED]
        assert await chat.say("weather in Paris and Tokyo") == WEATHER


@in_every_dialect
async def test_markdown_is_shown_as_a_heading_a_list_a_table_and_code(chat: ChatPage) -> None:
    await chat.say("show markdown")

    for part in ("h1", "li", "table td", "pre code", "blockquote"):
        await expect(chat.answer.locator(part).first).to_be_visible()
    assert await chat.answer.locator("td").nth(1).evaluate("cell => getComputedStyle(cell).textAlign") == (
        "right"
    )


async def test_a_suggestion_is_sent_by_a_click(chat: ChatPage) -> None:
    await chat.page.get_by_role("button", name="Weather in Paris and Rome").click()
    await chat.ended()

    assert (await chat.text()).startswith("Here is the weather:")

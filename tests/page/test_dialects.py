"""The shipped page: what only one dialect has, and a visitor whose server changes from one to another."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from deep_chat_proxy.local_openai import LocalOptions
from page.chat_page import ChatPage, opened
from page.dialects import ASSISTANTS, COMPLETIONS, RESPONSES
from page.served import served

pytestmark = [pytest.mark.page, pytest.mark.asyncio(loop_scope="session")]

THOUGHTFUL = LocalOptions(token_delay=0.04)
FACTS, NEWS = "https://example.org/facts", "https://example.com/news"
ELSEWHERE = "The earlier conversation was held with another service, so this is the beginning of a new one."


@pytest_asyncio.fixture(loop_scope="session")
async def pages() -> AsyncIterator[AsyncExitStack]:
    """For pages that stay open while their server is another one."""
    async with AsyncExitStack() as open_ones:
        yield open_ones


@pytest.fixture
def store(tmp_path: Path) -> str:
    """What one server remembers for the next."""
    return f"sqlite:{tmp_path / 'store.sqlite3'}"


async def links(chat: ChatPage, within: str) -> list[tuple[str, str | None]]:
    """The text and address of each link in a part of the newest answer."""
    found = await chat.answer.locator(f"{within} a").all()
    return [(await link.inner_text(), await link.get_attribute("href")) for link in found]


@pytest.mark.parametrize("dialect", [RESPONSES])
async def test_an_answer_from_the_web_has_its_links_and_a_list_of_its_sources(chat: ChatPage) -> None:
    await chat.say("search the web for news")

    assert await links(chat, "p") == [("[1]", FACTS), ("[2]", NEWS)]
    assert await links(chat, "ol > li") == [("Facts for everybody", FACTS), ("News of the day", NEWS)]
    await expect(chat.answer.locator("strong")).to_have_text("Sources")
    await expect(chat.status).to_have_text("")


async def test_a_picture_that_the_model_draws_is_shown_and_stays_after_a_reload(chromium: Browser) -> None:
    async with (
        served(dialect=RESPONSES, hosted_tools=("image_generation",)) as site,
        opened(chromium, site.url) as chat,
    ):
        await chat.say("draw a chart")
        picture = chat.files.locator("img")
        for _ in range(2):
            await expect(picture).to_be_visible()
            assert await picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 320
            await chat.page.reload()


async def test_while_the_model_thinks_the_page_says_what_about(chromium: Browser) -> None:
    async with served(THOUGHTFUL, dialect=RESPONSES) as site, opened(chromium, site.url) as chat:
        await chat.send("think hard, then hello")
        await chat.saw_text("Reading the question…")
        await chat.ended()

        assert await chat.texts() == ["Hello! I am the local assistant. Write help to see what I can do."]


async def test_a_conversation_that_we_keep_goes_on_in_another_dialect(
    chromium: Browser, pages: AsyncExitStack, store: str
) -> None:
    async with served(dialect=COMPLETIONS, store=store) as site:
        chat = await pages.enter_async_context(opened(chromium, site.url))
        await chat.say("my name is Ada")
    async with served(dialect=RESPONSES, store=store, port=site.port):
        assert await chat.say("what is my name?") == "Your name is Ada."
        assert await chat.count() == 3


@pytest.mark.parametrize(("before", "after"), [(RESPONSES, COMPLETIONS), (ASSISTANTS, RESPONSES)])
async def test_a_conversation_that_the_back_end_kept_begins_anew_in_another_dialect_and_says_so(
    chromium: Browser, pages: AsyncExitStack, store: str, before: str, after: str
) -> None:
    async with served(dialect=before, store=store) as site:
        chat = await pages.enter_async_context(opened(chromium, site.url))
        await chat.say("my name is Ada")
    async with served(dialect=after, store=store, port=site.port):
        assert await chat.say("what is my name?") == f"{ELSEWHERE}\n\nYou have not told me your name."
        assert await chat.say("my name is Bob") == "Nice to meet you, Bob!"
        assert await chat.count() == 3

"""Deep Chat's own `directConnection` to an Assistant, pointed at the local OpenAI by one URL."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from deep_chat_proxy.local_openai import LocalOptions
from page.attachments import PICTURE, PICTURE_SAID
from page.chat_page import opened
from page.served import ServedSite, served

pytestmark = [
    pytest.mark.page,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.parametrize("mode", ["poll", "stream"]),
]


@pytest_asyncio.fixture(loop_scope="session")
async def site() -> AsyncIterator[ServedSite]:
    """Slow enough for a busy browser: the component loses what it reads together with the end of a stream."""
    async with served(LocalOptions(token_delay=0.15, poll_after_ms=5)) as running:
        yield running


def address(site: ServedSite, mode: str) -> str:
    return f"{site.url}/direct?{mode}&base={site.api}"


async def test_deep_chat_talks_to_the_local_openai_in_one_thread(
    chromium: Browser, site: ServedSite, mode: str
) -> None:
    async with opened(chromium, address(site, mode)) as chat:
        await chat.say("my name is Ada")
        assert await chat.say("what is my name?") == "Your name is Ada."

    assert site.threads() == 1
    assert site.endings() == ["completed", "completed"]


async def test_a_base_url_that_ends_in_a_slash_works_as_well(
    chromium: Browser, site: ServedSite, mode: str
) -> None:
    async with opened(chromium, f"{address(site, mode)}/") as chat:
        assert await chat.say("my name is Ada") == "Nice to meet you, Ada!"


async def test_a_picture_reaches_the_local_openai(chromium: Browser, site: ServedSite, mode: str) -> None:
    async with opened(chromium, address(site, mode)) as chat:
        await chat.attach(PICTURE, menu="Images")

        assert await chat.say("what is in this picture?") == PICTURE_SAID


async def test_a_function_of_the_page_is_called_for_each_city(
    chromium: Browser, site: ServedSite, mode: str
) -> None:
    async with opened(chromium, f"{address(site, mode)}&weather") as chat:
        answer = await chat.say("weather in Paris and Tokyo")

    assert answer == "Here is the weather:\n\nParis: 30 °C, snowy\nTokyo: 30 °C, snowy"


async def test_an_error_of_the_local_openai_is_shown(chromium: Browser, site: ServedSite, mode: str) -> None:
    async with opened(chromium, address(site, mode)) as chat:
        await chat.send("http 500")
        await expect(chat.errors).to_have_count(1)

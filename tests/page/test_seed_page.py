"""A page that carries `thread_id` with an unguarded pair of interceptors, as the first pages of this kind did."""

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from page.attachments import CSV, PICTURE, PICTURE_SAID
from page.chat_page import ChatPage, opened
from page.dialects import ASSISTANTS, COMPLETIONS, RESPONSES
from page.served import ServedSite

pytestmark = [pytest.mark.page, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session", params=["json", "stream"])
async def seed(
    request: pytest.FixtureRequest, chromium: Browser, site: ServedSite
) -> AsyncIterator[ChatPage]:
    """The page, once for whole answers and once for streams."""
    async with opened(chromium, f"{site.url}/seed?{request.param}") as page:
        yield page


async def lose_the_current_thread(chat: ChatPage, site: ServedSite) -> None:
    """Let the cookie name another thread, so that only `thread_id` can lead back."""
    answer = await chat.page.request.post(f"{site.url}/api/threads")
    assert answer.status == 201


async def carried(chat: ChatPage) -> list[str | None]:
    """What each message said its thread is, in JSON or in form data."""
    found: list[str | None] = await chat.page.evaluate("carried")
    return found


@pytest.mark.parametrize(
    ("dialect", "seed"),
    [(ASSISTANTS, "json"), (ASSISTANTS, "stream"), (RESPONSES, "stream"), (COMPLETIONS, "json")],
    indirect=["seed"],
)
async def test_several_turns_stay_in_the_thread_that_the_page_names(seed: ChatPage, site: ServedSite) -> None:
    await seed.say("my name is Ada")
    for number in range(2):
        await lose_the_current_thread(seed, site)
        assert await seed.say("what is my name?") == "Your name is Ada.", number

    first, second, third = await carried(seed)
    assert first is None
    assert second == third
    assert site.threads() == 1


async def test_text_files_and_text_stay_in_the_thread_that_the_page_names(
    seed: ChatPage, site: ServedSite
) -> None:
    await seed.say("my name is Ada")
    await lose_the_current_thread(seed, site)
    await seed.attach(CSV, PICTURE)
    assert PICTURE_SAID in await seed.say("what is in these files?")
    await lose_the_current_thread(seed, site)
    assert await seed.say("what is my name?") == "Your name is Ada."

    _, quoted, plain = await carried(seed)
    assert quoted == json.dumps(plain)
    assert site.threads() == 1


async def test_a_thread_can_begin_with_files(seed: ChatPage, site: ServedSite) -> None:
    await seed.attach(CSV)
    await seed.say("my name is Ada, and this is my file")
    await lose_the_current_thread(seed, site)
    await seed.attach(PICTURE)
    await seed.send_files()
    await seed.ended()
    await lose_the_current_thread(seed, site)

    assert await seed.count() == 3
    assert (await carried(seed))[0] == "undefined"
    assert site.threads() == 1


async def test_the_thread_goes_on_after_an_error(seed: ChatPage, site: ServedSite) -> None:
    await seed.say("my name is Ada")
    for errors, mishap in enumerate(("http 401", "fail", "fail at once"), 1):
        await lose_the_current_thread(seed, site)
        await seed.send(mishap)
        await seed.ended()
        await expect(seed.errors).to_have_count(errors)
        await lose_the_current_thread(seed, site)
        assert await seed.say("what is my name?") == "Your name is Ada.", mishap

    assert site.threads() == 1


async def test_the_thread_goes_on_after_tools_and_a_made_file(seed: ChatPage, site: ServedSite) -> None:
    await seed.say("weather in Paris and Tokyo")
    await seed.say("make a csv")
    await lose_the_current_thread(seed, site)

    assert await seed.count() == 3
    assert site.threads() == 1

"""What README says to put into a page, put into a page."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, Route, expect

from page.attachments import CSV
from page.chat_page import ChatPage
from page.served import served

pytestmark = [pytest.mark.page, pytest.mark.asyncio(loop_scope="session")]

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```html\n(.*?)```", README, re.DOTALL)


async def test_what_was_said_is_shown_again_after_a_reload(chromium: Browser) -> None:
    async def show(route: Route) -> None:
        await route.fulfill(content_type="text/html", body=SNIPPETS[0] + SNIPPETS[1])

    async with served(history_page=2) as site:
        context = await chromium.new_context()
        try:
            chat = ChatPage(await context.new_page())
            await chat.page.route(f"{site.url}/snippet", show)
            await chat.page.goto(f"{site.url}/snippet")
            for text in ("my name is Ada", "show markdown", "what is my name?"):
                await chat.say(text)
            await chat.page.reload()
            await expect(chat.mine).to_have_count(2)
            await chat.page.locator("#messages").evaluate("(messages) => messages.scrollTo(0, 0)")
            await expect(chat.mine).to_have_count(3)
            await expect(chat.mine.first).to_have_text("my name is Ada")
        finally:
            await context.close()


async def test_the_snippet_is_a_chat_with_files_that_asks_nobody_else(chromium: Browser) -> None:
    async def show(route: Route) -> None:
        await route.fulfill(content_type="text/html", body=SNIPPETS[0])

    async with served() as site:
        context = await chromium.new_context()
        try:
            chat = ChatPage(await context.new_page())
            await chat.page.route(f"{site.url}/snippet", show)
            await chat.page.goto(f"{site.url}/snippet")
            await expect(chat.input).to_be_visible()
            assert await chat.say("my name is Ada") == "Nice to meet you, Ada!"
            async with chat.page.expect_file_chooser() as chooser:
                await chat.page.locator(".input-button:not(.disabled-button)").first.click()
            await (await chooser.value).set_files([CSV])
            assert "cities.csv" in await chat.say("what is in this file?")
        finally:
            await context.close()

    assert {request.url.split("/")[2] for request in chat.requests} == {site.url.split("/")[2]}

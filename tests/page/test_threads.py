"""The shipped page: which thread a message belongs to, with no page code for it."""

import pytest
from playwright.async_api import Browser, expect

from page.chat_page import ChatPage, opened
from page.dialects import in_every_dialect
from page.served import ServedSite

pytestmark = [pytest.mark.page, pytest.mark.asyncio(loop_scope="session")]


async def test_a_second_message_goes_on_in_the_same_thread(chat: ChatPage, site: ServedSite) -> None:
    await chat.say("my name is Ada")

    assert await chat.say("what is my name?") == "Your name is Ada."
    assert site.threads() == 1


async def test_after_a_reload_the_conversation_is_shown_and_the_thread_goes_on(
    chat: ChatPage, site: ServedSite
) -> None:
    await chat.say("my name is Ada")
    await chat.page.reload()
    await expect(chat.mine).to_have_text(["my name is Ada"])

    assert await chat.say("what is my name?") == "Your name is Ada."
    assert await chat.texts() == ["Nice to meet you, Ada!", "Your name is Ada."]
    assert site.threads() == 1


@in_every_dialect
async def test_a_new_conversation_begins_a_new_thread(chat: ChatPage, site: ServedSite) -> None:
    await chat.say("my name is Ada")
    await chat.page.get_by_role("button", name="New conversation").click()
    await expect(chat.mine).to_have_count(0)

    assert await chat.say("what is my name?") == "You have not told me your name."
    assert await chat.count() == 2
    assert site.threads() == 2


async def test_a_new_conversation_stays_new_after_a_reload(chat: ChatPage) -> None:
    await chat.say("my name is Ada")
    await chat.page.get_by_role("button", name="New conversation").click()
    await expect(chat.mine).to_have_count(0)
    await chat.page.reload()
    await expect(chat.page.get_by_role("heading", name="What can I help with?")).to_be_visible()

    assert await chat.say("what is my name?") == "You have not told me your name."


async def test_a_new_conversation_stops_the_answer_under_way(chat: ChatPage, site: ServedSite) -> None:
    await chat.send("hang")
    await expect(chat.stop_button).to_be_visible()
    await chat.page.get_by_role("button", name="New conversation").click()
    await expect(chat.mine).to_have_count(0)
    await site.quiet()

    assert site.endings() == ["cancelled"]
    assert await chat.count() == 1


async def test_two_visitors_have_nothing_in_common(
    chat: ChatPage, site: ServedSite, chromium: Browser
) -> None:
    await chat.say("my name is Ada")

    async with opened(chromium, site.url) as other:
        assert await other.say("what is my name?") == "You have not told me your name."

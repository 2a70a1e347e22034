"""The shipped page: which thread a message belongs to, and the list of all of them."""

import pytest
from playwright.async_api import Browser, ViewportSize, expect

from page.chat_page import DESK, PHONE, ChatPage, opened
from page.dialects import in_every_dialect
from page.served import ServedSite
from page.spoken import begin_threads
from page.thread_list import ThreadList

pytestmark = [pytest.mark.page, pytest.mark.asyncio(loop_scope="session")]

on_both_screens = pytest.mark.parametrize("screen", [DESK, PHONE], ids=["desk", "phone"])
GOES_ON = "The answer goes on…"
COUNT = "slowly count to 100"
COUNTED = " ".join(str(number) for number in range(1, 101))
WELCOME = "What can I help with?"


async def begin_another(chat: ChatPage, text: str) -> str:
    """Say something in a new conversation, and return the answer."""
    await chat.page.get_by_role("button", name="New conversation").click()
    await expect(chat.page.get_by_role("heading", name=WELCOME)).to_be_visible()
    return await chat.say(text)


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
    await chat.start_over()

    assert await chat.say("what is my name?") == "You have not told me your name."
    assert await chat.count() == 2
    assert site.threads() == 2


async def test_a_new_conversation_stays_new_after_a_reload(chat: ChatPage) -> None:
    await chat.say("my name is Ada")
    await chat.start_over()
    await chat.page.reload()
    await expect(chat.page.get_by_role("heading", name="What can I help with?")).to_be_visible()

    assert await chat.say("what is my name?") == "You have not told me your name."


async def test_a_new_conversation_stops_the_answer_under_way(chat: ChatPage, site: ServedSite) -> None:
    await chat.send("hang")
    await expect(chat.stop_button).to_be_visible()
    await chat.start_over()
    await site.quiet()

    assert site.endings() == ["cancelled"]
    assert await chat.count() == 1


async def test_two_visitors_have_nothing_in_common(
    chat: ChatPage, site: ServedSite, chromium: Browser
) -> None:
    await chat.say("my name is Ada")

    async with opened(chromium, site.url) as other:
        assert await other.say("what is my name?") == "You have not told me your name."


@on_both_screens
async def test_three_conversations_are_gone_through_and_one_is_deleted(
    chromium: Browser, site: ServedSite, screen: ViewportSize
) -> None:
    async with opened(chromium, site.url, viewport=screen) as chat:
        threads = ThreadList(chat.page)
        names = ("Ada", "Bob", "Cleo")
        await chat.say("my name is Ada")
        for name in names[1:]:
            await begin_another(chat, f"my name is {name}")
        await expect(threads.titles).to_have_text([f"my name is {name}" for name in reversed(names)])
        for name in names:
            await threads.open(f"my name is {name}")
            await expect(chat.mine).to_have_text([f"my name is {name}"])
            assert await chat.say("what is my name?") == f"Your name is {name}."

        await threads.reveal()
        await threads.delete("my name is Bob")
        await expect(threads.titles).to_have_text(["my name is Cleo", "my name is Ada"])
        await expect(chat.mine).to_have_text(["my name is Cleo", "what is my name?"])
        await chat.page.reload()
        await expect(chat.mine).to_have_count(2)
        await expect(threads.titles).to_have_text(["my name is Cleo", "my name is Ada"])
        assert chat.console == []


@on_both_screens
async def test_a_conversation_is_renamed_in_its_place(
    chromium: Browser, site: ServedSite, screen: ViewportSize
) -> None:
    async with opened(chromium, site.url, viewport=screen) as chat:
        threads, keyboard = ThreadList(chat.page), chat.page.keyboard
        await chat.say("my name is Ada")
        await threads.reveal()
        await threads.act("Rename", "my name is Ada")
        field = chat.page.get_by_role("textbox", name="Title of the conversation")
        await expect(field).to_be_focused()
        await keyboard.type("never mind")
        await keyboard.press("Escape")
        await expect(field).to_have_count(0)
        await expect(threads.titles).to_have_text(["my name is Ada"])
        await expect(threads.place).to_be_visible()
        await expect(threads.items.get_by_role("button", name="Rename")).to_be_focused()

        await keyboard.press("Enter")
        await expect(field).to_have_value("my name is Ada")
        await keyboard.type("Ada & <b>me</b>")
        await keyboard.press("Enter")
        await expect(threads.titles).to_have_text(["Ada & <b>me</b>"])
        await expect(threads.items.get_by_role("button", name="Rename")).to_be_focused()
        await chat.page.reload()
        await expect(threads.titles).to_have_text(["Ada & <b>me</b>"])


async def test_an_answer_goes_on_in_its_own_conversation_while_another_is_shown(
    chat: ChatPage, site: ServedSite
) -> None:
    threads = ThreadList(chat.page)
    await chat.say("my name is Ada")
    await chat.start_over()
    await chat.send(COUNT)
    await chat.saw_text("1 2")
    for _ in range(2):
        await threads.open("my name is Ada")
        await expect(threads.item(COUNT).get_by_text("Answering…")).to_be_visible()
        assert await chat.say("what is my name?") == "Your name is Ada."
        assert set(await chat.texts()) == {"Nice to meet you, Ada!", "Your name is Ada."}
        await threads.open(COUNT)
        await expect(chat.status).to_have_text(GOES_ON)
    site.hurry()
    await chat.ended()

    assert await chat.texts() == [COUNTED]
    await expect(threads.item(COUNT).get_by_text("Answering…")).to_be_hidden()
    assert site.endings() == ["completed"] * 4


async def test_an_answer_that_ends_while_another_conversation_is_shown_is_there_afterwards(
    chat: ChatPage, site: ServedSite
) -> None:
    threads = ThreadList(chat.page)
    await chat.say("hello")
    await chat.start_over()
    await chat.choose_mode("JSON")
    await chat.send(COUNT)
    await site.answering(2)
    await threads.open("hello")
    site.hurry()
    await site.quiet()
    await expect(threads.item(COUNT).get_by_text("Answering…")).to_be_hidden()
    await expect(chat.mine).to_have_text(["hello"])
    await threads.open(COUNT)

    await expect(chat.answers).to_have_text([COUNTED])


async def test_what_is_written_and_not_sent_stays_with_its_conversation(chat: ChatPage) -> None:
    threads = ThreadList(chat.page)
    await chat.say("hello")
    await begin_another(chat, "my name is Ada")
    await chat.input.fill("half a thought")
    await threads.open("hello")
    await expect(chat.input).to_have_text("")
    await threads.open("my name is Ada")

    await expect(chat.input).to_have_text("half a thought")


async def test_the_conversation_that_is_shown_can_be_deleted_in_the_middle_of_its_answer(
    chat: ChatPage, site: ServedSite
) -> None:
    threads = ThreadList(chat.page)
    await chat.send("hang")
    await expect(chat.answer).to_have_text("Thinking…")
    await threads.delete("hang")
    await expect(chat.page.get_by_role("heading", name=WELCOME)).to_be_visible()
    await site.quiet()

    assert await chat.count() == 1
    await expect(threads.titles).to_have_text(["how many messages?"])


@on_both_screens
async def test_all_that_the_server_has_of_a_visitor_can_be_deleted(
    chromium: Browser, site: ServedSite, screen: ViewportSize
) -> None:
    async with opened(chromium, site.url, viewport=screen) as chat:
        threads = ThreadList(chat.page)
        await begin_threads(chat, "hello", "my name is Ada")
        await chat.page.reload()
        known = await chat.page.context.cookies()
        await threads.reveal()
        await expect(threads.items).to_have_count(2)
        delete_all = chat.page.get_by_role("button", name="Delete all my data")
        await delete_all.click()
        await threads.dialog.get_by_role("button", name="Cancel").click()
        await expect(delete_all).to_be_focused()
        await expect(threads.items).to_have_count(2)
        await delete_all.click()
        await threads.dialog.get_by_role("button", name="Delete all").click()
        await expect(threads.items).to_have_count(0)
        assert await chat.page.context.cookies() != known
        await chat.page.reload()
        await expect(chat.page.get_by_role("heading", name=WELCOME)).to_be_visible()

        assert await chat.say("what is my name?") == "You have not told me your name."
        await expect(threads.titles).to_have_text(["what is my name?"])
        assert chat.console == []


async def test_a_second_tab_goes_to_the_same_conversation_and_lists_the_same(chat: ChatPage) -> None:
    await chat.say("hello")
    await begin_another(chat, "my name is Ada")
    other = await chat.second_tab()
    threads, others = ThreadList(chat.page), ThreadList(other.page)
    await expect(others.current).to_have_text(["my name is Ada"])
    await threads.open("hello")
    await expect(other.mine).to_have_text(["hello"])
    await expect(others.current).to_have_text(["hello"])
    await others.delete("my name is Ada")

    await expect(threads.titles).to_have_text(["hello"])


async def test_a_conversation_that_was_deleted_elsewhere_is_said_to_be_gone(
    chat: ChatPage, site: ServedSite
) -> None:
    threads = ThreadList(chat.page)
    await chat.say("hello")
    await begin_another(chat, "my name is Ada")
    listed = await (await chat.page.request.get(f"{site.url}/api/threads")).json()
    gone = f"{site.url}/api/threads/{listed['threads'][1]['thread_id']}"
    assert (await chat.page.request.delete(gone, headers={"Origin": site.url})).ok
    await threads.item("hello").get_by_role("button").first.click()

    await expect(chat.status).to_have_attribute("data-kind", "notice")
    await expect(threads.titles).to_have_text(["my name is Ada"])
    await expect(chat.mine).to_have_text(["my name is Ada"])


async def test_more_conversations_than_the_list_shows_come_by_a_button(chat: ChatPage) -> None:
    threads = ThreadList(chat.page)
    await begin_threads(chat, *(f"hello {number}" for number in range(52)))
    await chat.page.reload()
    await expect(threads.items).to_have_count(50)
    more = chat.page.get_by_role("button", name="Show older ones")
    await more.click()
    await expect(threads.items).to_have_count(52)
    await expect(more).to_be_hidden()

    assert set(await threads.titles.all_inner_texts()) == {f"hello {number}" for number in range(52)}


async def test_on_a_small_screen_the_list_is_a_drawer_that_keeps_the_focus_until_it_is_closed(
    chromium: Browser, site: ServedSite
) -> None:
    async with opened(chromium, site.url, viewport={"width": 320, "height": 640}) as chat:
        threads = ThreadList(chat.page)
        await chat.say("hello")
        await expect(threads.place).to_be_hidden()
        await threads.button.focus()
        await chat.page.keyboard.press("Enter")
        await expect(threads.place).to_be_visible()
        await expect(threads.items.get_by_role("button").first).to_be_focused()
        for behind in ("header", "main", "footer"):
            await expect(chat.page.locator(behind)).to_have_js_property("inert", True)
        await chat.page.keyboard.press("Escape")
        await expect(threads.place).to_be_hidden()
        await expect(threads.button).to_be_focused()
        await threads.button.click()
        # Beside the drawer.
        await chat.page.mouse.click(310, 320)
        await expect(threads.place).to_be_hidden()
        await expect(threads.button).to_be_focused()
        await threads.button.click()
        await chat.page.get_by_role("button", name="Close the list").click()
        await expect(threads.place).to_be_hidden()

        assert await chat.say("hello") != ""

"""The shipped page: an answer goes on where its page was reloaded, opened once more, or lost its connection."""

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from deep_chat_proxy import tool
from deep_chat_proxy.local_openai.brain.showcase import UNICODE
from page.chat_page import ChatPage, opened
from page.served import ServedSite, served

pytestmark = [pytest.mark.page, pytest.mark.asyncio(loop_scope="session")]

MODES = ("Stream", "Simulated", "JSON")
GOES_ON = "The answer goes on…"
TRYING = "The connection was lost. Trying again…"
FAILED = "The assistant ran into an error. Please try again."
UNREACHABLE = "The server cannot be reached just now. Please check the connection and try again."


COUNT = "slowly count to 100"
COUNTED = " ".join(str(number) for number in range(1, 101))


async def begin(chat: ChatPage, site: ServedSite, text: str = COUNT, *, mode: str = "Stream") -> None:
    """Send, and wait until the answer is on its way, and shown where it comes as a stream."""
    if mode != "Stream":
        await chat.choose_mode(mode)
    await chat.send(text)
    await site.answering(1)
    if mode == "Stream":
        await chat.saw_text("1 2" if text == COUNT else "Thinking…")


async def goes_on(chat: ChatPage, site: ServedSite) -> None:
    """Wait until the answer goes on, and then for its end, which comes at once."""
    await expect(chat.status).to_have_text(GOES_ON)
    site.hurry()
    await chat.ended()


async def assert_conversation(chat: ChatPage, *messages: str) -> None:
    """These bubbles are shown, in this order, also after one more reload, which finds nothing to go on with."""
    bubbles = chat.page.locator(".message-bubble")
    await expect(bubbles).to_have_text(list(messages))
    chat.requests.clear()
    await chat.page.reload()
    await expect(bubbles).to_have_text(list(messages))
    assert [one.url for one in chat.requests if "/api/chat/resume" in one.url] == []


@pytest.mark.parametrize("mode", MODES)
async def test_after_a_reload_in_the_middle_of_an_answer_it_goes_on_to_its_end(
    chat: ChatPage, site: ServedSite, mode: str
) -> None:
    await begin(chat, site, mode=mode)
    await chat.page.reload()
    await expect(chat.mine).to_have_text([COUNT])
    await goes_on(chat, site)
    assert await chat.texts() == [COUNTED]
    assert await chat.count() == 2

    assert site.endings() == ["completed", "completed"]
    await assert_conversation(chat, COUNT, COUNTED, "how many messages?", await chat.text())
    assert chat.console == []


async def test_a_second_tab_shows_the_same_answer_as_it_is_written(chat: ChatPage, site: ServedSite) -> None:
    await begin(chat, site)
    other = await chat.second_tab()
    await goes_on(other, site)
    await chat.ended()
    assert await chat.texts() == await other.texts() == [COUNTED]

    assert await other.count() == 2
    await expect(chat.mine).to_have_count(2)
    await chat.ended()
    assert await chat.count() == 3
    await expect(other.mine).to_have_count(3)
    await other.ended()
    said, texts = await chat.said(), await chat.texts()
    assert [await other.said(), await other.texts()] == [said, texts]
    assert [said[0], texts[0]] == [COUNT, COUNTED]
    for tab in (chat, other):
        await tab.page.reload()
        await expect(tab.mine).to_have_count(3)
        assert [await tab.said(), await tab.texts()] == [said, texts]


async def test_an_answer_outlasts_two_reloads_one_soon_after_the_other(
    chat: ChatPage, site: ServedSite
) -> None:
    await begin(chat, site)
    for _ in range(2):
        await chat.page.reload()
        await expect(chat.status).to_have_text(GOES_ON)
    await goes_on(chat, site)

    await assert_conversation(chat, COUNT, COUNTED)


async def test_after_a_reload_while_a_tool_runs_its_activity_and_then_the_answer_are_shown(
    chromium: Browser,
) -> None:
    looked = asyncio.Event()

    @tool(label="Looking up the weather…", repeatable=True)
    async def get_weather(location: str, unit: str = "celsius") -> str:
        """Get the weather in a place."""
        await looked.wait()
        return f"fine in {location}, {unit}"

    async with served(weather=get_weather) as site, opened(chromium, site.url) as chat:
        await chat.send("weather in Paris")
        await expect(chat.status).to_have_text("Looking up the weather…")
        await chat.page.reload()
        await expect(chat.status).to_have_text("Looking up the weather…")
        await expect(chat.answers).to_have_text(["Looking up the weather…"])
        looked.set()
        await chat.ended()

        await assert_conversation(
            chat, "weather in Paris", "Here is the weather:\n\nParis: fine in Paris, celsius"
        )


@pytest.mark.parametrize("mode", MODES)
async def test_a_file_of_an_answer_that_goes_on_after_a_reload_is_shown_once(
    chat: ChatPage, site: ServedSite, mode: str
) -> None:
    await begin(chat, site, "wait 20 seconds, then make a csv", mode=mode)
    await chat.page.reload()
    await goes_on(chat, site)

    await chat.download("cities.csv")
    await assert_conversation(
        chat,
        "wait 20 seconds, then make a csv",
        "Here is your file: cities.csv. It has 5 rows.",
        "cities.csv",
    )


async def test_every_character_of_an_answer_outlasts_a_reload(chat: ChatPage, site: ServedSite) -> None:
    await begin(chat, site, "wait 20 seconds, then unicode")
    await chat.page.reload()
    await goes_on(chat, site)

    await assert_conversation(chat, "wait 20 seconds, then unicode", UNICODE.replace("\u2028", " "))


async def test_after_a_reload_an_answer_that_ended_meanwhile_is_shown_whole(
    chat: ChatPage, site: ServedSite
) -> None:
    await begin(chat, site, mode="JSON")
    await chat.page.goto("about:blank")
    site.hurry()
    await site.quiet()
    await chat.page.go_back()
    await chat.ended()

    await assert_conversation(chat, COUNT, COUNTED)


async def test_an_answer_that_goes_on_after_a_reload_can_be_stopped(chat: ChatPage, site: ServedSite) -> None:
    await begin(chat, site)
    await chat.page.reload()
    await expect(chat.status).to_have_text(GOES_ON)
    await chat.page.get_by_role("button", name="Stop").click()
    await chat.ended()
    kept = await chat.text()
    assert kept.startswith("1 2")
    await expect(chat.errors).to_have_count(0)
    await site.quiet()
    assert site.endings() == ["cancelled"]

    assert await chat.count() == 2
    await assert_conversation(chat, COUNT, kept, "how many messages?", await chat.text())


async def test_what_is_written_while_an_answer_goes_on_is_sent_only_after_it(
    chat: ChatPage, site: ServedSite
) -> None:
    await begin(chat, site)
    await chat.page.reload()
    await expect(chat.status).to_have_text(GOES_ON)
    await expect(chat.page.get_by_role("textbox")).to_have_accessible_name("Wait for the answer")
    await chat.input.fill("hello")
    await chat.input.press("Enter")
    await chat.page.get_by_role("radio", name="JSON").click()
    await expect(chat.status).to_have_text("Please let the answer end, or stop it, before you switch.")
    site.hurry()
    await chat.ended()
    await expect(chat.mine).to_have_count(1)

    await chat.input.press("Enter")
    await expect(chat.answers).to_have_count(2)
    await chat.ended()
    assert await chat.said() == [COUNT, "hello"]
    assert (await chat.texts())[0] == COUNTED


async def test_an_error_at_the_end_of_an_answer_that_went_on_stands_below_it(
    chat: ChatPage, site: ServedSite
) -> None:
    await begin(chat, site, "wait 20 seconds, then fail")
    await chat.page.reload()
    await goes_on(chat, site)

    await expect(chat.errors).to_have_text([FAILED])
    beginning = "This is the beginning of an answer that will not come to its end."
    bubbles = chat.page.locator(".message-bubble")
    await expect(bubbles).to_have_text(["wait 20 seconds, then fail", beginning, FAILED])
    assert (await chat.say("hello")).startswith("Hello again!")


async def test_a_new_conversation_ends_an_answer_that_goes_on_in_all_tabs(
    chat: ChatPage, site: ServedSite
) -> None:
    await begin(chat, site)
    other = await chat.second_tab()
    await expect(other.status).to_have_text(GOES_ON)
    await other.page.get_by_role("button", name="New conversation").click()
    for tab in (chat, other):
        await expect(tab.mine).to_have_count(0)
    await site.quiet()
    assert site.endings() == ["cancelled"]

    assert await chat.count() == 1
    await expect(other.mine).to_have_count(1)
    assert site.threads() == 2


@pytest.mark.parametrize("mode", MODES)
async def test_an_answer_whose_connection_breaks_goes_on_to_its_end(
    chat: ChatPage, site: ServedSite, mode: str
) -> None:
    await begin(chat, site, mode=mode)
    await chat.input.fill("a thought")
    # Chromium sends a message once more by itself where its connection breaks before anything came of it.
    site.deaf = True
    site.cut()
    await expect(chat.status).to_have_text(GOES_ON)
    site.cut()
    await goes_on(chat, site)
    await expect(chat.input).to_have_text("a thought")

    await assert_conversation(chat, COUNT, COUNTED)
    assert site.endings() == ["completed"]


@pytest.mark.parametrize("mode", MODES)
async def test_a_message_that_never_arrived_is_not_answered_by_the_answer_before_it(
    chat: ChatPage, site: ServedSite, mode: str
) -> None:
    await chat.choose_mode(mode)
    await chat.say("hello")
    await chat.page.route("**/api/chat", lambda route: route.abort())
    await chat.send("hello")
    await chat.ended()
    await expect(chat.errors).to_have_count(1)
    await expect(chat.status).to_have_text(UNREACHABLE)
    await expect(chat.answers).to_have_count(1)

    await chat.page.unroute("**/api/chat")
    assert await chat.count() == 2
    assert site.endings() == ["completed"] * 2


async def test_an_answer_goes_on_after_the_server_was_started_anew(chromium: Browser, tmp_path: Path) -> None:
    store = f"sqlite:{tmp_path / 'store.sqlite3'}"
    async with served(store=store, shutdown=1) as site, opened(chromium, site.url) as chat:
        await begin(chat, site)
        await site.end()
        await expect(chat.status).to_have_text(TRYING)
        await site.start()
        site.hurry()
        await chat.ended()

        await assert_conversation(chat, COUNT, COUNTED)


async def test_after_a_reload_a_conversation_that_the_server_has_forgotten_is_not_waited_for(
    chromium: Browser,
) -> None:
    async with served(shutdown=1) as site, opened(chromium, site.url) as chat:
        await begin(chat, site)
        await chat.page.goto("about:blank")
        await site.end()
        await site.start()
        chat.requests.clear()
        await chat.page.go_back()
        await expect(chat.page.get_by_role("heading", name="What can I help with?")).to_be_visible()
        await expect(chat.mine).to_have_count(0)
        assert [one.url for one in chat.requests if "/api/chat/resume" in one.url] == []

        assert (await chat.say("hello")).startswith("Hello!")
        await assert_conversation(chat, "hello", await chat.text())


async def test_nothing_that_was_said_is_kept_in_the_browser(chat: ChatPage) -> None:
    await chat.say("my name is Ada")
    await chat.choose_mode("JSON")
    await chat.say("what is my name?")
    await chat.input.fill("and mine is Ada too")
    await chat.page.reload()
    await expect(chat.mine).to_have_count(2)

    kept = await chat.page.evaluate("JSON.stringify([{ ...localStorage }, { ...sessionStorage }])")
    assert "json" in kept
    assert "Ada" not in kept


async def test_where_the_browser_keeps_nothing_a_conversation_goes_on_all_the_same(
    chat: ChatPage, site: ServedSite
) -> None:
    await chat.page.add_init_script("Storage.prototype.setItem = () => { throw new DOMException('full') }")
    await chat.page.reload()
    await chat.say("my name is Ada")
    await chat.choose_mode("JSON")
    assert await chat.say("what is my name?") == "Your name is Ada."

    assert await chat.said() == ["my name is Ada", "what is my name?"]
    assert site.threads() == 1

"""The shipped page: what was said is shown again as it was, however long ago."""

import pytest
from playwright.async_api import Browser, Locator, ViewportSize, expect

from page.attachments import CSV, PDF, PICTURE
from page.chat_page import DESK, PHONE, ChatPage, opened
from page.dialects import in_every_dialect
from page.served import ServedSite
from page.spoken import say, say_all

pytestmark = [pytest.mark.page, pytest.mark.asyncio(loop_scope="session")]

MODES = ("Stream", "Simulated", "JSON")
PAGE = 20
FAILED = "The assistant ran into an error. Please try again."
_BUBBLES = """() => [...document.querySelector("deep-chat").shadowRoot.querySelectorAll(".message-bubble")].map(
  (bubble) => bubble.innerText.trim() || bubble.querySelector("img")?.alt || bubble.querySelector("a")?.download)"""
_MESSAGES = """document.querySelector("deep-chat").shadowRoot.getElementById("messages")"""


async def bubbles(chat: ChatPage) -> list[str]:
    """All bubbles: their texts, or the names of their files; "" for a picture without one."""
    found: list[str | None] = await chat.page.evaluate(_BUBBLES)
    return [name or "" for name in found]


async def is_drawn(picture: Locator) -> bool:
    """Whether the picture has come, and can be seen."""
    await picture.scroll_into_view_if_needed()
    await expect(picture).to_be_visible()
    return bool(await picture.evaluate("image => image.decode().then(() => image.clientWidth > 20)"))


def echoed(texts: list[str]) -> list[str]:
    """What these answers say that the visitor said."""
    return [text.split("\n\n")[1] for text in texts]


async def scroll_up(chat: ChatPage) -> None:
    """Scroll to the oldest message that is there."""
    await chat.page.evaluate(f"{_MESSAGES}.scrollTop = 0")


async def scroll_down(chat: ChatPage) -> None:
    """Scroll to the newest message, and wait until that has been noticed."""
    await chat.page.evaluate(
        f"""() => new Promise((scrolled) => {{
          {_MESSAGES}.addEventListener("scrollend", scrolled, {{ once: true }});
          {_MESSAGES}.scrollTop = {_MESSAGES}.scrollHeight;
        }})"""
    )


@pytest.mark.parametrize("mode", MODES)
async def test_pictures_and_files_of_both_sides_are_shown_again_after_a_reload(
    chat: ChatPage, mode: str
) -> None:
    await chat.choose_mode(mode)
    await chat.attach(PICTURE, menu="Images")
    await chat.say("what is in this picture?")
    await chat.attach(CSV, PDF)
    await chat.send_files()
    await chat.ended()
    await chat.say("draw a chart")
    await chat.say("make a csv")
    texts, said = await chat.texts(), await chat.said()
    files = await chat.files.count()
    await chat.page.reload()
    await expect(chat.mine).to_have_count(len(said))

    assert [await chat.texts(), await chat.said()] == [texts, said]
    await expect(chat.files).to_have_count(files)
    pictures = await chat.page.locator(".message-bubble img").all()
    assert len(pictures) == 2
    assert [await is_drawn(one) for one in pictures] == [True, True]
    assert (await chat.download("cities.csv")).startswith(b"city")
    assert chat.console == []


@in_every_dialect
async def test_errors_and_stopped_answers_are_shown_again_after_a_reload(chat: ChatPage) -> None:
    await chat.send("fail")
    await chat.ended()
    await chat.send("slowly count to 100")
    await chat.saw_text("1 2")
    await chat.stop()
    await chat.ended()
    shown = await bubbles(chat)
    assert shown[2] == FAILED
    assert shown[-1].endswith("Stopped.")
    await chat.page.reload()
    await expect(chat.mine).to_have_count(2)

    assert await bubbles(chat) == shown
    assert await chat.errors.all_inner_texts() == [FAILED]


@pytest.mark.parametrize("screen", [DESK, PHONE], ids=["desk", "phone"])
async def test_older_messages_come_page_by_page_as_one_scrolls_up(
    chromium: Browser, site: ServedSite, screen: ViewportSize
) -> None:
    async with opened(chromium, site.url, viewport=screen) as chat:
        await say_all(chat, *(f"echo {number}" for number in range(3 * PAGE)))
        await chat.page.reload()
        for count in (PAGE, 2 * PAGE, 3 * PAGE):
            await expect(chat.mine).to_have_count(count)
            await expect(chat.answers).to_have_count(count)
            first = chat.mine.nth(-count)
            await scroll_up(chat)
            if count < 3 * PAGE:
                await expect(chat.mine).to_have_count(count + PAGE)
                await expect(first).to_be_visible()

        said = [f"echo {number}" for number in range(3 * PAGE)]
        assert await chat.said() == said
        assert echoed(await chat.texts()) == said
        assert await chat.count() == 3 * PAGE + 1
        assert chat.console == []


async def test_pictures_files_and_errors_of_older_pages_are_shown_as_they_were(chat: ChatPage) -> None:
    await chat.attach(PICTURE, menu="Images")
    await chat.say("what is in this picture?")
    await chat.say("draw a chart")
    await chat.say("make a csv")
    await chat.send("fail")
    await chat.ended()
    await chat.page.reload()
    await expect(chat.mine).to_have_count(5)
    newest = await bubbles(chat)
    chat.console.clear()
    await say_all(chat, *(f"echo {number}" for number in range(PAGE)))
    await chat.page.reload()
    await expect(chat.mine).to_have_count(PAGE)
    await scroll_up(chat)
    await expect(chat.mine).to_have_count(PAGE + 5)

    assert (await bubbles(chat))[: len(newest)] == newest
    assert [await is_drawn(one) for one in await chat.page.locator(".message-bubble img").all()] == [True] * 2
    assert (await chat.download("cities.csv")).startswith(b"city")
    assert chat.console == []


async def test_a_picture_is_seen_large_by_a_click_and_can_be_saved(chat: ChatPage) -> None:
    await chat.say("draw a chart")
    await chat.files.locator("img").click()
    viewer = chat.page.get_by_role("dialog", name="Picture")
    assert await is_drawn(viewer.locator("img"))
    async with chat.page.expect_download() as downloading:
        await viewer.get_by_role("link", name="Save").click()
    assert (await downloading.value).suggested_filename.endswith(".png")
    await chat.page.keyboard.press("Escape")

    await expect(viewer).to_be_hidden()


async def test_no_message_is_shown_twice_where_others_come_between_two_pages(chat: ChatPage) -> None:
    await say_all(chat, *(f"echo {number}" for number in range(2 * PAGE)))
    await chat.page.reload()
    await expect(chat.mine).to_have_count(PAGE)
    await say(chat, "echo of another tab")
    await scroll_up(chat)
    await expect(chat.mine).to_have_count(2 * PAGE)

    assert echoed(await chat.texts()) == [f"echo {number}" for number in range(2 * PAGE)]


async def test_an_older_page_that_does_not_come_is_asked_for_once_more(chat: ChatPage) -> None:
    await say_all(chat, *(f"echo {number}" for number in range(PAGE + 1)))
    await chat.page.reload()
    await expect(chat.mine).to_have_count(PAGE)
    await chat.page.route("**/api/history?*before=*", lambda route: route.abort())
    async with chat.page.expect_event("requestfailed"):
        await scroll_up(chat)
    await chat.page.unroute("**/api/history?*before=*")
    await scroll_down(chat)
    await scroll_up(chat)

    await expect(chat.mine).to_have_count(PAGE + 1)
    await expect(chat.errors).to_have_count(0)


async def test_where_the_conversation_cannot_be_read_the_page_says_so(
    chat: ChatPage, site: ServedSite
) -> None:
    await chat.say("my name is Ada")
    await chat.page.route("**/api/history*", lambda route: route.abort())
    await chat.page.reload()
    await expect(chat.errors).to_have_text(
        ["The server cannot be reached just now. Please check the connection and try again."]
    )
    await chat.page.unroute("**/api/history*")

    assert await chat.say("what is my name?") == "Your name is Ada."
    assert site.threads() == 1


async def test_the_numbers_and_the_list_of_sources_are_links_of_their_own_look(chat: ChatPage) -> None:
    text = "Deep [\\[1\\]](https://example.org/a), blue \\[2\\].\n\n**Sources**\n\n1. [One](https://example.org/a)\n2. two.pdf"
    custom = {"turn_id": "turn"}
    items = [
        {"role": "user", "text": "the sea?", "custom": custom},
        {"role": "ai", "text": text, "custom": custom},
    ]
    await chat.page.route("**/api/history*", lambda route: route.fulfill(json=items))
    await chat.page.reload()

    number, source = chat.page.locator("a.source"), chat.page.locator("ol.sources a")
    await expect(number).to_have_text(["[1]"])
    await expect(source).to_have_text(["One"])
    await expect(chat.page.locator(".sources-head")).to_have_text(["Sources"])
    for link in (number, source):
        await expect(link).to_have_attribute("target", "_blank")
        await expect(link).to_have_attribute("rel", "noopener noreferrer")

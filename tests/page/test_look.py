"""The shipped page: how it looks on each screen, and that it can be used by keyboard alone."""

from typing import Literal

import pytest
from playwright.async_api import Browser, ViewportSize, expect

from page.attachments import CSV, PDF
from page.chat_page import DESK, PHONE, ChatPage, opened
from page.served import ServedSite

pytestmark = [pytest.mark.page, pytest.mark.asyncio(loop_scope="session")]

_TOO_WIDE = """() => {
  const chat = document.querySelector("deep-chat").shadowRoot;
  const parts = [document.documentElement, chat.getElementById("messages"), chat.getElementById("input")];
  return parts.filter((part) => part.scrollWidth > part.clientWidth).map((part) => part.id || part.tagName);
}"""
_BRIGHTNESS = """() => {
  const [red, green, blue] = getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number);
  return (red + green + blue) / (3 * 255);
}"""
_SCHEMES: dict[Literal["light", "dark"], tuple[float, float]] = {"light": (0.8, 1), "dark": (0, 0.2)}
_FOCUSED = """() => {
  let element = document.activeElement;
  while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
  return element?.getAttribute("aria-label") || element?.innerText?.trim() || element?.value || "";
}"""


async def focus(chat: ChatPage, name: str, *, key: str = "Tab") -> None:
    """Press the key until the control of this name has the focus."""
    for _ in range(40):
        if await chat.page.evaluate(_FOCUSED) == name:
            return
        await chat.page.keyboard.press(key)
    raise AssertionError(f"{name} is not to be reached by {key}")


@pytest.mark.parametrize("screen", [DESK, PHONE], ids=["desk", "phone"])
async def test_on_every_screen_all_can_be_seen_without_scrolling_sideways(
    chromium: Browser, site: ServedSite, screen: ViewportSize
) -> None:
    async with opened(chromium, site.url, viewport=screen) as chat:
        assert await chat.page.evaluate(_TOO_WIDE) == []
        await chat.say("show markdown")
        await chat.say("make a csv")
        await chat.say(f"echo {'w' * 300}")
        await chat.attach(CSV, PDF)

        for scheme, (darkest, brightest) in _SCHEMES.items():
            await chat.page.emulate_media(color_scheme=scheme)
            assert darkest <= await chat.page.evaluate(_BRIGHTNESS) <= brightest
            assert await chat.page.evaluate(_TOO_WIDE) == []
            await expect(chat.input).to_be_in_viewport(ratio=1)
            await expect(chat.page.locator(".input-button.inside-end")).to_be_in_viewport(ratio=1)
            await expect(chat.page.get_by_role("button", name="New conversation")).to_be_in_viewport(ratio=1)


async def test_a_chosen_theme_is_kept_over_a_reload(chat: ChatPage) -> None:
    button = chat.page.get_by_role("button", name="Theme:")
    await button.click()
    await button.click()
    await expect(button).to_have_attribute("title", "Theme: dark")
    await chat.page.reload()

    await expect(chat.page.get_by_role("button", name="Theme: dark")).to_be_visible()
    assert await chat.page.evaluate(_BRIGHTNESS) < 0.2


async def test_files_images_and_the_camera_are_offered_beside_the_input(chat: ChatPage) -> None:
    await chat.page.locator(".dropup-button").click()

    await expect(chat.page.locator(".dropup-menu-item")).to_have_text(["Camera", "Images", "Files"])


async def test_a_conversation_can_be_held_by_keyboard_alone(chat: ChatPage, site: ServedSite) -> None:
    keyboard = chat.page.keyboard
    await expect(chat.input).to_be_focused()
    await keyboard.type("my name is Ada")
    await keyboard.press("Shift+Enter")
    await keyboard.type("and this is a second line")
    await keyboard.press("Enter")
    await expect(chat.mine).to_have_count(1)
    await chat.ended()
    await expect(chat.mine).to_have_text(["my name is Ada\nand this is a second line"])

    await focus(chat, "New conversation")
    await keyboard.press("Enter")
    await expect(chat.mine).to_have_count(0)
    await expect(chat.input).to_be_focused()
    await keyboard.type("what is my name?")
    await keyboard.press("Enter")
    await expect(chat.mine).to_have_count(1)
    await chat.ended()

    assert await chat.texts() == ["You have not told me your name."]
    assert site.threads() == 2


async def test_an_answer_can_be_stopped_by_keyboard_alone(chat: ChatPage, site: ServedSite) -> None:
    await chat.send("slowly count to 100")
    await chat.saw_text("1 2")
    await focus(chat, "Stop")
    await chat.page.keyboard.press("Enter")
    await chat.ended()
    await site.quiet()

    assert site.endings() == ["cancelled"]


async def test_files_can_be_attached_by_keyboard_alone(chat: ChatPage) -> None:
    await expect(chat.input).to_be_focused()
    await focus(chat, "Attach images or files, or take a photo")
    await chat.page.keyboard.press("Enter")
    await expect(chat.page.locator(".dropup-menu-item").first).to_be_focused()
    await focus(chat, "Files", key="ArrowDown")
    async with chat.page.expect_file_chooser() as chooser:
        await chat.page.keyboard.press("Enter")
    await (await chooser.value).set_files([CSV])

    await expect(chat.page.locator(".file-attachment")).to_have_count(1)


async def test_every_control_has_a_name(chat: ChatPage) -> None:
    await chat.attach(CSV)
    nameless = await chat.page.get_by_role("button", name="").all()

    assert [
        await button.evaluate("button => button.outerHTML.slice(0, 120)")
        for button in nameless
        if not await button.evaluate("button => button.ariaLabel || button.innerText.trim()")
    ] == []

"""Pages on other origins than the server's: those that are allowed, and what keeps visitors apart there."""

from typing import Any

import pytest
from playwright.async_api import Browser, Frame, Page

from page.attachments import CSV
from page.chat_page import WAIT, ChatPage, opened
from page.chromium import find_chromium, launched
from page.other_pages import OTHER_SITE, SAME_SITE, held, other_pages
from page.served import served

pytestmark = [pytest.mark.page, pytest.mark.asyncio(loop_scope="session")]

APART: dict[str, Any] = {"same_site": "none", "partitioned_cookie": "yes"}
_SAY = """async ([url, text]) => {
  const answer = await fetch(url, {
    method: "POST",
    credentials: "include",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ messages: [{ role: "user", text }] }),
  });
  return (await answer.json()).text;
}"""


async def cookies_of(chat: ChatPage) -> list[tuple[str, str, bool, str]]:
    """Name, SameSite, Secure and partition of every cookie that the browser has."""
    return [
        (cookie["name"], str(cookie["sameSite"]), cookie["secure"], cookie.get("partitionKey") or "")
        for cookie in await chat.page.context.cookies()
    ]


async def talk(chat: ChatPage) -> None:
    """A text, a file and a text, on one thread."""
    assert await chat.say("my name is Ada") == "Nice to meet you, Ada!"
    await chat.attach(CSV)
    assert "cities.csv" in await chat.say("what is in this file?")
    assert await chat.say("what is my name?") == "Your name is Ada."


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize(
    ("host", "settings", "cookie"),
    [
        # Another port is another origin and the same site, where the cookie goes as it does at home.
        (SAME_SITE, {}, ("deep_chat_session", "Lax", False, "")),
        # Without TLS, browsers take such a cookie from this machine alone. Those that keep none of other sites, as
        # Debian's does, keep one that is kept apart.
        (OTHER_SITE, APART, ("__Host-deep_chat_session", "None", True, "http://localhost")),
    ],
    ids=["another port", "another site"],
)
async def test_a_page_that_is_allowed_talks_on_one_thread_with_files_and_headers_of_its_own(
    chromium: Browser, host: str, settings: dict[str, Any], cookie: tuple[str, str, bool, str], stream: bool
) -> None:
    async with other_pages() as pages, served(allowed_origins=(pages.origin(host),), **settings) as site:
        connect = {"credentials": "include", "headers": {"X-Shop": "1"}, "stream": stream}
        async with opened(chromium, pages.shop(host, f"{site.url}/api/chat", **connect)) as chat:
            await talk(chat)

            assert site.threads() == 1
            assert await cookies_of(chat) == [cookie]
            assert ("OPTIONS", "/api/chat", 204) in site.answered


async def test_a_page_that_is_allowed_shows_pictures_of_the_assistant(chromium: Browser) -> None:
    async with (
        other_pages() as pages,
        served(allowed_origins=(pages.origin(OTHER_SITE),), **APART) as site,
        opened(chromium, pages.shop(OTHER_SITE, f"{site.url}/api/chat", credentials="include")) as chat,
    ):
        await chat.say("draw a chart")
        picture = chat.page.locator(".ai-message img")
        await picture.evaluate("(image) => image.decode()")

        assert str(await picture.get_attribute("src")).startswith(f"{site.url}/api/files/")
        assert await picture.evaluate("(image) => image.naturalWidth") > 0


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
async def test_without_cookies_a_page_of_any_origin_talks_on_the_thread_that_it_names(
    chromium: Browser, stream: bool
) -> None:
    async with other_pages() as pages, served(allowed_origins=("*",), visitors="handle") as site:
        url = pages.shop(OTHER_SITE, f"{site.url}/api/chat", carry=True, stream=stream)
        async with opened(chromium, url) as chat:
            await talk(chat)

            assert site.threads() == 1
            assert await cookies_of(chat) == []


async def test_without_cookies_the_shipped_page_leaves_none_either(chromium: Browser) -> None:
    async with served(visitors="handle") as site, opened(chromium, site.url) as chat:
        assert await chat.say("my name is Ada") == "Nice to meet you, Ada!"

        assert await cookies_of(chat) == []


async def framed(page: Page, url: str) -> Frame:
    """Another page in a frame of this one."""
    await page.evaluate(
        """(url) => new Promise((loaded) => {
          const frame = document.createElement("iframe");
          frame.onload = loaded;
          frame.src = url;
          document.body.append(frame);
        })""",
        url,
    )
    return page.frames[-1]


async def test_a_visitor_of_a_framed_chat_is_another_one_on_every_site_around_it(chromium: Browser) -> None:
    async with other_pages() as pages, served(allowed_origins=(pages.origin(SAME_SITE),), **APART) as site:
        asked = f"{site.url}/api/chat"
        context = await chromium.new_context()
        try:
            page = await context.new_page()
            page.set_default_timeout(WAIT)
            await page.goto(pages.origin(OTHER_SITE))
            frame = await framed(page, pages.origin(SAME_SITE))
            await frame.evaluate(_SAY, [asked, "my name is Ada"])
            assert await frame.evaluate(_SAY, [asked, "what is my name?"]) == "Your name is Ada."
            await page.goto(pages.origin(SAME_SITE))
            assert await page.evaluate(_SAY, [asked, "what is my name?"]) == "You have not told me your name."
            partitions = {cookie.get("partitionKey") for cookie in await context.cookies(site.url)}
        finally:
            await context.close()

    assert len(partitions) == 2


@pytest.mark.usefixtures("chromium")  # skips where there is none
async def test_a_page_that_takes_our_address_for_its_own_name_gets_nothing_and_leaves_nothing() -> None:
    executable = find_chromium()
    assert executable is not None
    async with (
        served(allowed_hosts=("127.0.0.1", "localhost")) as site,
        launched(executable, "--host-resolver-rules=MAP evil.test 127.0.0.1") as browser,
    ):
        before = await held(site)
        page = await browser.new_page()
        shown = await page.goto(f"http://evil.test:{site.port}/")
        assert shown is not None
        assert shown.status == 421
        status = await page.evaluate(
            """async () => (await fetch("/api/chat", { method: "POST", body: '{"messages":[{"text":"hi"}]}' })).status"""
        )

        assert status == 421
        assert await held(site) == before
        assert await page.context.cookies() == []

"""Deep Chat in a browser as its visitor sees it; where its parts lie in the shadow DOM is known only here."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import (
    Browser,
    ConsoleMessage,
    FileChooser,
    FilePayload,
    Locator,
    Page,
    Request,
    expect,
)

WAIT = 15_000
"""Milliseconds after which a test gives up."""
expect.set_options(timeout=WAIT)

DESK = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}

_BUSY = ".loading-button, .input-button > #stop-icon"
_AWAITED = "#stop-waiting:not([hidden])"
_NEWEST_ANSWERED = """([busy, mine, awaited]) => {
  const chat = document.querySelector("deep-chat")?.shadowRoot;
  if (!chat) return false; // a page that is just being loaded
  const newest = [...chat.querySelectorAll(".outer-message-container")].at(-1);
  return !chat.querySelector(busy) && !document.querySelector(awaited) && newest && !newest.matches(mine);
}"""
_MINE = ".deep-chat-outer-container-role-user"
_REPORT_VIOLATIONS = """addEventListener("securitypolicyviolation", (event) =>
  console.error(`securitypolicyviolation: ${event.violatedDirective} ${event.blockedURI}`))"""


class ChatPage:
    """One page with a `<deep-chat>` on it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        page.set_default_timeout(WAIT)
        self.requests: list[Request] = []
        self.console: list[str] = []
        page.on("request", self._request)
        page.on("console", self._print)
        # Playwright takes file dialogs over from the first listener on, which a key pressed at once may outrun.
        page.on("filechooser", lambda _chooser: None)
        self.input = page.locator("#text-input")
        self.mine = page.locator(_MINE)
        self.answers = page.locator(".message-bubble.ai-message:not(.error-message)")
        """Bubbles of the assistant: a text or a file each."""
        self.errors = page.locator(".error-message")
        self.files = page.locator(".ai-message.file-message")
        self.stop_button = page.locator(".input-button:has(> #stop-icon)")
        self.status = page.locator("#status")

    def _request(self, request: Request) -> None:
        self.requests.append(request)

    def _print(self, message: ConsoleMessage) -> None:
        self.console.append(message.text)

    @property
    def answer(self) -> Locator:
        """The newest bubble of the assistant."""
        return self.answers.last

    async def send(self, text: str) -> None:
        """Write and send; returns when the message is in the conversation."""
        before = await self.mine.count()
        await self.input.fill(text)
        await self.input.press("Enter")
        await expect(self.mine.nth(before)).to_be_visible()

    async def start_over(self) -> None:
        """Begin a new conversation; returns when there is nothing in it."""
        await self.page.get_by_role("button", name="New conversation").click()
        await expect(self.mine).to_have_count(0)

    async def ended(self) -> None:
        """Wait until the newest message is answered and another can be sent."""
        await self.page.wait_for_function(_NEWEST_ANSWERED, arg=[_BUSY, _MINE, _AWAITED], timeout=WAIT)

    async def say(self, text: str) -> str:
        """Send, wait for the end, and return the newest bubble's text."""
        await self.send(text)
        await self.ended()
        return await self.text()

    async def count(self) -> int:
        """Ask how many messages of the visitor the thread has, this question included."""
        counted = re.match(r"This thread has (\d+) messages of yours", await self.say("how many messages?"))
        assert counted is not None
        return int(counted[1])

    async def text(self) -> str:
        """What the newest bubble of the assistant says."""
        return (await self.answer.inner_text()).strip()

    async def texts(self) -> list[str]:
        """All bubbles of the assistant, oldest first."""
        return [text.strip() for text in await self.answers.all_inner_texts()]

    async def said(self) -> list[str]:
        """All bubbles of the visitor, oldest first."""
        return [text.strip() for text in await self.mine.all_inner_texts()]

    async def saw_text(self, beginning: str) -> None:
        """Wait until the newest answer begins so, while there is still more to come."""
        await expect(self.stop_button).to_be_visible()
        await self.page.wait_for_function(
            """([busy, beginning]) => {
              const chat = document.querySelector("deep-chat")?.shadowRoot;
              if (!chat) return false;
              const newest = [...chat.querySelectorAll(".ai-message")].at(-1);
              return chat.querySelector(busy) && newest?.innerText.trim().startsWith(beginning);
            }""",
            arg=[_BUSY, beginning],
            timeout=WAIT,
        )

    async def attach(self, *files: FilePayload, menu: str = "Files") -> None:
        """Choose files through the menu beside the input."""
        await (await self._chooser(menu)).set_files(files)
        await expect(self.page.locator(".file-attachment")).to_have_count(len(files))

    async def attach_from(self, path: Path) -> None:
        """Choose a file that lies on disk, which is the only way for a large one."""
        await (await self._chooser("Files")).set_files(path)
        await expect(self.page.locator(".file-attachment")).to_have_count(1)

    async def _chooser(self, menu: str) -> FileChooser:
        await self.page.locator(".dropup-button").click()
        async with self.page.expect_file_chooser() as chooser:
            await self.page.locator(".dropup-menu-item", has_text=menu).click()
        return await chooser.value

    async def send_files(self) -> None:
        """Send what is attached, without a word."""
        before = await self.mine.count()
        await self.input.press("Enter")
        await expect(self.mine.nth(before)).to_be_visible()

    async def stop(self) -> None:
        """Press Deep Chat's Stop."""
        await self.stop_button.click()

    async def choose_mode(self, mode: str) -> None:
        """Choose how answers arrive: Stream, Simulated or JSON."""
        await self.page.get_by_role("radio", name=mode, exact=True).check()
        await expect(self.input).to_be_visible()

    async def download(self, name: str) -> bytes:
        """Click the file of that name, and return what the browser saves."""
        async with self.page.expect_download() as downloading:
            await self.files.filter(has_text=name).last.click()
        download = await downloading.value
        assert download.suggested_filename == name
        return (await download.path()).read_bytes()

    async def second_tab(self) -> "ChatPage":
        """The same page once more, in another tab of the same browser."""
        other = ChatPage(await self.page.context.new_page())
        await other.page.goto(self.page.url)
        await expect(other.input).to_be_visible()
        return other

    def posts(self) -> list[Request]:
        """The messages that were sent, as requests."""
        return [one for one in self.requests if one.method == "POST" and one.url.endswith("/api/chat")]

    async def content_type(self) -> str:
        """Of the newest answer of the server to a message."""
        answer = await self.posts()[-1].response()
        assert answer is not None
        return answer.headers["content-type"]


@asynccontextmanager
async def opened(browser: Browser, url: str, **chosen: Any) -> AsyncIterator[ChatPage]:
    """A new visitor's page at `url`; `chosen` are options of playwright's browser context."""
    context = await browser.new_context(**({"viewport": DESK} | chosen))
    try:
        await context.add_init_script(_REPORT_VIOLATIONS)
        chat = ChatPage(await context.new_page())
        await chat.page.goto(url)
        await expect(chat.input).to_be_visible()
        yield chat
    finally:
        await context.close()

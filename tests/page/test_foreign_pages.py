"""Pages that are not allowed: whatever they have a visitor's browser send, nothing comes of it."""

import asyncio

import pytest
from playwright.async_api import Browser, Page

from deep_chat_proxy.browser.keys import CHAT
from page.chat_page import WAIT, ChatPage, opened
from page.other_pages import OTHER_SITE, SAME_SITE, held, other_pages
from page.served import ServedSite, served
from playing import until

pytestmark = [pytest.mark.page, pytest.mark.asyncio(loop_scope="session")]

MESSAGE = '{"messages":[{"role":"user","text":"said by another page"}]}'
# Each is the body of a function of the server's address, the thread's id and a message. What a page may send without
# asking first is sent; what needs a preflight ends with that.
ATTACKS = {
    "json": """fetch(`${server}/api/chat`, {
        method: "POST", credentials: "include", headers: { "Content-Type": "application/json" }, body: message })""",
    "json as text": """fetch(`${server}/api/chat`, {
        method: "POST", mode: "no-cors", credentials: "include", body: message })""",
    "stream": """fetch(`${server}/api/chat`, {
        method: "POST", mode: "no-cors", credentials: "include", headers: { Accept: "text/event-stream" },
        body: message })""",
    "multipart": """const body = new FormData();
        body.append("message1", JSON.stringify(JSON.parse(message).messages[0]));
        body.append("files", new Blob(["a,b"], { type: "text/csv" }), "a.csv");
        fetch(`${server}/api/chat`, { method: "POST", mode: "no-cors", credentials: "include", body })""",
    "form": """const frame = document.createElement("iframe");
        frame.name = "answer";
        const form = document.createElement("form");
        const action = `${server}/api/chat`;
        Object.assign(form, { method: "post", action, enctype: "text/plain", target: frame.name });
        const field = document.createElement("input");
        Object.assign(field, { name: message.slice(0, -1) + ',"x":"', value: '"}' });
        form.append(field);
        document.body.append(frame, form);
        form.submit()""",
    "form without an origin": """const frame = document.createElement("iframe");
        frame.sandbox = "allow-forms allow-scripts";
        frame.srcdoc = `<form method=post action="${server}/api/threads"></form><script>document.forms[0].submit()</script>`;
        document.body.append(frame)""",
    "beacon": """navigator.sendBeacon(`${server}/api/chat`, message)""",
    "beacon to stop": """navigator.sendBeacon(`${server}/api/chat/stop`, JSON.stringify({ thread_id: thread }))""",
    "new thread": """fetch(`${server}/api/threads`, { method: "POST", mode: "no-cors", credentials: "include" })""",
    "picture": """new Image().src = `${server}/api/chat/resume`""",
    "script": """const script = document.createElement("script");
        script.src = `${server}/api/chat/resume?thread_id=${thread}`;
        document.body.append(script)""",
    "resume": """fetch(`${server}/api/chat/resume`, { mode: "no-cors", credentials: "include" })""",
    "event source": """new EventSource(`${server}/api/chat/resume`, { withCredentials: true })""",
    "delete": """fetch(`${server}/api/threads/${thread}`, { method: "DELETE", credentials: "include" })""",
    "rename": """fetch(`${server}/api/threads/${thread}`, {
        method: "PATCH", credentials: "include", body: '{"title":"x"}' })""",
}
_RUN = "([server, thread, message]) => {{ const quiet = async () => {{ {0} }}; quiet().catch(() => null); }}"


async def attack(page: Page, site: ServedSite, name: str, thread_id: str) -> int:
    """Run it on a page; returns the status of the answer to what it sent."""
    before = len(site.answered)
    async with asyncio.timeout(WAIT / 1000):
        await page.evaluate(_RUN.format(ATTACKS[name]), [site.url, thread_id, MESSAGE])
    await until(lambda: len(site.answered) > before)
    return site.answered[before][2]


async def hanging(chat: ChatPage, site: ServedSite) -> str:
    """Have a turn under way; returns the id of its thread."""
    await chat.say("my name is Ada")
    await chat.send("hang")
    await chat.saw_text("")
    (turn,) = site.app[CHAT].turns._active.values()
    return turn.thread_id


@pytest.mark.parametrize("host", [SAME_SITE, OTHER_SITE], ids=["another port", "another site"])
async def test_a_page_that_is_not_allowed_changes_nothing_and_is_told_nothing(
    chromium: Browser, host: str
) -> None:
    async with other_pages() as pages, served(grace=60) as site, opened(chromium, site.url) as victim:
        thread_id = await hanging(victim, site)
        before = await held(site)
        cookies = await victim.page.context.cookies()
        foreign = await victim.page.context.new_page()
        await foreign.goto(pages.origin(host), timeout=WAIT)
        statuses = {}
        for name in ATTACKS:
            statuses[name] = await attack(foreign, site, name, thread_id)
            assert await held(site) == before, name

        assert statuses == dict.fromkeys(ATTACKS, 403)
        assert await victim.page.context.cookies() == cookies
        await victim.stop()
        await victim.ended()


async def test_the_same_requests_would_do_something_for_a_page_that_is_allowed(chromium: Browser) -> None:
    async with (
        other_pages() as pages,
        served(grace=60, allowed_origins=(pages.origin(SAME_SITE),)) as site,
        opened(chromium, site.url) as victim,
    ):
        await victim.say("my name is Ada")
        before = await held(site)
        foreign = await victim.page.context.new_page()
        await foreign.goto(pages.origin(SAME_SITE), timeout=WAIT)
        for name in ("json as text", "multipart", "form", "beacon"):
            assert await attack(foreign, site, name, "") == 200, name
            after = await held(site)
            assert len(after[1]) == len(before[1]) + 1, name
            before = after

        assert len(before[0]) == 1

"""Makes web/readme.png, the picture in the README: `python tests/page/picture.py`.

The page is shown twice, light on a desk and dark on a phone, in the middle of the same conversation.
"""

import asyncio
import base64
import sys
from pathlib import Path

from playwright.async_api import Browser, Page, ViewportSize

sys.path.insert(0, str(Path(__file__).parents[1]))

from page.chat_page import opened
from page.chromium import find_chromium, launched
from page.served import served

PICTURE = Path(__file__).parents[2] / "web" / "readme.png"
DESK = ViewportSize(width=1120, height=880)
PHONE = ViewportSize(width=390, height=864)
EARLIER = ("Which files can you read?", "Draw a chart")
CONVERSATION = ("Weather in Paris and Tokyo?", "Show me a table", "Make a CSV")
SHEET = """
<!doctype html>
<style>
  body {{ display: flex; gap: 44px; margin: 0; padding: 40px; width: 1660px; box-sizing: border-box;
    justify-content: center; align-items: center; background: linear-gradient(135deg, #dfe3ea, #c9d0dc); }}
  img {{ border-radius: 14px; box-shadow: 0 18px 44px rgb(20 30 50 / 28%); }}
  img + img {{ border-radius: 34px; border: 8px solid #0c0d0f; }}
</style>
<img src="data:image/png;base64,{desk}"><img src="data:image/png;base64,{phone}">
"""


async def shot(browser: Browser, url: str, screen: ViewportSize, scheme: str) -> str:
    """The page after the conversation, as base64 of a PNG."""
    async with opened(browser, url, viewport=screen, color_scheme=scheme) as chat:
        for text in EARLIER:
            await chat.say(text)
            await chat.start_over()
        for text in CONVERSATION:
            await chat.say(text)
        await chat.page.evaluate("document.fonts.ready")
        return base64.b64encode(await chat.page.screenshot(animations="disabled")).decode()


async def composed(page: Page, desk: str, phone: str) -> bytes:
    """Both side by side."""
    await page.set_content(SHEET.format(desk=desk, phone=phone))
    await page.evaluate("Promise.all([...document.images].map((image) => image.decode()))")
    return await page.screenshot(full_page=True)


async def main() -> None:
    executable = find_chromium()
    if executable is None:
        raise SystemExit("no Chromium is installed")
    async with launched(executable) as browser, served() as site:
        desk = await shot(browser, site.url, DESK, "light")
        phone = await shot(browser, site.url, PHONE, "dark")
        page = await browser.new_page(viewport=ViewportSize(width=1660, height=960))
        picture = await composed(page, desk, phone)
    await asyncio.to_thread(PICTURE.write_bytes, picture)


if __name__ == "__main__":
    asyncio.run(main())

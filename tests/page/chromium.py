"""Debian's Chromium, driven by playwright: its headless build where it is there, which has the same engine and none of
the windows of a browser, whose own pages cost as much as ours.
"""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

# It runs as root in containers, and must ask nothing of other machines.
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)
_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


def find_chromium() -> str | None:
    """Path of an installed Chromium."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


@asynccontextmanager
async def launched(executable: str, *more: str) -> AsyncIterator[Browser]:
    """A running browser without a window; `more` are arguments for it."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=[*_ARGUMENTS, *more])
        try:
            yield browser
        finally:
            await browser.close()

"""A browser for all tests of the folder, and a fresh visitor of a fresh server for each.

All of them run on the session's loop, which is the browser's: `pytestmark` of each module says so.
"""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from page.chat_page import ChatPage, opened
from page.chromium import find_chromium, launched
from page.dialects import ASSISTANTS
from page.served import ServedSite, served

_BUNDLE = Path(__file__).parents[2] / "web/node_modules/deep-chat/dist/deepChat.bundle.js"


def _missing(what: str) -> None:
    """Skip on a desk; in CI a skipped browser test would look like a passed one."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    executable = find_chromium()
    if executable is None:
        _missing("no Chromium is installed")
    elif not _BUNDLE.is_file():
        _missing("Deep Chat is not installed: run `npm ci` in web/")
    else:
        async with launched(executable) as browser:
            yield browser


@pytest.fixture
def dialect() -> str:
    """What is spoken with the back end, where a test does not say so by a mark of `dialects.py`."""
    return ASSISTANTS


@pytest_asyncio.fixture(loop_scope="session")
async def site(dialect: str) -> AsyncIterator[ServedSite]:
    async with served(dialect=dialect) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def chat(chromium: Browser, site: ServedSite) -> AsyncIterator[ChatPage]:
    """The shipped page."""
    async with opened(chromium, site.url) as page:
        yield page

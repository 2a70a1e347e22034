"""A local OpenAI on a real socket, with the official SDK and a plain HTTP client in front of it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from deep_chat_proxy.local_openai import LocalOptions
from local_openai.wire import FAST, Local, StartLocal


@pytest.fixture
async def start_local() -> AsyncIterator[StartLocal]:
    """Starts a local OpenAI with options of its own; all of them end with the test."""
    async with AsyncExitStack() as stack:

        async def start(options: LocalOptions) -> Local:
            return await stack.enter_async_context(Local.running(options))

        yield start


@pytest.fixture
async def local(start_local: StartLocal) -> Local:
    """A local OpenAI that answers without pauses."""
    return await start_local(FAST)

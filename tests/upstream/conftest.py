"""Back ends for the upstream room: aioresponses for one-shot calls, a scripted server for everything else."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any

import aiohttp
import aioresponses.core
import pytest
from aioresponses import aioresponses as mocked_api
from stamina.instrumentation import get_on_retry_hooks

from deep_chat_proxy.upstream.assistants.dialect import AssistantsDialect
from upstream.backend import ScriptedBackend, client_of
from upstream.playing import dialect_of
from upstream.scenes import threads_can_be_written

# As where the server starts: found out at the first repeated call, it would stall the loop.
get_on_retry_hooks()


class CompatibleResponse(aiohttp.ClientResponse):
    """Fills in what aioresponses 0.7.9 does not give to a response since aiohttp 3.14."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("stream_writer", SimpleNamespace(output_size=0))
        super().__init__(*args, **kwargs)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[mocked_api]:
    """Answers one-shot calls without a network."""
    monkeypatch.setattr(aioresponses.core, "ClientResponse", CompatibleResponse)
    with mocked_api() as mock:
        yield mock


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


@pytest.fixture
async def backend() -> AsyncIterator[ScriptedBackend]:
    """A scripted back end; a request that nothing is scripted for fails the test, but for messages of a thread."""
    backend = ScriptedBackend()
    threads_can_be_written(backend)
    await backend.start()
    yield backend
    await backend.close()
    assert backend.unexpected == []


@pytest.fixture
async def dialect(backend: ScriptedBackend, session: aiohttp.ClientSession) -> AssistantsDialect:
    """The dialect in front of the scripted back end."""
    return dialect_of(client_of(session, backend.base_url))


@pytest.fixture
def sleeps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were to be slept, in order; nobody sleeps."""
    recorded: list[float] = []
    real = asyncio.sleep

    async def record(delay: float, result: object = None) -> object:
        if delay > 0:
            recorded.append(delay)
        return await real(0, result)

    monkeypatch.setattr(asyncio, "sleep", record)
    monkeypatch.setattr("deep_chat_proxy.upstream.pauses._now", lambda: 0.0)
    return recorded

"""A conversation in each of the cases, with a local OpenAI of its own."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from deep_chat_proxy.local_openai import STATE, create_local_openai
from deep_chat_proxy.store.records import ThreadRecord
from deep_chat_proxy.store.shelf import Shelf
from deep_chat_proxy.store.sqlite import SqliteStore
from deep_chat_proxy.upstream.client import ApiClient, Endpoint
from upstream.contract.cases import CASES, Case
from upstream.contract.talk import FUNCTIONS, Make, Talk
from upstream.contract.validating import ValidatingClient
from upstream.playing import WAIT


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    """Each of them, one after the other."""
    found: Case = request.param
    return found


@pytest.fixture
async def store() -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(":memory:")
    yield store
    await store.close()


@pytest.fixture
async def shelf() -> AsyncIterator[Shelf]:
    shelf = Shelf(None, 2**26)
    yield shelf
    await shelf.close()


@pytest.fixture
async def make(
    session: aiohttp.ClientSession, store: SqliteStore, shelf: Shelf, tmp_path: Path
) -> AsyncIterator[Make]:
    """Begins a conversation in a case, or goes on with one: `make(case, talk)`."""
    servers: list[TestServer] = []

    async def make(case: Case, before: Talk | None = None, *, silence: float = WAIT) -> Talk:
        server = TestServer(create_local_openai(case.local()))
        await server.start_server(access_log=None)
        servers.append(server)
        kind = ApiClient if case.poorer else ValidatingClient
        endpoint = Endpoint(
            str(server.make_url("/v1")),
            {"Authorization": "Bearer sk-canary"},
            {},
            first=silence,
            silence=silence,
        )
        dialect = case.make(kind(session, endpoint), FUNCTIONS)
        if before is not None:
            return before.at(dialect, server.app[STATE], endpoint)
        thread = ThreadRecord(secrets.token_urlsafe(8), "visitor")
        await store.add_thread(thread)
        return Talk(dialect, store, shelf, thread, server.app[STATE], tmp_path, endpoint)

    yield make
    for server in servers:
        await server.close()


@pytest.fixture
async def talk(make: Make, case: Case) -> Talk:
    """A conversation in this case."""
    return await make(case)

"""The complete server, and a visitor of it."""

import logging
from collections.abc import AsyncIterator, Iterator

import pytest

from deep_chat_proxy import Settings
from deep_chat_proxy.logs import setup_logs
from flows.server import Site, site
from flows.visitor import Visitor


@pytest.fixture
async def whole() -> AsyncIterator[Site]:
    """A server whose turns end with their last connection."""
    async with site(grace=0) as running:
        yield running


@pytest.fixture
async def visitor(whole: Site) -> AsyncIterator[Visitor]:
    async with whole.visitor() as one:
        yield one


@pytest.fixture
def default_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """What is logged is what a server logs whose level nobody set."""
    loggers = [logging.getLogger(name) for name in ("", "aiohttp.server", "stamina")]
    before = [(logger.level, list(logger.filters)) for logger in loggers]
    setup_logs(Settings().log_level)
    caplog.set_level(Settings().log_level.upper())
    yield
    for logger, (level, filters) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.filters[:] = filters

"""A visitor of a server whose back end stands behind a proxy of faults."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from deep_chat_proxy import create_app
from deep_chat_proxy.tools.weather import get_weather
from flows.fault_proxy import FaultProxy
from flows.server import DIALECTS, serving, settings_for
from flows.visitor import Visitor


@asynccontextmanager
async def troubled(proxy: FaultProxy, dialect: str, **chosen: Any) -> AsyncIterator[Visitor]:
    """Run the server, which asks its back end for what it needs at once; `chosen` are settings."""
    settings = settings_for(proxy.base_url, **DIALECTS[dialect], **chosen)
    app = create_app(settings, tools=[get_weather])
    async with serving(app) as port, Visitor.at(f"http://127.0.0.1:{port}") as visitor:
        yield visitor
        # What is still to be cleared away at the back end is not to wait for it.
        proxy.lift()

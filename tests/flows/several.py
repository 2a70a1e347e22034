"""Servers over one store, each on a port of its own: what they ask of each other is the same as between workers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from deep_chat_proxy import create_app
from deep_chat_proxy.local_openai import LocalOptions
from deep_chat_proxy.local_openai.state import LocalState
from flows.server import DIALECTS, back_end, serving, settings_for

OPTIONS = LocalOptions(token_delay=0.02, poll_after_ms=20)
COUNTED = "".join(f"{number} " for number in range(1, 41))
BUSY = "The previous message is still being answered. Please wait or stop it first."


class Servers:
    """Servers over one store with one back end, `state`."""

    def __init__(self, folder: Path, base_url: str, state: LocalState, dialect: str, **chosen: Any) -> None:
        self.state = state
        store = f"sqlite:{folder / 'store.sqlite3'}"
        settings = {"store": store, "grace": 60, "busy_wait": 0.3, "shutdown": 1} | chosen
        self._settings = settings_for(base_url, **DIALECTS[dialect], **settings)

    @asynccontextmanager
    async def another(self) -> AsyncIterator[str]:
        """One more of them; leaving ends it as SIGTERM does."""
        app = await asyncio.to_thread(create_app, self._settings, tools=[])
        async with serving(app) as port:
            yield f"http://127.0.0.1:{port}"


@asynccontextmanager
async def servers_in(folder: Path, dialect: str, **chosen: Any) -> AsyncIterator[Servers]:
    """Their back end; `chosen` are settings of theirs."""
    async with back_end(OPTIONS) as (base_url, state):
        yield Servers(folder, base_url, state, dialect, **chosen)

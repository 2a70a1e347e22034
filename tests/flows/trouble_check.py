"""Many turns that a back end lets fail, after which nothing of them may be left. Run in a process of its own:

python -W error -m flows.trouble_check TURNS DIALECT
"""

import asyncio
import re
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from deep_chat_proxy.local_openai import STATE, LocalOptions, create_local_openai
from deep_chat_proxy.local_openai.state import LocalState
from deep_chat_proxy.tools.weather import get_weather
from flows.fault_proxy import FaultProxy
from flows.leak_check import Whole, main, resident, run, server
from flows.trouble import DEADLINES, FAULTS, Trouble

SEED = 20261128
# Buffers and pools are at their largest only then.
WARM_UP = 700
ROUNDS = 5
# What the back end has made, and nobody knows of, ends by itself after so many seconds.
OPTIONS = LocalOptions(token_delay=0, poll_after_ms=20, max_requests_seen=100, run_ttl=5)
# KiB that the process may grow by after the warm-up.
MOST_GROWTH = 6 * 1024


class Beset(Whole):
    """The server and its back end with a proxy of faults between them."""

    def __init__(self, front: web.AppRunner, state: LocalState, dialect: str, proxy: FaultProxy) -> None:
        super().__init__(front, state, dialect)
        self.proxy = proxy

    def _left(self) -> Iterator[str]:
        for left in super()._left():
            # A connection may be kept for the next call; of an upload whose answer was lost nobody knows.
            if not re.search("task a connection through a fault proxy|uploads that no message holds", left):
                yield left


@asynccontextmanager
async def beset(store: Path, dialect: str) -> AsyncIterator[Beset]:
    """Run them."""
    local = create_local_openai(OPTIONS)
    async with run(local, 1) as back:
        async with FaultProxy.to(back.addresses[0][1]) as proxy:
            app = server(proxy.base_url, store, dialect, get_weather, **DEADLINES)
            async with run(app, 5) as front:
                yield Beset(front, local[STATE], dialect, proxy)
        assert proxy.connections == 0


async def check(turns: int, folder: Path, dialect: str) -> None:
    """Have the turns. AssertionError where something of them is left."""
    began = time.monotonic()
    async with beset(folder / "store.sqlite3", dialect) as running:
        trouble = Trouble(running.url, running.proxy, SEED)
        sizes = []
        for part in (min(WARM_UP, turns // 2), *[turns // ROUNDS] * ROUNDS):
            await trouble.talk(part)
            await running.quiet()
            running.forget()
            sizes.append(resident())
    seconds = time.monotonic() - began
    print(f"{trouble.ended.total()} turns in {seconds:.0f} s: {dict(trouble.ended)}")  # noqa: T201 - a script tells
    print(f"resident KiB after each round: {sizes}")  # noqa: T201
    print(f"{trouble.faults.total()} faults: {dict(trouble.faults)}")  # noqa: T201
    assert min(trouble.faults[fault] for fault in FAULTS), "not every fault happened"
    assert trouble.faults.total() > trouble.ended.total(), "there were fewer faults than turns"
    assert sizes[-1] - sizes[0] < MOST_GROWTH, f"the process grew by {sizes[-1] - sizes[0]} KiB"
    assert asyncio.all_tasks() == {asyncio.current_task()}


if __name__ == "__main__":
    main(check, int(sys.argv[1]), sys.argv[2])

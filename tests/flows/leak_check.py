"""Many turns with random disconnects, after which nothing of them may be left. Run in a process of its own:

python -W error -m flows.leak_check TURNS DIALECT
"""

import asyncio
import gc
import logging
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from aiohttp import web

from chosen_loop import CHOSEN_LOOP
from deep_chat_proxy import create_app, event_loop, tool
from deep_chat_proxy.browser.keys import CHAT
from deep_chat_proxy.local_openai import STATE, LocalOptions, create_local_openai
from deep_chat_proxy.local_openai.objects import OUTPUT
from deep_chat_proxy.local_openai.state import LocalState
from deep_chat_proxy.tools import Tool
from deep_chat_proxy.tools.weather import get_weather
from flows.crowd import Crowd
from flows.server import DIALECTS, settings_for

SEED = 20261124
ROUNDS = 10
# Seconds after which a round that has not become quiet has left something behind.
PATIENCE = 30.0
# KiB that the process may grow by in the second half of all turns.
MOST_GROWTH = 8 * 1024
OPTIONS = LocalOptions(token_delay=0, poll_after_ms=20, max_requests_seen=100)


@tool
async def ponder() -> str:
    """Take a moment."""
    await asyncio.sleep(0.02)
    return "done"


class Complaints(logging.Handler):
    """What the log, the loop and the garbage collector complain of."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []
        logging.getLogger().addHandler(self)
        sys.unraisablehook = self._note

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(self.format(record))

    def _note(self, told: "sys.UnraisableHookArgs") -> None:
        self.found.append(f"unraisable {told.exc_value!r} in {told.object!r}")


class Whole:
    """The server and its back end, in this process."""

    def __init__(self, front: web.AppRunner, state: LocalState, dialect: str) -> None:
        # In other dialects what was uploaded for a turn that was cut goes along with the next one.
        self._threads = dialect == "assistants"
        self.url = f"http://127.0.0.1:{front.addresses[0][1]}"
        self._front = front
        self._state = state
        self._spools = [Path(tempfile.gettempdir()), front.app[CHAT].spool]
        self._tasks = asyncio.all_tasks()

    async def quiet(self) -> None:
        """Wait until nothing of the turns is left; AssertionError tells what is, after `PATIENCE`."""
        end = time.monotonic() + PATIENCE
        while left := list(self._left()):
            assert time.monotonic() < end, left
            await asyncio.sleep(0.02)

    def _left(self) -> Iterator[str]:
        chat = self._front.app[CHAT]
        connector = chat.files._client._session.connector
        assert connector is not None
        counts = {
            "turns": len(chat.turns),
            "active runs": len(self._state.active_runs()),
            "active responses": len(self._state.active_responses()),
            "connections of visitors": len(self._front.server.connections) if self._front.server else 0,
            "connections to the back end in use": len(connector._acquired),
            "files on disk": sum(len(list(spool.glob("deep-chat-*"))) for spool in self._spools if spool),
            "uploads that no message holds": len(self._uploads() - self._held()) if self._threads else 0,
        }
        yield from (f"{count} {what}" for what, count in counts.items() if count)
        for task in asyncio.all_tasks() - self._tasks:
            # One for each connection that is kept open for the next call.
            if task.get_coro().__qualname__ != "RequestHandler.start":  # type: ignore[union-attr]
                yield f"task {task.get_name()}"

    def _uploads(self) -> set[str]:
        return {file_id for file_id, kept in self._state.files.items() if kept.file.purpose != OUTPUT}

    def _held(self) -> set[str]:
        """Ids of the files that messages hold."""
        held = set()
        for thread in self._state.threads.values():
            for message in thread.messages.values():
                held |= {attachment.file_id for attachment in message.attachments}
                held |= {part.image_file.file_id for part in message.content if hasattr(part, "image_file")}
        return held

    def forget(self) -> None:
        """Let the back end forget its threads, so that what it keeps does not count as growth."""
        self._state.threads.clear()
        self._state.files.clear()
        for kept in self._state.conversations:
            self._state.conversations.drop(kept.conversation.id)
        for response in self._state.responses:
            self._state.responses.drop(response.response.id)
        for completion in self._state.chats:
            self._state.chats.drop(completion.id)
        for container in self._state.containers._kept:
            self._state.containers._kept.drop(container.id)


@asynccontextmanager
async def run(app: web.Application, shutdown: float) -> AsyncIterator[web.AppRunner]:
    """Run an application as the command does, at a free port."""
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=shutdown)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner
    finally:
        await runner.cleanup()


def server(base_url: str, store: Path, dialect: str, *tools: Tool[..., Any], **more: Any) -> web.Application:
    """A server whose turns end with their last connection."""
    chosen = {
        "store": f"sqlite:{store}",
        "secret": "s" * 32,
        "grace": 0,
        "spare_files": 0,
        **more,
        **DIALECTS[dialect],
    }
    return create_app(settings_for(base_url, **chosen), tools=tools)


@asynccontextmanager
async def whole(store: Path, dialect: str) -> AsyncIterator[Whole]:
    """Run both."""
    local = create_local_openai(OPTIONS)
    async with run(local, 1) as back:
        base_url = f"http://127.0.0.1:{back.addresses[0][1]}/v1"
        async with run(server(base_url, store, dialect, get_weather, ponder), 5) as front:
            yield Whole(front, local[STATE], dialect)


async def check(turns: int, folder: Path, dialect: str) -> None:
    """Have the turns. AssertionError where something of them is left."""
    began = time.monotonic()
    async with whole(folder / "store.sqlite3", dialect) as running:
        crowd = Crowd(running.url, SEED)
        sizes = []
        for _ in range(ROUNDS):
            await crowd.talk(turns // ROUNDS)
            await running.quiet()
            running.forget()
            sizes.append(resident())
    seconds = time.monotonic() - began
    print(f"{crowd.ended.total()} turns in {seconds:.0f} s: {dict(crowd.ended)}")  # noqa: T201 - a script tells
    print(f"resident KiB after each round: {sizes}")  # noqa: T201
    growth = sizes[-1] - sizes[ROUNDS // 2 - 1]
    assert growth < MOST_GROWTH, f"the process grew by {growth} KiB in the second half"
    assert asyncio.all_tasks() == {asyncio.current_task()}


def resident() -> int:
    """KiB of memory that the process holds."""
    gc.collect()
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))


def sockets() -> list[str]:
    """The sockets that the process has open."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        # The descriptor of the folder itself is gone again by now.
        with suppress(FileNotFoundError):
            found.append(str(descriptor.readlink()))
    return [target for target in found if target.startswith("socket:")]


def main(check: Callable[[int, Path, str], Coroutine[Any, Any, None]], turns: int, dialect: str) -> None:
    """Check with this many turns; the temporary folder of the process must be its own."""
    complaints = Complaints()
    before = sockets()
    with tempfile.TemporaryDirectory() as folder:
        store, tempfile.tempdir = Path(folder) / "store", str(Path(folder) / "spool")
        store.mkdir()
        Path(tempfile.tempdir).mkdir()
        event_loop.run(check(turns, store, dialect), CHOSEN_LOOP)
    gc.collect()
    assert sockets() == before, sockets()
    assert not complaints.found, complaints.found[:5]


if __name__ == "__main__":
    main(check, int(sys.argv[1]), sys.argv[2])

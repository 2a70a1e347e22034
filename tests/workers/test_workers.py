"""Several workers at one address, as an operator runs them: started, killed, told to end."""

import asyncio
import os
import re
import signal
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from flows.process import COMMAND, Process, environment_with, server
from flows.server import DIALECTS, KEY, back_end
from flows.several import BUSY, COUNTED, OPTIONS
from flows.upstream_view import active
from flows.visitor import WAIT, Visitor, events_in, read_until_cut, read_until_text, rest_of
from playing import until

RESTARTING = "The server is restarting. Please try again in a moment."
STARTED = re.compile(rb"(worker \d+|the local OpenAI) is process (\d+)")
# One that dies as soon as it is imported, when it is told to.
DEADLY = """
import os
from pathlib import Path

from deep_chat_proxy import tool

if Path("deadly").exists():
    os._exit(7)


@tool
async def live() -> str:
    \"\"\"Live.\"\"\"
    return "well"
"""


def pids(running: Process, of: bytes = b"") -> list[int]:
    """The processes that the log has told of so far."""
    found = (STARTED.search(line) for line in running.log)
    return [int(each[2]) for each in found if each and each[1].startswith(of)]


def is_gone(pid: int) -> bool:
    try:
        return b") Z " in Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return True


def workers(folder: Path, **settings: str) -> AbstractAsyncContextManager[Process]:
    return server(folder, DEEP_CHAT_WORKERS="2", **settings)


@asynccontextmanager
async def with_back_end(folder: Path, **chosen: str) -> AsyncIterator[tuple[Process, Any]]:
    """Two workers in front of a back end that lives on."""
    async with back_end(OPTIONS) as (base_url, state):
        settings = {f"DEEP_CHAT_{name.upper()}": str(value) for name, value in DIALECTS["chat"].items()}
        settings |= {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": KEY, "DEEP_CHAT_BUSY_WAIT": "0.1"}
        async with workers(folder, **settings | chosen) as running:
            yield running, state


@asynccontextmanager
async def connections(visitor: Visitor, count: int) -> AsyncIterator[list[Visitor]]:
    """The visitor over so many connections, which go to one worker or the other, not all to one."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Visitor.at(visitor.url, visitor.jar)) for _ in range(count)]


async def figures(url: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as response:
        return await response.text()


async def all_of(*waiting: Any) -> list[Any]:
    async with asyncio.timeout(2 * WAIT):
        return list(await asyncio.gather(*waiting))


async def test_workers_share_an_address_a_log_and_the_local_back_end(tmp_path: Path) -> None:
    async with workers(tmp_path) as running, Visitor.at(running.url) as visitor:
        await visitor.post("/api/threads")
        async with connections(visitor, 20) as many:
            assert {answer.status for answer in await all_of(*(one.get("/api/threads") for one in many))} == {
                200
            }
            for one in many[:4]:
                answer = await one.say("how many messages?")
        status = await running.end()

    assert "4 messages of yours" in answer.text
    assert status == 0
    log = b"".join(running.log)
    assert log.count(b"Running on http://") == 1
    assert log.count(b"back end: local") == 1
    assert b"[worker 1] deep_chat_proxy.access" in log
    assert b"[worker 2] deep_chat_proxy.access" in log
    running.check_log()


async def test_whichever_worker_gets_a_request_knows_the_turn_that_goes_on(tmp_path: Path) -> None:
    async with with_back_end(tmp_path) as (running, state), Visitor.at(running.url) as visitor:
        await visitor.post("/api/threads")
        async with visitor.saying("count to 40") as response, connections(visitor, 16) as many:
            await read_until_text(response, " 3")
            resumed = all_of(*(one.resume() for one in many[:8]))
            again = all_of(*(one.say("count to 40", stream=True) for one in many[8:12]))
            refused = all_of(*(one.say("hello") for one in many[12:]))
            found, joined, others = await asyncio.gather(resumed, again, refused)
        async with visitor.saying("slowly count to 1000") as response, connections(visitor, 1) as (one,):
            await read_until_text(response, "1")
            stopped = await one.post("/api/chat/stop")
        await until(lambda: not active(state))
        await running.end()

    assert {answer.text for answer in found + joined} == {COUNTED}
    assert len({answer.turn_id for answer in found + joined}) == 1
    assert {(answer.status, answer.error) for answer in others} == {(409, BUSY)}
    assert stopped.json["stopped"]


def player_of_the_turn(folder: Path, running: Process) -> int:
    """The worker that plays the only turn that goes on: the one which holds the lock that stands for its process."""
    with closing(sqlite3.connect(folder / "store.sqlite3")) as store:
        ((name,),) = store.execute("SELECT process FROM turn WHERE ended_at IS NULL").fetchall()
    lock = folder / "store.processes" / name / "lock"
    (found,) = [
        pid
        for pid in pids(running, b"worker")
        if any(file.readlink() == lock for file in Path(f"/proc/{pid}/fd").iterdir())
    ]
    return found


async def test_a_worker_that_is_killed_is_replaced_and_its_turn_is_picked_up(tmp_path: Path) -> None:
    async with with_back_end(tmp_path) as (running, state), Visitor.at(running.url) as visitor:
        await visitor.post("/api/threads")
        async with visitor.saying("count to 40") as response:
            await read_until_text(response, " 3")
            os.kill(player_of_the_turn(tmp_path, running), signal.SIGKILL)
            await read_until_cut(response)
        async with Visitor.at(running.url, visitor.jar) as later:
            answer = await later.resume()
            await until(lambda: not active(state))
            count = await later.say("how many messages?")
        status = await running.end()

    assert (answer.error, answer.text) == (None, COUNTED)
    assert "2 messages of yours" in count.text
    assert status == 0
    assert any(b"has ended (SIGKILL), another one is started" in line for line in running.log)
    running.check_log()


async def test_all_workers_end_when_they_are_told_and_every_stream_with_an_error(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(workers(tmp_path, DEEP_CHAT_SHUTDOWN="3"))
        visitors = [await stack.enter_async_context(Visitor.at(running.url)) for _ in range(4)]
        streams = [await stack.enter_async_context(each.saying("slowly count to 1000")) for each in visitors]
        for stream in streams:
            await read_until_text(stream, "1")
        running.ask_to_end()
        async with asyncio.timeout(WAIT):
            rests = [events_in(await stream.read()) for stream in streams]
        status = await running.ended()

    assert {rest[-1]["error"] for rest in rests} == {RESTARTING}
    assert status == 0, running.log
    assert all(is_gone(pid) for pid in pids(running))
    running.check_log()


async def test_no_worker_outlives_the_process_that_looks_after_them(tmp_path: Path) -> None:
    async with (
        workers(tmp_path, DEEP_CHAT_SHUTDOWN="1") as running,
        Visitor.at(running.url) as visitor,
        visitor.saying("slowly count to 1000") as response,
    ):
        await read_until_text(response, "1")
        running.kill()
        last = (await rest_of(response))[-1]
        await until(lambda: all(is_gone(pid) for pid in pids(running)))

    assert len(pids(running)) == 3
    assert last["error"] == RESTARTING


async def run(folder: Path, **settings: str) -> tuple[int | None, list[bytes]]:
    """Status and log of workers that do not come to serve."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", *COMMAND, "--workers", "2"),
        cwd=folder,
        env=environment_with(
            **{"DEEP_CHAT_STORE": f"sqlite:{folder}/store.sqlite3", "DEEP_CHAT_PORT": "0"} | settings
        ),
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(4 * WAIT):
        _, log = await process.communicate()
    return process.returncode, log.splitlines()


async def test_workers_that_cannot_start_tell_why_once_and_end_with_their_status(tmp_path: Path) -> None:
    status, log = await run(tmp_path, DEEP_CHAT_TOOLS="missing.py")

    assert status == 2
    assert sum(b"missing.py: there is no such file" in line for line in log) == 1
    assert not any(b"worker 2" in line for line in log)


@pytest.mark.parametrize("shared", [False, True], ids=["by one", "by workers"])
async def test_an_address_where_somebody_listens_is_not_shared_with_them(
    tmp_path: Path, shared: bool
) -> None:
    with socket.socket() as taken:
        if shared:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        status, log = await run(tmp_path, DEEP_CHAT_PORT=str(taken.getsockname()[1]))

    assert (status, len(log)) == (1, 1)
    assert log[0].startswith(b"deep-chat-proxy: ")
    assert log[0].endswith(b"address already in use; choose another with --port")


async def test_a_store_in_memory_cannot_be_shared(tmp_path: Path) -> None:
    status, log = await run(tmp_path, DEEP_CHAT_STORE="sqlite::memory:")

    assert status == 2
    assert log == [
        b"deep-chat-proxy: DEEP_CHAT_WORKERS=2 needs a DEEP_CHAT_STORE in a file, which all of them share"
    ]


async def test_workers_that_die_again_and_again_are_given_up(tmp_path: Path) -> None:
    (tmp_path / "tools.py").write_text(DEADLY)
    async with workers(tmp_path, DEEP_CHAT_TOOLS="tools.py") as running:
        (tmp_path / "deadly").touch()
        os.kill(pids(running, b"worker")[0], signal.SIGKILL)
        status = await running.ended(within=4 * WAIT)

    assert status == 1
    assert sum(b"has ended (status 7), another one is started" in line for line in running.log) == 3
    assert any(
        b"worker 1 ends as soon as it is started (status 7), so all end" in line for line in running.log
    )
    assert all(is_gone(pid) for pid in pids(running))


def completed(told: str) -> float:
    found = re.search(r'deep_chat_turns_total\{ended="completed",problem=""\} ([\d.]+)', told)
    return float(found[1]) if found else 0.0


async def test_whichever_worker_is_asked_tells_the_figures_of_all(tmp_path: Path) -> None:
    async with (
        workers(tmp_path, DEEP_CHAT_METRICS="on") as running,
        Visitor.at(running.url) as visitor,
    ):
        async with connections(visitor, 12) as many:
            await all_of(*(one.say("hello") for one in many))
        async with asyncio.timeout(WAIT):
            # A turn is counted once it is cleared away, a little after its answer.
            while completed(await figures(running.url)) < 12:
                pass
        told = await all_of(*(figures(running.url) for _ in range(8)))
        await running.end()

    assert {completed(each) for each in told} == {12.0}

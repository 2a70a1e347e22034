"""The command, as a process of its own."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from chosen_loop import CHOSEN_LOOP
from deep_chat_proxy import __version__
from flows.server import back_end

WAIT = 60  # seconds: starting Python can take long on a busy machine


def environment(folder: Path, **variables: str) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("DEEP_CHAT_", "OPENAI_"))
    }
    return (
        kept
        | {
            "HOME": str(folder),
            "DEEP_CHAT_LOOP": CHOSEN_LOOP,
            "DEEP_CHAT_STORE": f"sqlite:{folder}/store.sqlite3",
        }
        | variables
    )


@asynccontextmanager
async def command(
    folder: Path, *arguments: str, **variables: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    async with python(folder, "-m", "deep_chat_proxy", *arguments, **variables) as process:
        yield process


@asynccontextmanager
async def python(
    folder: Path, *arguments: str, **variables: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=folder,
        env=environment(folder, **variables),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def run(folder: Path, *arguments: str, **variables: str) -> tuple[int | None, str, str]:
    """Status, output and errors of the command."""
    return await run_python(folder, "-m", "deep_chat_proxy", *arguments, **variables)


async def run_python(folder: Path, *arguments: str, **variables: str) -> tuple[int | None, str, str]:
    """As `run`, of what Python is told to run."""
    async with asyncio.timeout(WAIT), python(folder, *arguments, **variables) as process:
        out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()


async def test_the_version_is_said(tmp_path: Path) -> None:
    assert await run(tmp_path, "--version") == (0, f"{__version__}\n", "")


async def test_the_help_names_the_commands_and_flags(tmp_path: Path) -> None:
    status, out, _ = await run(tmp_path, "--help")

    assert status == 0
    for word in ("check", "local-openai", "tools", "--port", "--host", "--workers", "--env-file"):
        assert word in out


async def test_the_check_says_what_the_back_end_can_do(tmp_path: Path) -> None:
    status, out, err = await run(tmp_path, "check", "--send")

    assert (status, err) == (0, "")
    assert out.startswith("Back end: the local OpenAI\n  works ")
    assert out.endswith("The chat works with it.\n")


async def test_the_check_lists_the_models_where_none_is_chosen(tmp_path: Path) -> None:
    async with back_end() as (base_url, _):
        status, out, err = await run(tmp_path, "check", OPENAI_BASE_URL=base_url, OPENAI_API_KEY="any")

    assert (status, err) == (1, "")
    assert "No model is chosen. There are: local-1.  → DEEP_CHAT_MODEL\n" in out


async def test_a_key_is_all_that_openai_needs(tmp_path: Path) -> None:
    async with (
        asyncio.timeout(WAIT),
        command(tmp_path, "--port", "0", OPENAI_API_KEY="sk-canary") as server,
    ):
        assert server.stderr is not None
        said = (await server.stderr.readline()).decode()
        url = (await server.stderr.readline()).decode().split()[-1]
        async with aiohttp.ClientSession() as session, session.get(f"{url}/healthz") as response:
            status = response.status
        server.send_signal(signal.SIGTERM)
        _, rest = await server.communicate()

    assert said.endswith("back end: responses at https://api.openai.com/v1, gpt-6-luna\n")
    assert status == 200
    assert server.returncode == 0
    assert "sk-canary" not in said + rest.decode()


async def test_the_tools_are_listed_with_their_schemas(tmp_path: Path) -> None:
    status, out, err = await run(tmp_path, "tools")

    assert (status, err) == (0, "")
    assert '"location"' in out
    assert '"unit"' in out


@pytest.mark.parametrize(
    ("arguments", "variables", "says"),
    [
        ((), {"DEEP_CHAT_PORT": "http"}, "DEEP_CHAT_PORT"),
        ((), {"DEEP_CHAT_GRACE": "-1"}, "DEEP_CHAT_GRACE"),
        ((), {"DEEP_CHAT_COLOUR": "red"}, "DEEP_CHAT_COLOUR is no setting"),
        ((), {"DEEP_CHAT_UPSTREAM": "assistants"}, "OPENAI_BASE_URL is missing"),
        (
            (),
            {
                "DEEP_CHAT_UPSTREAM": "assistants",
                "OPENAI_API_KEY": "sk-1",
                "OPENAI_BASE_URL": "https://api.openai.com/v1",
            },
            "off on 2026-08-26. Set DEEP_CHAT_UPSTREAM=responses",
        ),
        ((), {"DEEP_CHAT_UPSTREAM": "chat"}, "OPENAI_API_KEY is missing"),
        ((), {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}, "DEEP_CHAT_MODEL is missing"),
        ((), {"DEEP_CHAT_HOSTED_TOOLS": "web_search,magic"}, "DEEP_CHAT_HOSTED_TOOLS"),
        ((), {"DEEP_CHAT_TOOLS": "missing.py"}, "missing.py: there is no such file"),
        (("--env-file", "missing.env"), {}, "missing.env: there is no such file"),
        (("--port", "70000"), {}, "DEEP_CHAT_PORT"),
        (("--workers", "0"), {}, "DEEP_CHAT_WORKERS: must be a whole number from 1 to 64, not 0"),
        (("--workers", "65"), {}, "DEEP_CHAT_WORKERS"),
        (("--workers", "2", "local-openai"), {}, "local-openai is one process and takes no --workers"),
        (("--workers", "2", "check"), {}, "check is one process and takes no --workers"),
    ],
)
async def test_a_wrong_setting_is_one_line_and_status_2(
    tmp_path: Path, arguments: tuple[str, ...], variables: dict[str, str], says: str
) -> None:
    status, out, err = await run(tmp_path, *arguments, **variables)

    assert (status, out) == (2, "")
    assert err.startswith("deep-chat-proxy: ")
    assert err.count("\n") == 1
    assert says in err


async def test_a_port_that_is_taken_is_one_line_and_status_1(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        status, _, err = await run(tmp_path, "--port", str(taken.getsockname()[1]))

    assert status == 1
    assert "Traceback" not in err
    assert "address already in use" in err.splitlines()[-1]


async def test_a_store_that_cannot_be_opened_is_one_line_and_status_1(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite3").mkdir()

    status, _, err = await run(tmp_path, "--port", "0")

    assert status == 1
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith(
        f"deep-chat-proxy: the store {tmp_path}/store.sqlite3 cannot be opened"
    )


async def address_of(process: asyncio.subprocess.Process) -> str:
    """Where a server that was told to take a free port listens, as its log says."""
    assert process.stderr is not None
    async for line in process.stderr:
        if b"http://" in line:
            return "http://" + line.decode().split("http://", 1)[1].split()[0].rstrip("/")
    raise AssertionError("the server ended without saying where it listens")


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
async def test_a_server_answers_a_first_message_with_no_key_and_ends_when_told(
    tmp_path: Path, end: signal.Signals
) -> None:
    async with (
        asyncio.timeout(WAIT),
        command(tmp_path, "--port", "0") as process,
        aiohttp.ClientSession() as session,
    ):
        address = await address_of(process)
        message = {"messages": [{"role": "user", "text": "Hello"}]}
        async with session.post(f"{address}/api/chat", json=message) as response:
            assert response.status == 200
            assert (await response.json())["text"]

        process.send_signal(end)
        _, err = await process.communicate()
        assert process.returncode == 0
        assert b"Traceback" not in err


async def test_a_page_that_takes_our_address_for_its_own_name_gets_nothing(tmp_path: Path) -> None:
    async with (
        asyncio.timeout(WAIT),
        command(tmp_path, "--port", "0") as process,
        aiohttp.ClientSession() as session,
    ):
        address = await address_of(process)
        statuses = []
        for host in ("localhost:8080", "evil.example"):
            headers = {"Host": host, "Origin": f"http://{host}"}
            async with session.post(f"{address}/api/threads", headers=headers) as response:
                statuses.append(response.status)

    assert statuses == [201, 421]


async def test_the_local_openai_can_be_served_alone(tmp_path: Path) -> None:
    async with (
        asyncio.timeout(WAIT),
        command(tmp_path, "local-openai", "--port", "0") as process,
        aiohttp.ClientSession() as session,
    ):
        address = await address_of(process)
        url = address if address.endswith("/v1") else f"{address}/v1"
        async with session.get(f"{url}/models", headers={"Authorization": "Bearer any"}) as response:
            assert response.status == 200

"""What is loaded when the server starts, and what is not: what nobody uses would cost every start its time."""

from pathlib import Path

import aiohttp
import pytest

from flows.process import server
from test_cli import run_python

# The command, which says at its end what it has loaded.
COMMAND = """
import atexit, sys
from deep_chat_proxy.cli import main
atexit.register(lambda: print(*sys.modules, file=sys.stderr))
sys.exit(main())
"""
REAL = {"OPENAI_API_KEY": "sk-canary", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1", "DEEP_CHAT_MODEL": "m"}
DIALECTS = {"assistants", "responses", "chat_completions"}
UNUSED = {"difflib", "prometheus_client", "uvloop", "zipfile"}


async def loaded_by_a_server(folder: Path, **settings: str) -> set[str]:
    """What a server has loaded when it has answered once."""
    async with (
        server(folder, ("-c", COMMAND), **settings, DEEP_CHAT_LOOP="asyncio") as running,
        aiohttp.ClientSession() as session,
    ):
        async with session.get(f"{running.url}/healthz") as response:
            assert response.status == 200
        assert await running.end() == 0
        return set(running.log[-1].decode().split())


def rooms(modules: set[str], below: str) -> set[str]:
    """The rooms below a package that something was loaded of."""
    return {name.removeprefix(below).split(".")[0] for name in modules if name.startswith(below)}


async def test_the_help_loads_nothing_but_the_command(tmp_path: Path) -> None:
    status, _, err = await run_python(tmp_path, "-c", COMMAND, "--help")
    modules = set(err.split())

    assert status == 0
    assert rooms(modules, "deep_chat_proxy.") == {"_version", "cli"}
    assert not modules & {"aiohttp", "asyncio", "cryptography", "logging", "msgspec", "sqlite3", "ssl"}


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
async def test_a_server_with_a_real_back_end_loads_one_dialect_and_no_back_end_of_its_own(
    tmp_path: Path, dialect: str
) -> None:
    chosen = {"DEEP_CHAT_UPSTREAM": dialect.removesuffix("_completions"), "DEEP_CHAT_ASSISTANT_ID": "asst_1"}
    modules = await loaded_by_a_server(tmp_path, **REAL, **chosen)

    assert rooms(modules, "deep_chat_proxy.upstream.") & DIALECTS == {dialect}
    assert not rooms(modules, "deep_chat_proxy.") & {"check", "local_openai"}
    assert not modules & UNUSED


async def test_a_server_with_its_own_back_end_loads_one_protocol_of_that(tmp_path: Path) -> None:
    modules = await loaded_by_a_server(tmp_path)

    routes = {f"deep_chat_proxy.local_openai.{name}.routes" for name in ("assistants", "chat", "responses")}
    assert modules & routes == {"deep_chat_proxy.local_openai.responses.routes"}
    assert not modules & UNUSED

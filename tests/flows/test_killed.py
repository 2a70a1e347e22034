"""A server that is killed at any moment: whoever starts next finishes what it had begun, once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest

from deep_chat_proxy.local_openai.state import LocalState
from flows.process import Process, server
from flows.server import DIALECTS, KEY, back_end
from flows.upstream_view import active, conversations
from flows.visitor import WAIT, Visitor, shown_text
from playing import until

TEXT = "weather in Paris then in Rome"
WHOLE = "Here is the weather:\n\n- **Paris**: 21 degrees\n- **Rome**: 21 degrees\n"
TOOLS = """
import os
import signal
from pathlib import Path

from deep_chat_proxy import tool


@tool(repeatable={repeatable})
async def get_weather(location: str, unit: str = "celsius") -> str:
    \"\"\"The weather of a place.\"\"\"
    with Path("{ran}").open("a") as ran:
        ran.write(location + "\\n")
    if Path("{deadly}").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    return "21 degrees"
"""


class Site:
    """A server that is killed and started again, in front of a back end that lives on."""

    def __init__(self, folder: Path, state: LocalState, environment: dict[str, str]) -> None:
        self.state = state
        self.plan = folder / "plan"
        self.ran = folder / "ran"
        self.deadly = folder / "deadly"
        self._folder = folder
        self._environment = environment

    def running(self) -> AbstractAsyncContextManager[Process]:
        command = ("-m", "flows.killing", str(self.plan))
        return server(self._folder, command, **self._environment)

    def kill_at(self, write: int, when: str) -> None:
        self.plan.with_suffix(".seen").unlink(missing_ok=True)
        self.ran.unlink(missing_ok=True)
        self.plan.write_text(f"{write} {when}")

    def kill_when_run(self) -> None:
        """Kill it when a tool has run, before its output is kept."""
        self.deadly.touch()

    def spare(self) -> None:
        self.plan.unlink(missing_ok=True)
        self.deadly.unlink(missing_ok=True)

    @property
    def ran_for(self) -> list[str]:
        return self.ran.read_text().split() if self.ran.exists() else []


@asynccontextmanager
async def site(folder: Path, dialect: str, *, repeatable: bool = True) -> AsyncIterator[Site]:
    tools = folder / "tools.py"
    tools.write_text(TOOLS.format(repeatable=repeatable, ran=folder / "ran", deadly=folder / "deadly"))
    chosen = {name: value for name, value in DIALECTS[dialect].items() if name != "hosted_tools"}
    async with back_end() as (base_url, state):
        environment = {f"DEEP_CHAT_{name.upper()}": str(value) for name, value in chosen.items()}
        environment |= {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": KEY, "DEEP_CHAT_TOOLS": str(tools)}
        environment["PYTHONPATH"] = str(Path(__file__).parent.parent)
        yield Site(folder, state, environment)


async def say_until_killed(process: Process, visitor: Visitor) -> bool:
    """Send the message; whether the server lived to answer it."""
    try:
        answer = await visitor.say(TEXT, stream=True)
    except (OSError, aiohttp.ClientError):
        await process.killed()
        return False
    if process.lives:
        assert answer.text == WHOLE
    else:
        await process.killed()
    return process.lives


async def resumed(visitor: Visitor, before: str) -> str:
    """What a page shows that comes back: the turn behind the one `before`, or else what the message is answered when it
    is sent again.
    """
    answer = await visitor.resume()
    if answer.status == 200 and answer.turn_id != before:
        assert answer.error is None, answer.body
        return shown_text(answer.events)
    return (await visitor.say(TEXT, stream=True)).text


async def undisturbed(site: Site) -> list[object]:
    """What the back end holds of the conversation when nothing happens."""
    async with site.running() as process, Visitor.at(process.url) as visitor:
        await visitor.say("my name is Ada")
        assert (await visitor.say(TEXT)).text == WHOLE
    held = conversations(site.state)
    assert site.ran_for == ["Paris", "Rome"]
    return held[-1] if held else []


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_turn_is_finished_once_wherever_its_server_was_killed(
    tmp_path: Path, dialect: str, when: str
) -> None:
    async with site(tmp_path, dialect) as found, AsyncExitStack() as processes:
        expected = await undisturbed(found)
        write = 0
        process = await processes.enter_async_context(found.running())
        async with asyncio.timeout(20 * WAIT):
            while (killed := await Killed.at(found, process, write + 1, when)) is not None:
                write += 1
                # The one that picks the turn up is the next to be killed.
                process = await processes.enter_async_context(found.running())
                await killed.is_made_good(found, process, expected)
    assert write > 8


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_tool_that_must_not_be_repeated_is_not_and_the_model_is_told(
    tmp_path: Path, dialect: str
) -> None:
    async with site(tmp_path, dialect, repeatable=False) as found, AsyncExitStack() as processes:
        process = await processes.enter_async_context(found.running())
        async with Visitor.at(process.url) as visitor:
            await visitor.say("hello")
            found.ran.write_text("")
            found.kill_when_run()
            assert not await say_until_killed(process, visitor)
            found.spare()
            later = await processes.enter_async_context(found.running())
            async with Visitor.at(later.url, visitor.jar) as again:
                answer = await again.resume()
                goes_on = await again.say("how many messages?")

    # The second round was still to come, so it was run as ever.
    assert found.ran_for == ["Paris", "Rome"]
    assert "**Paris**: I could not find out" in answer.text
    assert "**Rome**: 21 degrees" in answer.text
    assert "3 messages of yours" in goes_on.text


async def test_a_turn_that_its_processes_die_of_is_given_up(tmp_path: Path) -> None:
    async with site(tmp_path, "assistants") as found, AsyncExitStack() as processes:
        process = await processes.enter_async_context(found.running())
        async with Visitor.at(process.url) as visitor:
            await visitor.say("my name is Ada")
            found.kill_when_run()
            assert not await say_until_killed(process, visitor)
            for _ in range(2):
                dies = await processes.enter_async_context(found.running())
                await dies.killed()
            lives = await processes.enter_async_context(found.running())
            async with Visitor.at(lives.url, visitor.jar) as later:
                told = await later.resume()
                goes_on = await later.say("what is my name?")
    assert told.error == "The assistant ran into an error. Please try again."
    assert goes_on.text == "Your name is Ada."


class Killed(NamedTuple):
    """A visitor whose server was killed in a turn, and the turn before that."""

    where: str
    jar: aiohttp.CookieJar
    before: str

    @classmethod
    async def at(cls, site: Site, process: Process, write: int, when: str) -> "Killed | None":
        """None where the server has lived through the turn."""
        async with Visitor.at(process.url) as visitor:
            before = (await visitor.say("my name is Ada")).turn_id
            site.kill_at(write, when)
            lived = await say_until_killed(process, visitor)
            site.spare()
            return None if lived else cls(f"killed {when} write {write}", visitor.jar, before)

    async def is_made_good(self, site: Site, process: Process, expected: Sequence[object]) -> None:
        """What came of the turn afterwards is what would have come of it, and nothing happened twice."""
        async with Visitor.at(process.url, self.jar) as visitor:
            assert await resumed(visitor, self.before) == WHOLE, self.where
            await until(lambda: not active(site.state))
            held = conversations(site.state)
            assert (held[-1] if held else []) == expected, self.where
            count = await visitor.say("how many messages?")
            assert "3 messages of yours" in count.text, (self.where, count.text)
        # A tool that may be repeated is, where nobody knows what had come of it.
        assert sorted(set(site.ran_for)) == ["Paris", "Rome"], self.where
        assert len(site.ran_for) <= 3, self.where

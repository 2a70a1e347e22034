"""The command as a process of its own, as an operator runs it."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from chosen_loop import CHOSEN_LOOP
from flows.visitor import WAIT

LOG_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (INFO|WARNING) (\[[\w ]+\] )?[\w.]+: \S.*")
# The address of the back end may stand in the log too.
ADDRESS = re.compile(rb"Running on (http://127\.0\.0\.1:\d+)")


class Process:
    """A server as a process at `url`; `log` grows as it is read."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.log: list[bytes] = []
        self.url = ""

    async def read_address(self) -> None:
        """Read the log until it names the address."""
        assert self._process.stderr is not None
        while not self.url:
            line = await self._process.stderr.readline()
            assert line, self.log
            self.log.append(line)
            if found := ADDRESS.search(line):
                self.url = found[1].decode()

    async def end(self) -> int:
        """Ask it to end and wait for that; returns the exit status."""
        self.ask_to_end()
        return await self.ended()

    def ask_to_end(self) -> None:
        """Send SIGTERM."""
        self._process.terminate()

    def kill(self) -> None:
        """Send SIGKILL."""
        self._process.kill()

    async def ended(self, within: float = 4) -> int:
        """Wait for the end, which a server that was asked to end comes to within so many seconds."""
        async with asyncio.timeout(within):
            out, rest = await self._process.communicate()
        assert out == b""
        self.log += rest.splitlines(keepends=True)
        assert self._process.returncode is not None
        return self._process.returncode

    async def killed(self) -> None:
        """Wait until it is dead."""
        async with asyncio.timeout(WAIT):
            await self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def lives(self) -> bool:
        return self._process.returncode is None

    def check_log(self) -> None:
        """One line an event: no traceback, no error."""
        assert self.log
        for line in self.log:
            assert LOG_LINE.fullmatch(line.decode().rstrip("\n")), line


def environment_with(**settings: str) -> dict[str, str]:
    """The environment with these settings and none of those of whoever runs the tests."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("DEEP_CHAT_", "OPENAI_"))
    }
    return kept | {"DEEP_CHAT_LOOP": CHOSEN_LOOP} | settings


COMMAND = ("-m", "deep_chat_proxy")


@asynccontextmanager
async def server(
    folder: Path, command: Sequence[str] = COMMAND, **environment: str
) -> AsyncIterator[Process]:
    """Run it with a store in `folder`; `command` is what Python runs."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", *command, "--port", "0"),
        cwd=folder,
        env=environment_with(DEEP_CHAT_STORE=f"sqlite:{folder}/store.sqlite3", **environment),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    running = Process(process)
    try:
        async with asyncio.timeout(WAIT):
            await running.read_address()
        yield running
    finally:
        if process.returncode is None:
            process.kill()
        # Workers of a process that was killed end by themselves, and hold its log until then.
        await process.communicate()

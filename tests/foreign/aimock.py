"""aimock, a mock of OpenAI's APIs that others wrote (npm's `@copilotkit/aimock`), as a process."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import IO, Any, NamedTuple

import aiohttp

from flows.server import KEY
from flows.visitor import WAIT

_HERE = Path(__file__).parent
PROGRAM = _HERE / "node_modules/@copilotkit/aimock/dist/cli.js"
_ADDRESS = re.compile(r"listening on (http://127\.0\.0\.1:\d+)")


@contextmanager
def running(node: str) -> Iterator[str]:
    """Run it on a free port with all our fixtures, for those who have our key; yields its address."""
    command = [node, str(PROGRAM), "--port", "0", "--host", "127.0.0.1"]
    command += ["--fixtures", str(_HERE / "fixtures"), "--validate-on-load"]
    with subprocess.Popen(  # noqa: S603 - the program above
        command, env={"AIMOCK_API_KEYS": KEY}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        lines: SimpleQueue[str] = SimpleQueue()
        # To the end: a program whose log nobody reads comes to a halt.
        reader = Thread(target=_read, args=(process.stdout, lines), name="log of aimock")
        reader.start()
        try:
            yield _address(lines)
        finally:
            process.kill()
            reader.join()


def _read(log: IO[str], lines: SimpleQueue[str]) -> None:
    for line in log:
        lines.put(line)
    lines.put("")


def _address(lines: SimpleQueue[str]) -> str:
    told = ""
    while (found := _ADDRESS.search(told)) is None:
        try:
            line = lines.get(timeout=WAIT)
        except Empty:
            line = ""
        assert line, f"aimock does not start: {told}"
        told += line
    return found[1]


class Call(NamedTuple):
    """A call of a tool."""

    call_id: str
    name: str
    arguments: str


class Request(NamedTuple):
    """A request as the journal has it: of Responses, too, it shows the messages of a completion.

    `at` is in milliseconds; `status` is what it was answered with, 0 for no answer at all.
    """

    request_id: str
    at: int
    status: int
    body: dict[str, Any]

    @property
    def messages(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.body["messages"]
        return found

    @property
    def said(self) -> list[tuple[str, str]]:
        """Roles and texts of what was said, without tools and their outputs."""
        return [
            (message["role"], message["content"])
            for message in self.messages
            if message["role"] != "tool" and message["content"]
        ]

    @property
    def calls(self) -> list[Call]:
        """The calls that were sent along, whether they stood in one message or, as in Responses, each in its own."""
        made = [call for message in self.messages for call in message.get("tool_calls") or ()]
        return [Call(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in made]

    @property
    def outputs(self) -> dict[str, str]:
        """The outputs that were sent along, by their calls."""
        return {
            message["tool_call_id"]: message["content"]
            for message in self.messages
            if message["role"] == "tool"
        }


class Mock:
    """The mock at `url` as one test sees it, whose requests carry `test_id`.

    What it counts (which answer of a sequence is next), its journal and its chaos are kept apart by that.
    """

    def __init__(self, url: str, test_id: str, session: aiohttp.ClientSession) -> None:
        self.base_url = f"{url}/v1"
        self.headers = {"X-Test-Id": test_id}
        self._control = f"{url}/__aimock"
        self._session = session

    async def requests(self) -> list[Request]:
        """The requests for an answer, oldest first."""
        entries = await self._ask("GET", "journal", params={"testId": self.headers["X-Test-Id"]})
        return [
            Request(
                entry["headers"]["x-request-id"],
                entry["timestamp"],
                entry["response"]["status"],
                entry["body"],
            )
            for entry in entries
        ]

    async def newest(self) -> Request:
        return (await self.requests())[-1]

    async def make_chaos(self, field: str) -> None:
        """Let every request from now on meet with one kind of chaos, until `end_chaos`."""
        assert await self._ask("POST", "chaos", json={field: 1}) == {"chaos": {field: 1}}

    async def end_chaos(self) -> None:
        assert await self._ask("DELETE", "chaos") == {"chaos": {}}

    async def _ask(self, method: str, path: str, **body: Any) -> Any:
        headers = {**self.headers, "Authorization": f"Bearer {KEY}"}
        async with self._session.request(
            method, f"{self._control}/{path}", headers=headers, **body
        ) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

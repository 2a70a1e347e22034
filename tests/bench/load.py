"""Visitors: so many streams at a time, each a connection of its own, all that comes of each kept and checked at its end.

A process of its own, which writes what it saw as JSON:

    python -m bench.load '{"port": 8080, "request": "POST / …", "kind": "frames", "text": "…", "streams": 900, …}'
"""

import asyncio
import json
import re
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, cast

import msgspec

from bench.answers import FIRST
from bench.loops import run_fast

Kind = Literal["assistants", "responses", "chat", "frames", "object"]

_FIRST = FIRST.encode()
_END = b"0\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
# Where the text of a token is in what back ends send.
_TEXTS = {
    "assistants": re.compile(rb'"index":0,"type":"text","text":{"value":"([^"]*)"'),
    "responses": re.compile(rb'"delta":"([^"]*)"'),
    "chat": re.compile(rb'"content":"([^"]*)"'),
}


@dataclass(frozen=True)
class Job:
    """`streams` in all, `at_once` of them open, the first ones spread over `spread` seconds; `kind` says how the answer is
    read, `text` what it has to be. After `deadline` seconds what is still open counts as failed.
    """

    port: int
    request: str
    kind: Kind
    text: str
    streams: int
    at_once: int
    spread: float
    deadline: float


@dataclass
class Seen:
    """What visitors saw; times in seconds, one of each stream that ended well."""

    ended: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    reads: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    most_open: int = 0
    first: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)


class _Frame(msgspec.Struct):
    text: str = ""
    overwrite: bool = False
    error: str | None = None


_frame = msgspec.json.Decoder(_Frame).decode


def text_of(kind: Kind, body: bytes) -> str:
    """The text of a whole answer. Raises ValueError where it holds an error."""
    if kind in _TEXTS:
        return b"".join(_TEXTS[kind].findall(body)).decode()
    if kind == "object":
        return _frame(body).text
    text = ""
    for line in body.split(b"\n"):
        if line.startswith(b"data: {"):
            frame = _frame(line[6:])
            if frame.error is not None:
                raise ValueError(frame.error)
            text = frame.text if frame.overwrite else text + frame.text
    return text


def unchunked(body: bytes) -> bytes:
    """A body without the lengths of its chunks."""
    parts: list[bytes] = []
    at = 0
    while True:
        end = body.index(b"\r\n", at)
        size = int(body[at:end], 16)
        if size == 0:
            return b"".join(parts)
        parts.append(body[end + 2 : end + 2 + size])
        at = end + 4 + size


class Visit(asyncio.Protocol):
    """One stream, from its request to its end."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._data = bytearray()
        self._size: int | None = None
        self._head = 0
        self._began = self._first = self._last = self._gap = 0.0
        self._done = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is none of asyncio's class, but has its methods.
        self._transport = cast("asyncio.Transport", transport)
        self._began = time.perf_counter()
        self._transport.write(self._load.request)

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        self._load.seen.reads += 1
        self._data += data
        if self._first:
            self._gap = max(self._gap, now - self._last)
        elif _FIRST in self._data:
            self._first = now
        self._last = now
        if not self._head:
            self._read_head()
        if self._head and (
            self._data.endswith(_END) if self._size is None else len(self._data) >= self._size
        ):
            self._end(now)

    def _read_head(self) -> None:
        self._head = self._data.find(b"\r\n\r\n") + 4
        if self._head < 4:
            self._head = 0
            return
        length = _LENGTH.search(self._data, 0, self._head)
        self._size = self._head + int(length[1]) if length else None

    def _end(self, now: float) -> None:
        self._done = True
        self._transport.abort()
        fault = self._fault()
        seen = self._load.seen
        if fault is None:
            seen.first.append(self._first - self._began)
            seen.gaps.append(self._gap)
            seen.whole.append(now - self._began)
        self._load.ended(fault)

    def _fault(self) -> str | None:
        status = bytes(self._data[9:12])
        if status != b"200":
            return f"status {status.decode(errors='replace')}"
        body = bytes(self._data[self._head :])
        try:
            text = text_of(self._load.job.kind, unchunked(body) if self._size is None else body)
        except (ValueError, msgspec.MsgspecError) as fault:
            return f"{type(fault).__name__}: {fault}"
        return None if text == self._load.job.text else "another text"

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done:
            self._done = True
            self._load.ended("connection lost" if exc is None else type(exc).__name__)


class Load:
    """Starts visits and counts what becomes of them."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.request = job.request.encode()
        self.seen = Seen()
        self._failed: Counter[str] = Counter()
        self._begun = 0
        self._open = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()

    async def run(self) -> Seen:
        """Make all visits; returns what they saw."""
        loop = asyncio.get_running_loop()
        began, cpu = time.perf_counter(), time.process_time()
        at_once = min(self.job.at_once, self.job.streams)
        for number in range(at_once):
            loop.call_later(self.job.spread * number / at_once, self._begin)
        try:
            async with asyncio.timeout(self.job.deadline):
                await self._over.wait()
        except TimeoutError:
            self._failed["not ended in time"] += self.job.streams - self.seen.ended - self._failed.total()
        self.seen.seconds = time.perf_counter() - began
        self.seen.cpu = time.process_time() - cpu
        self.seen.failed = dict(self._failed)
        return self.seen

    def _begin(self) -> None:
        self._begun += 1
        self._open += 1
        self.seen.most_open = max(self.seen.most_open, self._open)
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._visit())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _visit(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: Visit(self), "127.0.0.1", self.job.port)
        except OSError as fault:
            self.ended(type(fault).__name__)

    def ended(self, fault: str | None) -> None:
        """One visit has ended, well where there is no `fault`; the next one begins."""
        self._open -= 1
        if fault is None:
            self.seen.ended += 1
        else:
            self._failed[fault] += 1
        if self.seen.ended + self._failed.total() == self.job.streams:
            self._over.set()
        elif self._begun < self.job.streams:
            self._begin()


async def _main(arguments: dict[str, Any]) -> None:
    json.dump(asdict(await Load(Job(**arguments)).run()), sys.stdout)


if __name__ == "__main__":
    run_fast(_main(json.load(sys.stdin)))

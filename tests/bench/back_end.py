"""A back end that costs next to nothing: answers that are made already, at the pace of one clock for all streams.

It speaks what the proxy asks of a server of Assistants v2, Responses or Chat Completions, and is a process of its own:

    python -m bench.back_end '{"dialect": "assistants", "port": 8081, "pace": 0.02, "tokens": 150}'
"""

import asyncio
import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from bench.answers import NUMBER, Answer, Dialect, answer, encoded, message, run, thread, thread_created
from bench.loops import run_fast

# Where the benchmark asks how many requests there were.
COUNT = b"/requests"
# Seconds between two looks at the clock: how exactly the pace is kept.
_TICK = 0.001
_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_WHOLE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
_MISSING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_THREAD = re.compile(rb"/threads/thread_([0-9]{24})(?:/|$)")
_ASSISTANT = {
    "id": "asst_bench",
    "object": "assistant",
    "model": "bench-1",
    "tools": [{"type": "file_search"}],
}


@dataclass(frozen=True)
class Settings:
    """`pace` in seconds between two tokens of a stream, 0 for all of them at once, as in the first `warm` streams."""

    dialect: Dialect
    port: int
    pace: float
    tokens: int
    warm: int = 0


class Clock:
    """Gives every stream its next token when it is due: a wheel of slots, each stream in the one it began in."""

    def __init__(self, loop: asyncio.AbstractEventLoop, pace: float) -> None:
        self._loop = loop
        self._slots: list[list[Stream]] = [[] for _ in range(max(1, round(pace / _TICK)))]
        self._tick = pace / len(self._slots)
        self._at = 0
        self._due = loop.time()
        self._running = False

    def add(self, stream: "Stream") -> None:
        """The first token of `stream` comes one pace from now."""
        self._slots[self._at - 1].append(stream)
        if not self._running:
            self._running = True
            self._due = self._loop.time() + self._tick
            self._loop.call_later(_TICK, self._turn)

    def _turn(self) -> None:
        now = self._loop.time()
        while self._due <= now:
            slot = self._slots[self._at]
            if slot:
                self._slots[self._at] = [stream for stream in slot if stream.step()]
            self._at = (self._at + 1) % len(self._slots)
            self._due += self._tick
        if any(self._slots):
            # A delay below its resolution would have the loop go round and round meanwhile.
            self._loop.call_later(max(self._due - now, _TICK), self._turn)
        else:
            self._running = False


class Stream:
    """One answer on its way; `ended` is called with its last byte."""

    def __init__(self, transport: asyncio.Transport, said: Answer, number: bytes) -> None:
        self._transport = transport
        self._answer = said
        self._number = number
        self._at = 0

    def step(self) -> bool:
        """Send the next token, with the last one the ending too; False where there is no more."""
        if self._transport.is_closing():
            return False
        piece = self._answer.pieces[self._at]
        self._at += 1
        if self._at == len(self._answer.pieces):
            self._transport.write(piece + self._answer.ending.replace(NUMBER, self._number))
            return False
        self._transport.write(piece)
        return True


class BackEnd:
    """What is answered to whom."""

    def __init__(self, settings: Settings, loop: asyncio.AbstractEventLoop) -> None:
        self._settings = settings
        self._loop = loop
        self._clock = Clock(loop, settings.pace) if settings.pace else None
        self._warm = settings.warm
        self._answer = answer(settings.dialect, settings.tokens)
        self._numbers = iter(range(1, 10**9))
        self._runs: dict[bytes, float] = {}
        self._requests = 0
        self._run = {status: encoded(run(status)) for status in ("queued", "in_progress", "completed")}
        listed = {"object": "list", "data": [message(self._answer.text)], "has_more": False}
        self._messages = encoded(listed)

    def take(self, transport: asyncio.Transport, method: bytes, path: bytes, body: bytes) -> None:
        """Answer one request."""
        path = path.partition(b"?")[0].removeprefix(b"/v1")
        if path == COUNT:
            transport.write(_whole(b"%d" % self._requests, b""))
            return
        self._requests += 1
        found = _THREAD.search(path)
        number = found[1] if found else b"%024d" % next(self._numbers)
        if method == b"POST" and path.endswith((b"/runs", b"/responses", b"/chat/completions")):
            if b'"stream":true' in body or b'"stream": true' in body:
                self._stream(transport, number, with_thread=path == b"/threads/runs")
            else:
                self._runs[number] = self._loop.time()
                transport.write(_whole(self._run["queued"], number))
            return
        whole = self._object(method, path, number)
        transport.write(_MISSING if whole is None else _whole(whole, number))

    def _stream(self, transport: asyncio.Transport, number: bytes, *, with_thread: bool) -> None:
        beginning = (thread_created() if with_thread else b"") + self._answer.beginning
        beginning = _STREAM + beginning.replace(NUMBER, number)
        self._warm -= 1
        if self._clock is not None and self._warm < 0:
            transport.write(beginning)
            self._clock.add(Stream(transport, self._answer, number))
            return
        ending = self._answer.ending.replace(NUMBER, number)
        transport.write(b"".join([beginning, *self._answer.pieces, ending]))

    def _object(self, method: bytes, path: bytes, number: bytes) -> bytes | None:
        """The object that is asked for, or made; None where there is none."""
        if path.startswith(b"/assistants/"):
            return encoded(_ASSISTANT)
        if method == b"DELETE":
            return encoded({"id": "gone", "object": "deleted", "deleted": True})
        if path == b"/threads":
            return encoded(thread())
        if path == b"/conversations":
            return encoded({"id": "conv_" + NUMBER.decode(), "object": "conversation", "metadata": {}})
        if path.endswith(b"/messages"):
            return self._messages if method == b"GET" else _USER_MESSAGE
        if b"/runs/" in path and number in self._runs:
            ended = self._loop.time() >= self._runs[number] + self._settings.pace * self._settings.tokens
            return self._run["completed" if ended else "in_progress"]
        return None


_USER_MESSAGE = encoded(
    {
        **message(""),
        "id": "msg_" + NUMBER.decode(),
        "role": "user",
        "content": [{"type": "text", "text": {"value": "Hello", "annotations": []}}],
    }
)


def _whole(body: bytes, number: bytes) -> bytes:
    return _WHOLE % (len(body), body.replace(NUMBER, number))


class Connection(asyncio.Protocol):
    """Just enough of HTTP/1.1 for requests that come one after another with a Content-Length or none."""

    def __init__(self, take: Callable[[asyncio.Transport, bytes, bytes, bytes], None]) -> None:
        self._take = take
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is none of asyncio's class, but has its methods.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n") + 4) > 3:
            head = self._buffer[:end]
            length = _LENGTH.search(head)
            size = end + (int(length[1]) if length else 0)
            if len(self._buffer) < size:
                return
            body, self._buffer = self._buffer[end:size], self._buffer[size:]
            method, path, _ = head.split(b" ", 2)
            self._take(self._transport, method, path, body)


async def serve(settings: Settings) -> None:
    """Serve until the process is ended."""
    loop = asyncio.get_running_loop()
    back_end = BackEnd(settings, loop)
    server = await loop.create_server(
        lambda: Connection(back_end.take), "127.0.0.1", settings.port, backlog=4096
    )
    await server.serve_forever()


if __name__ == "__main__":
    run_fast(serve(Settings(**json.loads(sys.argv[1]))))

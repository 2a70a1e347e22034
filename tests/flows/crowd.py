"""Many visitors at once, of whom half leave before the end of their answer."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import NamedTuple

from flows.visitor import CSV, SentFile, Visitor, answer_of

AT_ONCE = 50
PICTURE = SentFile("dot.png", b"\x89PNG\r\n\x1a\n" + bytes(40_000), "image/png")


class Turn(NamedTuple):
    """What a visitor sends."""

    text: str | None
    files: Sequence[SentFile] = ()


TURNS = (
    Turn("hello"),
    Turn("show markdown"),
    Turn("weather in Paris and Tokyo"),
    Turn("call ponder and call get_weather"),
    Turn("make a csv"),
    Turn("what is in these files?", (CSV, PICTURE)),
    Turn(None, (CSV,)),
    Turn("fail"),
    Turn("error event"),
    Turn("cut the connection"),
    Turn("http 400", (CSV,)),
    Turn("wait 0.02 seconds, then hello"),
)
# What only somebody asks who does not stay for the end.
ENDLESS = (Turn("hang"), Turn("hang", (CSV,)), Turn("slowly count to 1000"))


class Crowd:
    """Visitors of the server at `url`; `ended` counts how their turns went on."""

    def __init__(self, url: str, seed: int) -> None:
        self.ended: Counter[str] = Counter()
        self._url = url
        self._random = random.Random(seed)

    async def talk(self, turns: int) -> None:
        """Have this many turns; returns when every visitor has closed their connections."""
        left = iter(range(turns))
        async with asyncio.TaskGroup() as group:
            for number in range(AT_ONCE):
                group.create_task(self._visit(left), name=f"visitor {number}")

    async def _visit(self, left: Iterator[int]) -> None:
        leaving: list[Callable[[Visitor, Turn], Awaitable[str]]] = [
            self._leave_within_the_stream,
            self._leave_at_any_time,
            self._leave_within_the_request,
            self._press_stop,
        ]
        async with Visitor.at(self._url) as visitor:
            for _ in left:
                if self._random.random() < 0.5:
                    self.ended[await self._stay(visitor, self._random.choice(TURNS))] += 1
                else:
                    way = self._random.choice(leaving)
                    self.ended[await way(visitor, self._random.choice(TURNS + ENDLESS))] += 1
                if self._random.random() < 0.2:
                    visitor.jar.clear()

    async def _stay(self, visitor: Visitor, turn: Turn) -> str:
        stream = self._random.random() < 0.6
        answer = await visitor.say(turn.text, *turn.files, stream=stream)
        return f"answered with {answer.status}"

    async def _leave_within_the_stream(self, visitor: Visitor, turn: Turn) -> str:
        async with visitor.saying(turn.text, *turn.files) as response:
            # More than one piece may never come of what hangs.
            for _ in range(1 if turn in ENDLESS else self._random.randint(1, 5)):
                await response.content.readany()
            return f"left after the beginning of {response.status}"

    async def _leave_at_any_time(self, visitor: Visitor, turn: Turn) -> str:
        stream = self._random.random() < 0.6
        try:
            async with asyncio.timeout(self._random.uniform(0, 0.3)):
                await visitor.say(turn.text, *turn.files, stream=stream)
        except TimeoutError:
            return "left at any time"
        return "answered before leaving"

    async def _leave_within_the_request(self, visitor: Visitor, turn: Turn) -> str:
        """Send a part of a request with a file and the visitor's cookie."""
        cookie = "; ".join(f"{one.key}={one.value}" for one in visitor.jar)
        message = json.dumps({"role": "user", "text": turn.text or ""})
        body = (
            b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.csv"\r\n\r\n'
            + b"a,b\r\n" * 60_000
            + f'\r\n--x\r\nContent-Disposition: form-data; name="message1"\r\n\r\n{message}\r\n--x--\r\n'.encode()
        )
        head = (
            f"POST /api/chat HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n"
            f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode()
        _, writer = await asyncio.open_connection("127.0.0.1", int(self._url.rpartition(":")[2]))
        writer.write(head + body[: self._random.randint(0, len(body))])
        await writer.drain()
        writer.close()
        return "left within the request"

    async def _press_stop(self, visitor: Visitor, turn: Turn) -> str:
        async with visitor.saying(turn.text, *turn.files) as response:
            stopped = await visitor.post("/api/chat/stop")
            answer = await answer_of(response)
        return f"stopped {stopped.json['stopped']}, {answer.status}"

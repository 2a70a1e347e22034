"""How long a back end may say nothing: before a stream begins, and in its middle."""

import asyncio
from collections.abc import Sequence
from typing import Any

import aiohttp
import pytest

from deep_chat_proxy.errors import TIMED_OUT, ChatError
from deep_chat_proxy.upstream.client import ApiClient, Call
from upstream.backend import Answer, Body, ScriptedBackend, Seen, client_of
from upstream.playing import WAIT

STREAM = Call("POST", "/x", json={}, stream=True)
LONG, SHORT = float(WAIT), 0.05


class Late:
    """An answer whose headers come when they are let."""

    def __init__(self, answer: Answer) -> None:
        self.go = asyncio.Event()
        self._answer = answer

    async def __call__(self, _: Seen) -> Answer:
        await self.go.wait()
        return self._answer


def stalled(*pieces: bytes) -> Body:
    return Body(pieces, end="stall")


async def read(client: ApiClient, call: Call) -> list[bytes]:
    """What comes of a stream until it ends; raises ChatError where it falls silent."""
    async with asyncio.timeout(WAIT / 2), client.open(call) as response:
        return [chunk async for chunk in client.chunks(response)]


@pytest.fixture
def make(backend: ScriptedBackend, session: aiohttp.ClientSession) -> Any:
    return lambda **patience: client_of(session, backend.base_url, **patience)


@pytest.mark.parametrize(
    ("reaction", "patience"),
    [
        (Late(stalled()), {"connect": SHORT, "first": SHORT, "silence": LONG}),
        (stalled(), {"first": SHORT, "silence": LONG}),
        (stalled(b"data: 1\n\n"), {"first": LONG, "silence": SHORT}),
        (stalled(b"data: 1\n\n", b"data: 2\n\n"), {"first": LONG, "silence": SHORT}),
    ],
    ids=["no headers", "no first bytes", "one event", "two events"],
)
async def test_a_stream_that_falls_silent_has_taken_too_long(
    backend: ScriptedBackend, make: Any, reaction: Any, patience: dict[str, float]
) -> None:
    backend.on("POST /x", reaction)

    with pytest.raises(ChatError) as raised:
        await read(make(**patience), STREAM)

    assert raised.value.problem is TIMED_OUT
    assert backend.lines == ["POST /x"]


@pytest.mark.parametrize("pieces", [[b"data: 1\n\n"], [b"data: 1\n\n", b"data: 2\n\n"]])
async def test_a_stream_may_begin_later_than_it_may_be_silent_afterwards(
    backend: ScriptedBackend, make: Any, pieces: Sequence[bytes]
) -> None:
    late = Late(Body(pieces))
    backend.on("POST /x", late)
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(read(make(first=LONG, silence=SHORT), STREAM))
        # Longer than it may be silent later.
        asyncio.get_running_loop().call_later(4 * SHORT, late.go.set)

    assert b"".join(reading.result()) == b"".join(pieces)


async def test_an_answer_that_waits_for_the_model_s_last_word_has_the_patience_of_a_stream(
    backend: ScriptedBackend, make: Any
) -> None:
    late = Late(Body((b"{}",), content_type="application/json"))
    backend.on("POST /x", late)
    async with asyncio.TaskGroup() as group:
        call = Call("POST", "/x", json={}, patient=True)
        asking = group.create_task(make(answer=SHORT, silence=LONG).ask(call))
        asyncio.get_running_loop().call_later(4 * SHORT, late.go.set)

    assert asking.result().body == b"{}"

"""The thread of the store: everything asked for is done, in order, and nobody waits for what never comes."""

import asyncio
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from deep_chat_proxy.store.trips import Trips

WAIT = 10


class Gate:
    """Work that waits until it is let go."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go = threading.Event()

    def __call__(self) -> str:
        self.begun.set()
        assert self.go.wait(WAIT)
        return "through"


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.go.set()


async def all_of(*waiting: asyncio.Future[Any]) -> list[Any]:
    async with asyncio.timeout(WAIT):
        return await asyncio.gather(*waiting, return_exceptions=True)


async def begun(gate: Gate) -> None:
    async with asyncio.timeout(WAIT):
        await asyncio.to_thread(gate.begun.wait)


async def test_work_is_done_in_the_order_in_which_it_was_asked_for(gate: Gate) -> None:
    trips = Trips()
    done: list[int] = []
    first = trips.do(gate)
    later = [trips.do(partial(done.append, number)) for number in range(20)]
    gate.go.set()

    assert (await all_of(first, *later))[0] == "through"
    assert done == list(range(20))
    trips.end()


async def test_work_that_fails_fails_for_whoever_asked_and_for_nobody_else(gate: Gate) -> None:
    trips = Trips()
    first, failing, last = trips.do(gate), trips.do(lambda: 1 / 0), trips.do(lambda: "done")
    gate.go.set()

    through, fault, done = await all_of(first, failing, last)

    assert (through, type(fault), done) == ("through", ZeroDivisionError, "done")
    trips.end()


async def test_work_that_nobody_waits_for_any_more_is_done_all_the_same(gate: Gate) -> None:
    trips = Trips()
    done: list[str] = []
    first, left = trips.do(gate), trips.do(lambda: done.append("left"))
    left.cancel()
    gate.go.set()

    await all_of(first, trips.do(lambda: done.append("last")))

    assert done == ["left", "last"]
    trips.end()


async def test_nobody_waits_for_what_was_asked_for_later(gate: Gate) -> None:
    trips = Trips()
    later = Gate()
    first = trips.do(gate)
    await begun(gate)
    second = trips.do(later)
    gate.go.set()

    assert await all_of(first) == ["through"]
    assert not second.done()
    later.go.set()
    assert await all_of(second) == ["through"]
    trips.end()


async def test_what_was_asked_for_before_the_end_is_done_and_what_comes_behind_it_is_refused(
    gate: Gate,
) -> None:
    trips = Trips()
    first, last = trips.do(gate), trips.do(lambda: "done")
    trips.end()
    gate.go.set()

    with pytest.raises(RuntimeError, match="closed"):
        trips.do(lambda: "never")
    assert await all_of(first, last) == ["through", "done"]


def test_a_loop_that_ended_meanwhile_is_not_told_and_the_thread_ends_too(gate: Gate) -> None:
    others = set(threading.enumerate())

    async def leave() -> list[threading.Thread]:
        trips = Trips()
        trips.do(gate)
        await begun(gate)
        trips.do(lambda: "done")
        trips.end()
        return [thread for thread in set(threading.enumerate()) - others if thread.name == "store"]

    (thread,) = asyncio.run(leave())
    gate.go.set()
    thread.join(WAIT)

    assert not thread.is_alive()

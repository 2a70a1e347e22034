import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Literal

import aiohttp
import pytest

from deep_chat_proxy.event_loop import run
from deep_chat_proxy.tasks import Tasks
from deep_chat_proxy.turn.events import Event, Status, TextDelta
from deep_chat_proxy.upstream.client import ApiClient, Call, Endpoint
from deep_chat_proxy.upstream.event_stream import EventStream
from deep_chat_proxy.upstream.gathering import FrameClock, Hold
from playing import settle

WAIT = 10
FRAME = 0.2
BEGINNING: Sequence[Sequence[Event]] = ([], [Status("Thinking…")], [TextDelta("One")])
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


class Transport(asyncio.Transport):
    """Remembers whether it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.read = asyncio.Event()
        self.read.set()
        self.closed = False

    def pause_reading(self) -> None:
        self.read.clear()

    def resume_reading(self) -> None:
        self.read.set()

    def is_closing(self) -> bool:
        return self.closed


class SlowTransport(Transport):
    """Takes its time to be read on, longer than there is until the next ones are."""

    def resume_reading(self) -> None:
        end = time.perf_counter() + 0.0005
        while time.perf_counter() < end:
            pass
        super().resume_reading()


async def clock_at(load: float, longest: float = FRAME) -> FrameClock:
    """A clock of a loop that has been so busy for a moment."""
    clock = FrameClock(longest, used=lambda: load * asyncio.get_running_loop().time())
    settled = asyncio.get_running_loop().time() + 1
    hold = Hold(clock)
    while asyncio.get_running_loop().time() < settled and clock.length < longest * min(1.0, load * 2):
        hold.gather(Transport(), 100, 5)
        hold.release()
        await asyncio.sleep(0.01)
    return clock


@pytest.mark.parametrize("load", [0.0, 0.05, 0.09])
async def test_nothing_waits_while_the_loop_has_time(load: float) -> None:
    clock = FrameClock(FRAME, used=lambda: load * asyncio.get_running_loop().time())
    transport = Transport()

    for _ in range(20):
        Hold(clock).gather(transport, 100, 5)
        assert transport.read.is_set()
        await asyncio.sleep(0.01)
    assert clock.length == 0


async def test_nothing_waits_where_frames_are_not_wanted() -> None:
    clock = await clock_at(0.9, longest=0)
    transport = Transport()
    Hold(clock).gather(transport, 100, 5)

    assert transport.read.is_set()


async def test_a_stream_of_a_busy_loop_is_left_alone_for_a_frame_and_then_read_again() -> None:
    clock, transport = await clock_at(0.9), Transport()
    begun = asyncio.get_running_loop().time()
    Hold(clock).gather(transport, 100, 5)

    assert not transport.read.is_set()
    async with asyncio.timeout(WAIT):
        await transport.read.wait()
    assert asyncio.get_running_loop().time() - begun >= FRAME * 0.9


async def test_frames_are_as_long_as_the_loop_is_busy() -> None:
    lengths = [(await clock_at(load)).length for load in (0.15, 0.25, 0.35, 0.6)]

    assert lengths == sorted(lengths)
    assert 0 < lengths[0] < lengths[-1] == FRAME


async def test_frames_are_longer_still_while_the_loop_has_no_time_left() -> None:
    clock, lengths = await clock_at(0.99), list[float]()
    async with asyncio.timeout(WAIT):
        while not lengths or lengths[-1] < 3 * FRAME:
            await asyncio.sleep(0.05)
            clock.add(Hold(clock))
            lengths.append(clock.length)

    assert lengths == sorted(lengths)
    assert lengths[0] == FRAME
    assert lengths[-1] == pytest.approx(3 * FRAME)


async def test_an_answer_that_nobody_reads_along_with_is_held_for_longer() -> None:
    clock, seen, unseen = await clock_at(0.6), Transport(), Transport()
    begun = asyncio.get_running_loop().time()
    Hold(clock, watched=lambda: False).gather(unseen, 100, 5)
    Hold(clock).gather(seen, 100, 5)

    async with asyncio.timeout(WAIT):
        await seen.read.wait()
        assert not unseen.read.is_set()
        await unseen.read.wait()
    assert asyncio.get_running_loop().time() - begun >= 2.7 * FRAME


async def test_streams_that_wait_are_released_in_their_order_and_all_of_them() -> None:
    clock, transports = await clock_at(0.9), [Transport() for _ in range(50)]
    for transport in transports:
        Hold(clock).gather(transport, 100, 5)

    async with asyncio.timeout(WAIT):
        for transport in transports:
            await transport.read.wait()


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_streams_that_are_held_while_others_take_long_to_be_read_on_are_released_too(
    loop: Literal["asyncio", "uvloop"],
) -> None:
    if loop == "uvloop":
        pytest.importorskip("uvloop")

    async def hold() -> None:
        clock, transports = await clock_at(0.9), [SlowTransport() for _ in range(200)]
        for transport in transports:
            Hold(clock).gather(transport, 100, 5)
        while not transports[-1].read.is_set():
            transports.insert(0, SlowTransport())
            Hold(clock).gather(transports[0], 100, 5)
            await asyncio.sleep(0.001)
        async with asyncio.timeout(WAIT):
            for transport in transports:
                await transport.read.wait()

    run(hold(), loop)


async def test_what_begins_comes_in_between_where_hundreds_are_released() -> None:
    clock, transports = await clock_at(0.9), [Transport() for _ in range(300)]
    for transport in transports:
        Hold(clock).gather(transport, 100, 5)

    async with asyncio.timeout(WAIT):
        await transports[0].read.wait()
        read = sum(transport.read.is_set() for transport in transports)
        for transport in transports:
            await transport.read.wait()
    assert 0 < read < 300


async def test_a_stream_that_brings_much_at_once_is_read_as_fast_as_it_comes() -> None:
    clock, transport = await clock_at(0.9), Transport()
    Hold(clock).gather(transport, 64 * 1024, 300)

    assert transport.read.is_set()


async def test_a_stream_that_brings_one_thing_a_frame_is_not_held_but_tried_again_now_and_then() -> None:
    clock, transport = await clock_at(0.9), Transport()
    hold, held = Hold(clock), []
    for _ in range(40):
        hold.gather(transport, 100, 1)
        held.append(not transport.read.is_set())
        hold.release()

    assert held[0]
    assert 2 <= sum(held[20:]) <= 4


async def test_a_stream_whose_frames_bring_one_thing_or_two_is_held_for_all_of_them() -> None:
    clock, transport = await clock_at(0.9), Transport()
    hold, held = Hold(clock), []
    for number in range(40):
        hold.gather(transport, 100, 1 + number % 2)
        held.append(not transport.read.is_set())
        hold.release()

    assert all(held)


async def test_a_connection_that_is_closed_meanwhile_is_left_alone() -> None:
    clock, transport = await clock_at(0.9), Transport()
    hold = Hold(clock)
    hold.gather(transport, 100, 5)
    transport.closed = True
    hold.release()

    assert not transport.read.is_set()


@asynccontextmanager
async def opened(load: float) -> AsyncIterator[tuple[EventStream, asyncio.StreamWriter]]:
    """A stream of a busy server, and what writes it."""
    writers: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD)
        await writers.put(writer)

    server = await asyncio.start_server(serve, "127.0.0.1")
    where = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, aiohttp.ClientSession() as session:
        client = ApiClient(session, Endpoint(where, {}, {}), await clock_at(load))
        async with client.open(Call("GET", "/", stream=True)) as response:
            writer = await writers.get()
            with client.events(response) as stream:
                yield stream, writer
            writer.close()


async def said(writer: asyncio.StreamWriter, *data: int) -> None:
    """Each event in a packet of its own."""
    for number in data:
        writer.write(b"data: %d\n\n" % number)
        await writer.drain()
        await asyncio.sleep(0)


async def test_first_words_are_read_at_once_and_what_follows_them_comes_in_frames() -> None:
    tasks = Tasks()
    async with opened(0.9) as (stream, writer):
        loop, sizes = asyncio.get_running_loop(), list[int]()
        for number, meant in enumerate(BEGINNING):
            await said(writer, number)
            begun = loop.time()
            async with asyncio.timeout(WAIT):
                sizes.append(len(await stream.next()))
            assert loop.time() - begun < FRAME
            stream.told(meant)
        waiting = tasks.start(stream.next(), name="a reader")
        # It is held from when it is waited for.
        await settle()
        await said(writer, *range(10))
        async with asyncio.timeout(WAIT):
            sizes.append(len(await waiting))

    assert sizes == [1, 1, 1, 10]


async def test_a_stream_that_is_left_while_a_frame_gathers_ends_at_once() -> None:
    tasks = Tasks()
    async with opened(0.9) as (stream, writer):
        stream.told([TextDelta("One")])
        await said(writer, 1)
        await stream.next()
        waiting = tasks.start(stream.next(), name="a reader")
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

        # Nothing keeps the connection from being closed.
        assert waiting.cancelled()


async def test_the_end_of_a_stream_comes_with_its_last_frame() -> None:
    async with opened(0.9) as (stream, writer):
        stream.told([TextDelta("One")])
        await said(writer, 1)
        found = [len(await stream.next())]
        await said(writer, 2, 3)
        writer.close()
        async with asyncio.timeout(WAIT):
            while events := await stream.next():
                found.append(len(events))

    assert found == [1, 2]

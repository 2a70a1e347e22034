"""Each fault does what it says, and where there is none the proxy is as good as not there."""

import asyncio
import math
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from flows.fault_proxy import FaultProxy
from flows.faults import (
    Bytes,
    Cut,
    Events,
    Moment,
    Point,
    Refuse,
    Repeat,
    Reset,
    Seen,
    Slow,
    Split,
    Stall,
    on,
)
from flows.origin import EVENTS, WHOLE, Origin, ask
from flows.raw import connection
from playing import soon, until


@pytest.fixture
async def origin() -> Origin:
    return Origin()


@pytest.fixture
async def proxy(origin: Origin) -> AsyncIterator[FaultProxy]:
    runner = web.AppRunner(origin.app, access_log=None, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with FaultProxy.to(runner.addresses[0][1]) as proxy:
        yield proxy
    await runner.cleanup()


@pytest.fixture
async def client(proxy: FaultProxy) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{proxy.port}") as session:
        yield session


async def test_without_a_fault_several_requests_go_through_on_one_connection(
    proxy: FaultProxy, client: aiohttp.ClientSession
) -> None:
    async def in_chunks() -> AsyncIterator[bytes]:
        yield b"some "
        yield b"more"

    for body in (b"one", bytes(300_000), in_chunks()):
        async with client.post("/back?x=1", data=body) as response:
            assert await response.read() == (body if isinstance(body, bytes) else b"some more")
    async with client.get("/nothing") as empty, client.head("/events") as head:
        assert (empty.status, head.status) == (204, 200)
    async with client.get("/events") as response:
        assert await response.read() == WHOLE

    assert [seen.path for seen in proxy.requests] == ["/back"] * 3 + ["/nothing", "/events", "/events"]
    assert proxy.connections == 1


@pytest.mark.parametrize("count", range(len(EVENTS) + 1))
@pytest.mark.parametrize("fault", [Cut, Reset])
async def test_an_answer_ends_after_so_many_events(
    proxy: FaultProxy, count: int, fault: type[Cut] | type[Reset]
) -> None:
    plan = proxy.fail(fault(Events(count)))
    got = await ask(proxy.port)

    assert (got.body, got.whole, got.broke) == (b"".join(EVENTS[:count]), False, fault is Reset)
    assert plan.hits == 1


@pytest.mark.parametrize("count", [0, 1, 13, len(WHOLE)])
async def test_an_answer_ends_after_so_many_bytes(proxy: FaultProxy, count: int) -> None:
    proxy.fail(Cut(Bytes(count)))
    got = await ask(proxy.port)

    assert (got.body, got.whole) == (WHOLE[:count], False)


async def test_a_fault_at_a_point_that_an_answer_does_not_come_to_does_not_happen(proxy: FaultProxy) -> None:
    plan = proxy.fail(Cut(Events(len(EVENTS) + 1)))
    got = await ask(proxy.port)

    assert (got.body, got.whole, plan.hits) == (WHOLE, True, 0)


@pytest.mark.parametrize("moment", Moment)
@pytest.mark.parametrize("fault", [Cut, Reset])
async def test_a_request_is_lost_on_its_way_or_its_answer_is(
    origin: Origin, proxy: FaultProxy, moment: Moment, fault: type[Cut] | type[Reset]
) -> None:
    proxy.fail(fault(moment))
    got = await ask(proxy.port)

    assert (got.reads, got.broke) == ([], fault is Reset)
    assert origin.asked == (moment is Moment.DONE)


@pytest.mark.parametrize("point", [*Moment, Events(0), Events(2), Bytes(5)])
async def test_an_answer_that_stalls_goes_on_when_the_fault_is_lifted(
    origin: Origin, proxy: FaultProxy, point: Point
) -> None:
    plan = proxy.fail(Stall(point))
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(ask(proxy.port))
        await soon(plan.happened.wait())
        asked = origin.asked
        assert not asking.done()
        plan.lift()

    assert asked == (point is not Moment.BEFORE)
    assert (asking.result().body, asking.result().whole) == (WHOLE, True)


@pytest.mark.parametrize("fault", [Stall(Moment.DONE), Stall(Events(1)), None])
async def test_a_client_that_leaves_a_silent_answer_leaves_the_server_too(
    origin: Origin, proxy: FaultProxy, fault: Stall | None
) -> None:
    async with connection(proxy.port) as (_, writer):
        plan = proxy.fail(fault) if fault is not None else None
        writer.write(b"GET /hang/7 HTTP/1.1\r\nHost: x\r\n\r\n")
        await soon(plan.happened.wait() if plan is not None else origin.hangs.wait())
    await soon(origin.left.wait())
    await until(lambda: proxy.connections == 0)


async def test_an_answer_comes_in_small_pieces_and_slowly(proxy: FaultProxy) -> None:
    split, slow = proxy.fail(Split(1)), proxy.fail(Slow(20, 0.01), nth=2)
    in_pieces = await ask(proxy.port)
    began = time.monotonic()
    in_time = await ask(proxy.port)
    took = time.monotonic() - began

    assert in_pieces.body == in_time.body == WHOLE
    assert len(in_pieces.reads) > sum(in_pieces.reads) / 2
    assert took > 0.01 * sum(in_time.reads) / 20 / 2
    assert (split.hits, slow.hits) == (1, 1)


async def test_a_part_of_an_answer_comes_twice(proxy: FaultProxy, client: aiohttp.ClientSession) -> None:
    proxy.fail(Repeat(Events(1), Events(3)))
    got = await ask(proxy.port)
    proxy.fail(Repeat(Bytes(1), Bytes(2)))
    async with client.post("/back", data=b"abc") as response:
        counted = await response.read()

    assert got.body == b"".join([*EVENTS[:3], *EVENTS[1:]])
    assert counted == b"abbc"


async def test_a_request_is_refused_in_place_of_the_server(
    origin: Origin, proxy: FaultProxy, client: aiohttp.ClientSession
) -> None:
    proxy.fail(Refuse(429, {"Retry-After": "7"}))
    async with client.get("/events") as response:
        refused = await response.json()
    async with client.get("/events") as later:
        whole = await later.read()

    assert (response.status, response.headers["Retry-After"]) == (429, "7")
    assert refused["error"]["type"] == "server_error"
    assert (whole, origin.asked, proxy.connections) == (WHOLE, 1, 1)


async def test_a_fault_comes_with_the_nth_matching_request_and_as_often_as_it_is_to(
    proxy: FaultProxy, client: aiohttp.ClientSession
) -> None:
    plan = proxy.fail(Refuse(503), on("GET", "/hang/*"), nth=2, times=2)
    ever = proxy.fail(Refuse(418), on("POST", "/back"), times=math.inf)
    statuses = []
    for method, path in [("GET", "/nothing"), *[("GET", "/hang/1")] * 4, *[("POST", "/back")] * 3]:
        async with client.request(method, path) as response:
            statuses.append(response.status)
    proxy.lift()
    async with client.post("/back") as lifted:
        statuses.append(lifted.status)

    assert statuses == [204, 200, 503, 503, 200, 418, 418, 418, 200]
    assert (plan.hits, ever.hits) == (2, 3)


@pytest.mark.parametrize(
    ("path", "same"),
    [("/a/b/c", True), ("/a/b.d/c", True), ("/a/b/b/c", False), ("/a//c", False), ("/a/b/c/d", False)],
)
def test_a_star_stands_for_one_segment_of_a_path(path: str, same: bool) -> None:
    assert on("GET", "/a/*/c")(Seen("GET", path)) is same
    assert not on("POST", "/a/*/c")(Seen("GET", path))

"""One thread in two processes: whichever gets a request, its visitor finds no difference."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from flows.process import server
from flows.server import DIALECTS, KEY, back_end
from flows.several import BUSY, COUNTED, OPTIONS, Servers, servers_in
from flows.upstream_view import active
from flows.visitor import CSV, WAIT, Answer, Visitor, events_in, read_until_text, rest_of, shown_text
from playing import until

RESTARTING = "The server is restarting. Please try again in a moment."


class Pair:
    """A visitor with a thread, `here` at one server and `there` at another one."""

    def __init__(self, servers: Servers, here: Visitor, there: Visitor) -> None:
        self.servers = servers
        self.here = here
        self.there = there

    async def quiet(self) -> None:
        """Wait until nothing goes on at the back end."""
        await until(lambda: not active(self.servers.state))


@asynccontextmanager
async def pair_with(folder: Path, **chosen: Any) -> AsyncIterator[Pair]:
    async with (
        servers_in(folder, "responses", **chosen) as servers,
        servers.another() as one,
        servers.another() as two,
        Visitor.at(one) as here,
        Visitor.at(two, here.jar) as there,
    ):
        await here.post("/api/threads")
        yield Pair(servers, here, there)


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    async with pair_with(tmp_path) as found:
        yield found


def following(visitor: Visitor) -> Any:
    return visitor.session.get(f"{visitor.url}/api/chat/resume")


async def read_until(response: aiohttp.ClientResponse, wanted: str) -> bytes:
    """What comes of a stream until its text holds `wanted`."""
    body = b""
    async with asyncio.timeout(WAIT):
        while wanted not in shown(body):
            body += await response.content.readany()
    return body


def shown(*streams: bytes) -> str:
    return shown_text([event for stream in streams for event in events_in(stream)])


def pieces(stream: bytes) -> list[tuple[str, bytes]]:
    """A stream up to each of its ids."""
    found = re.finditer(rb"^id: (\S+)$", stream, re.MULTILINE)
    return [(each[1].decode(), stream[: stream.index(b"\n\n", each.end()) + 2]) for each in found]


def ids(answer: Answer) -> list[str]:
    return [event_id for event_id, _ in pieces(answer.body)]


def log_of(event_id: str) -> str:
    return event_id.rpartition("-")[0]


async def test_a_turn_that_goes_on_is_followed_from_every_event_in_both_processes_alike(pair: Pair) -> None:
    async with pair.here.saying("count to 40") as response:
        known = pieces(await read_until(response, " 9"))
        async with asyncio.TaskGroup() as group:
            own = [group.create_task(pair.here.resume(event_id)) for event_id, _ in known]
            foreign = [group.create_task(pair.there.resume(event_id)) for event_id, _ in known]

    assert len(known) > 4
    for (_, before), one, other in zip(known, own, foreign, strict=True):
        assert shown(before, one.result().body) == shown(before, other.result().body) == COUNTED
        # Which event the last frame ends with depends on what came together, as those at the end show nothing; but all of
        # them are of one log, which is called as its turn is.
        assert {log_of(ids(each.result())[-1]) for each in (one, other)} == {log_of(known[0][0])}


async def test_a_turn_that_has_ended_is_given_out_by_both_processes_alike(pair: Pair) -> None:
    async with pair.here.saying("count to 9") as response:
        known = pieces(await response.read())
    await pair.quiet()

    for event_id in (None, *(event_id for event_id, _ in known)):
        own, foreign = await pair.here.resume(event_id), await pair.there.resume(event_id)
        assert (foreign.status, foreign.body) == (own.status, own.body)


async def test_a_turn_is_stopped_by_the_process_that_does_not_play_it(pair: Pair) -> None:
    async with pair.here.saying("count to 40") as response:
        await read_until_text(response, " 3")
        stopped = await pair.there.post("/api/chat/stop")
        rest = events_in(await response.read())
    again = await pair.there.post("/api/chat/stop")
    await pair.quiet()
    history = await pair.there.get("/api/history")

    assert (stopped.json["stopped"], again.json["stopped"]) == (True, False)
    assert "error" not in rest[-1]
    assert b'"ended":"stopped"' in history.body


@pytest.mark.parametrize("files", [(), (CSV,)], ids=["text", "file"])
async def test_a_message_that_is_sent_to_both_processes_is_one_turn(
    pair: Pair, files: tuple[Any, ...]
) -> None:
    await pair.here.say("my name is Ada")
    async with asyncio.TaskGroup() as group:
        first = group.create_task(pair.here.say("count to 20", *files, stream=True))
        second = group.create_task(pair.there.say("count to 20", *files, stream=True))
    count = await pair.here.say("how many messages?")

    assert first.result().turn_id == second.result().turn_id
    assert first.result().text == second.result().text
    assert "3 messages of yours" in count.text


async def test_a_message_that_is_sent_again_to_the_other_process_is_answered_as_one_object(
    pair: Pair,
) -> None:
    async with pair.here.saying("count to 40") as response:
        await read_until_text(response, " 3")
        again = await pair.there.say("count to 40")

    assert again.text == COUNTED


async def test_a_message_waits_for_the_turn_that_the_other_process_plays(tmp_path: Path) -> None:
    async with pair_with(tmp_path, busy_wait=60) as pair, pair.here.saying("count to 40") as response:
        await read_until_text(response, " 3")
        second = await pair.there.say("how many messages?")
        body = await response.read()

    assert COUNTED.endswith(shown(body))
    assert "2 messages of yours" in second.text


async def test_a_turn_that_is_followed_in_the_other_process_is_not_given_up(pair: Pair) -> None:
    async with AsyncExitStack() as page:
        response = await page.enter_async_context(pair.here.saying("count to 40"))
        await read_until_text(response, " 3")
        async with following(pair.there) as other:
            await read_until_text(other, " 3")
            await page.aclose()
            refused = await pair.here.say("hello")
            text = await read_until_text(other, " 40")

    assert (refused.status, refused.error) == (409, BUSY)
    assert COUNTED.endswith(f"{text} ")


@pytest.mark.parametrize("followed_there", [False, True])
async def test_a_turn_that_nobody_follows_gives_way_to_a_message_in_the_other_process(
    tmp_path: Path, followed_there: bool
) -> None:
    async with pair_with(tmp_path, busy_wait=5) as pair:
        async with pair.here.saying("slowly count to 1000") as response:
            await read_until_text(response, "1")
            if followed_there:
                async with following(pair.there) as other:
                    await read_until_text(other, "1")
        answer = await pair.there.say("how many messages?")

    assert "2 messages of yours" in answer.text


async def test_the_grace_period_begins_when_the_last_page_leaves_the_other_process(tmp_path: Path) -> None:
    async with pair_with(tmp_path, grace=0) as pair, AsyncExitStack() as page:
        response = await page.enter_async_context(pair.here.saying("slowly count to 1000"))
        await read_until_text(response, "1")
        async with following(pair.there) as other:
            await read_until_text(other, "1")
            await page.aclose()
            await read_until_text(other, "4")
            assert active(pair.servers.state)
        await pair.quiet()


async def test_a_thread_is_deleted_with_the_turn_that_the_other_process_plays(pair: Pair) -> None:
    async with pair.here.saying("slowly count to 1000") as response:
        await read_until_text(response, "1")
        async with pair.there.session.delete(f"{pair.there.url}/api/session") as deleted:
            status = deleted.status
        active_then = active(pair.servers.state)
        rest = events_in(await response.read())

    assert (status, active_then) == (200, [])
    assert "error" not in rest[-1]


async def test_what_is_followed_in_a_process_that_ends_goes_on_in_the_other_one(tmp_path: Path) -> None:
    async with servers_in(tmp_path, "responses") as servers, AsyncExitStack() as ending:
        leaving = await ending.enter_async_context(servers.another())
        async with servers.another() as staying, Visitor.at(staying) as here:
            await here.post("/api/threads")
            async with Visitor.at(leaving, here.jar) as there, here.saying("slowly count to 8") as response:
                await read_until_text(response, "1")
                async with following(there) as other:
                    await read_until_text(other, "1")
                    await ending.aclose()
                    last = events_in(await other.read())[-1]
                text = shown(await response.read())

    assert last["error"] == RESTARTING
    assert text.split()[-1] == "8"


async def test_who_follows_a_process_that_is_killed_is_told_and_finds_the_answer_in_the_other_one(
    tmp_path: Path,
) -> None:
    async with back_end(OPTIONS) as (base_url, state), AsyncExitStack() as stack:
        settings = {f"DEEP_CHAT_{name.upper()}": str(value) for name, value in DIALECTS["chat"].items()}
        settings |= {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": KEY}
        killed = await stack.enter_async_context(server(tmp_path, **settings))
        other = await stack.enter_async_context(server(tmp_path, **settings))
        here = await stack.enter_async_context(Visitor.at(killed.url))
        there = await stack.enter_async_context(Visitor.at(other.url, here.jar))
        await here.post("/api/threads")
        await read_until_text(await stack.enter_async_context(here.saying("count to 40")), " 3")
        response = await stack.enter_async_context(following(there))
        await read_until_text(response, " 3")
        killed.kill()
        last = (await rest_of(response))[-1]
        answer = await there.resume()
        await other.end()

    assert last["error"] == RESTARTING
    assert (answer.error, answer.text) == (None, COUNTED)
    assert active(state) == []
    other.check_log()

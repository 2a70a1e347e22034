"""Several processes over one store, as in a restart that begins before the old process is gone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from flows.server import DIALECTS
from flows.several import BUSY, COUNTED, Servers, servers_in
from flows.upstream_view import active, conversations
from flows.visitor import Visitor, read_until_text
from playing import until


@pytest.fixture(params=DIALECTS)
async def servers(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Servers]:
    async with servers_in(tmp_path, request.param) as found:
        yield found


async def test_a_thread_that_another_process_answers_on_takes_no_second_turn(servers: Servers) -> None:
    async with servers.another() as one, servers.another() as two, Visitor.at(one) as visitor:
        await visitor.post("/api/threads")
        async with Visitor.at(two, visitor.jar) as elsewhere, visitor.saying("count to 40") as response:
            await read_until_text(response, " 3")
            refused = await elsewhere.say("hello")
            await read_until_text(response, " 40")
        await until(lambda: not active(servers.state))

    assert (refused.status, refused.error) == (409, BUSY)


async def test_what_a_process_leaves_is_finished_by_one_that_was_there_already(servers: Servers) -> None:
    async with AsyncExitStack() as old:
        leaving = await old.enter_async_context(servers.another())
        async with servers.another() as staying, Visitor.at(leaving) as visitor:
            await visitor.post("/api/threads")
            async with visitor.saying("count to 40") as response:
                await read_until_text(response, " 3")
                await old.aclose()
            async with Visitor.at(staying, visitor.jar) as later:
                answer = await later.resume()
                count = await later.say("how many messages?")

    assert (answer.error, answer.text) == (None, COUNTED)
    assert "2 messages of yours" in count.text
    assert active(servers.state) == []
    assert len(conversations(servers.state)) <= 1


async def test_messages_that_meet_turns_which_are_just_picked_up_wait_for_them(servers: Servers) -> None:
    async with AsyncExitStack() as stack:
        old = AsyncExitStack()
        leaving = await old.enter_async_context(servers.another())
        staying = await stack.enter_async_context(servers.another())
        visitors = [await stack.enter_async_context(Visitor.at(leaving)) for _ in range(8)]
        for visitor in visitors:
            await visitor.post("/api/threads")
            await read_until_text(await stack.enter_async_context(visitor.saying("count to 40")), " 3")
        await old.aclose()
        jars = [visitor.jar for visitor in visitors]
        later = [await stack.enter_async_context(Visitor.at(staying, jar)) for jar in jars]
        answers = await asyncio.gather(*(visitor.say("count to 3") for visitor in later))
        wholes = await asyncio.gather(*(visitor.resume() for visitor in later))
        counts = [await visitor.say("how many messages?") for visitor in later]

    assert {answer.status for answer in answers} <= {200, 409}
    assert {whole.text for whole in wholes} <= {COUNTED, "1 2 3 "}
    for answer, count in zip(answers, counts, strict=True):
        messages = 3 if answer.status == 200 else 2
        assert f"{messages} messages of yours" in count.text

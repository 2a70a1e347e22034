"""Two tabs of one visitor on one thread: in order, one turn at a time, and the same message once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import pytest

from deep_chat_proxy.browser.keys import CHAT
from deep_chat_proxy.local_openai import LocalOptions
from flows.server import DIALECTS, Site, site
from flows.visitor import CSV, Answer, Visitor, read_until_text
from playing import until

SLOW = LocalOptions(token_delay=0.005, poll_after_ms=5)
BUSY = "The previous message is still being answered. Please wait or stop it first."


class Watch:
    """Counts what goes on at a back end at once, and what it refuses."""

    def __init__(self, running: Site) -> None:
        self._running = running
        self.most = 0

    async def look(self) -> None:
        while True:
            # Each run, response and completion is a task.
            self.most = max(self.most, len(self._running.state._tasks))
            await asyncio.sleep(0)


@pytest.fixture(params=DIALECTS)
async def running(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    """A server in each dialect."""
    async with site(SLOW, **DIALECTS[request.param], grace=60, busy_wait=0.5) as found:
        yield found


async def test_fifty_messages_at_once_are_answered_in_order_or_refused(
    running: Site, caplog: pytest.LogCaptureFixture
) -> None:
    async with running.visitor() as first, running.visitor(first.jar) as second:
        await first.say("my name is Ada")
        watch = Watch(running)
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(watch.look())
            asked = [
                group.create_task((first, second)[number % 2].say(f"count to {number + 1}", stream=True))
                for number in range(50)
            ]
            answers = [await task for task in asked]
            looking.cancel()
        count = await first.say("how many messages?")

    answered = [number for number, answer in enumerate(answers) if answer.status == 200]
    assert all(answers[number].text.split()[-1] == str(number + 1) for number in answered)
    assert {(answer.status, answer.error) for answer in answers} == {(200, None), (409, BUSY)}
    assert f"{len(answered) + 2} messages of yours" in count.text
    assert watch.most == 1
    assert "back end answered 400" not in caplog.text


def in_line(running: Site, count: int) -> bool:
    """Whether so many messages wait for the turn before them: the first in line, and those behind it."""
    queues = running.app[CHAT].turns._queues.values()
    return sum(queue.locked() + len(queue._waiters or ()) for queue in queues) == count


async def test_messages_that_wait_are_answered_in_the_order_in_which_they_came() -> None:
    async with site(busy_wait=60, grace=60) as running, running.visitor() as visitor:
        await visitor.say("hello")
        done: list[int] = []

        async def say(number: int) -> None:
            assert (await visitor.say(f"count to {number}")).status == 200
            done.append(number)

        async with visitor.saying("slowly count to 1000") as slow, asyncio.TaskGroup() as group:
            await read_until_text(slow, "1")
            for number in range(1, 11):
                group.create_task(say(number))
                await until(partial(in_line, running, number))
            await visitor.post("/api/chat/stop")

    assert done == sorted(done)


async def test_a_message_that_is_sent_again_joins_its_turn_in_front_of_those_that_wait_for_it() -> None:
    async with site(SLOW, busy_wait=60, grace=60) as running, running.visitor() as visitor:
        await visitor.say("hello")
        async with visitor.saying("count to 40") as first, asyncio.TaskGroup() as group:
            await read_until_text(first, " 3")
            other = group.create_task(visitor.say("what is my name?"))
            await until(partial(in_line, running, 1))
            again = group.create_task(visitor.say("count to 40", stream=True))
        count = await visitor.say("how many messages?")

    assert again.result().text.split() == [str(number) for number in range(1, 41)]
    assert other.result().text == "You have not told me your name."
    assert "4 messages of yours" in count.text


async def posted_twice(running: Site, *files: Any) -> tuple[Answer, Answer, Answer]:
    """A message that is pressed twice, and how many there are then."""
    async with running.visitor() as visitor:
        await visitor.say("my name is Ada")
        async with asyncio.TaskGroup() as group:
            first = group.create_task(visitor.say("count to 9", *files, stream=True))
            second = group.create_task(visitor.say("count to 9", *files, stream=True))
        return first.result(), second.result(), await visitor.say("how many messages?")


@pytest.mark.parametrize("files", [(), (CSV,)], ids=["text", "file"])
async def test_a_message_that_is_sent_twice_is_one_turn(running: Site, files: tuple[Any, ...]) -> None:
    first, second, count = await posted_twice(running, *files)

    assert first.turn_id == second.turn_id
    assert first.text == second.text
    assert "3 messages of yours" in count.text


async def test_a_message_that_is_sent_again_after_its_connection_broke_joins_its_turn(running: Site) -> None:
    async with running.visitor() as visitor:
        async with visitor.saying("count to 20") as response:
            await read_until_text(response, " 3")
        again = await visitor.say("count to 20", stream=True)
        count = await visitor.say("how many messages?")

    assert again.text.split() == [str(number) for number in range(1, 21)]
    assert "2 messages of yours" in count.text


async def test_the_end_that_nobody_saw_is_given_to_the_message_that_is_sent_again(running: Site) -> None:
    async with running.visitor() as visitor:
        async with visitor.saying("count to 20") as response:
            await read_until_text(response, " 3")
        await running.quiet()
        again = await visitor.say("count to 20")
        once_more = await visitor.say("count to 20")
        count = await visitor.say("how many messages?")

    assert again.text.split() == once_more.text.split() == [str(number) for number in range(1, 21)]
    assert again.turn_id != once_more.turn_id
    assert "3 messages of yours" in count.text


async def test_what_is_said_again_after_its_answer_was_read_is_a_new_message(running: Site) -> None:
    async with running.visitor() as visitor:
        async with visitor.saying("count to 20") as response:
            await read_until_text(response, " 3")
        await running.quiet()
        read = await visitor.resume()
        again = await visitor.say("count to 20")
        count = await visitor.say("how many messages?")

    assert read.text == again.text
    assert read.turn_id != again.turn_id
    assert "3 messages of yours" in count.text


async def test_no_more_turns_are_under_way_than_there_may_be() -> None:
    async with site(SLOW, max_turns=2, grace=60) as running, AsyncExitStack() as stack:
        visitors = [await stack.enter_async_context(running.visitor()) for _ in range(20)]
        answers = await asyncio.gather(*(visitor.say("count to 20") for visitor in visitors))

    assert sorted(answer.status for answer in answers) == [200] * 2 + [503] * 18


async def test_a_message_that_failed_is_a_new_turn_when_it_is_sent_again(running: Site) -> None:
    async with running.visitor() as visitor:
        first = await visitor.say("fail")
        asked = len(running.state.requests)
        second = await visitor.say("fail")

    assert first.error == second.error
    assert first.error is not None
    assert len(running.state.requests) > asked


async def test_the_same_message_much_later_is_a_new_turn() -> None:
    async with site(SLOW, resend=0, grace=60, busy_wait=30) as running, running.visitor() as visitor:
        await visitor.say("hello")
        first, second = await asyncio.gather(visitor.say("count to 3"), visitor.say("count to 3"))

    assert first.turn_id != second.turn_id


async def another_visitor(url: str) -> str:
    async with Visitor.at(url) as other:
        return (await other.say("count to 9")).turn_id


async def test_another_visitors_message_is_never_joined(running: Site) -> None:
    ids = await asyncio.gather(*(another_visitor(running.url) for _ in range(4)))

    assert len(set(ids)) == 4

"""A thread that something has left stuck at the back end: the next message is answered all the same."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from deep_chat_proxy.local_openai import LocalOptions
from flows.server import DIALECTS, Site, site
from flows.upstream_view import active
from flows.visitor import Visitor, read_until_text
from playing import until

OPTIONS = LocalOptions(token_delay=0.001, poll_after_ms=5)
NAME = "Your name is Ada."
HEADERS = {"Authorization": "Bearer other", "OpenAI-Beta": "assistants=v2"}
CALLS = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"location": {"type": "string"}, "unit": {"type": "string"}},
        },
    },
}


class Stranger:
    """Somebody else who uses the same back end: another process, or one of before."""

    def __init__(self, session: aiohttp.ClientSession, running: Site) -> None:
        self._session = session
        self._running = running

    async def post(self, path: str, body: object) -> None:
        base_url = self._running.back_end_url
        async with self._session.post(base_url + path, json=body) as response:
            assert response.status == 200, await response.text()

    async def run(self, text: str, tools: list[object] | None = None) -> None:
        """Start a run on the newest thread."""
        thread_id = next(reversed(self._running.state.threads))
        await self.post(f"/threads/{thread_id}/messages", {"role": "user", "content": text})
        await self.post(f"/threads/{thread_id}/runs", {"assistant_id": "asst_local", "tools": tools or []})

    async def respond(self, text: str) -> None:
        """Make a response in the background in the newest conversation."""
        conversation = list(self._running.state.conversations)[-1].conversation.id
        body = {"model": "local-1", "input": text, "conversation": conversation, "background": True}
        await self.post("/responses", body)


@pytest.fixture
async def stranger(running: Site) -> AsyncIterator[Stranger]:
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        yield Stranger(session, running)


@pytest.fixture
async def running(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    async with site(OPTIONS, **DIALECTS[request.param]) as found:
        yield found


@pytest.fixture
async def ada(running: Site) -> AsyncIterator[Visitor]:
    """A visitor with a thread on which something was said."""
    async with running.visitor() as visitor:
        await visitor.say("my name is Ada")
        yield visitor


@pytest.mark.parametrize("running", ["assistants"], indirect=True)
@pytest.mark.parametrize("text", ["hang", "slowly count to 1000"])
async def test_a_run_that_goes_on_is_ended_before_the_next_message(
    running: Site, stranger: Stranger, ada: Visitor, text: str
) -> None:
    await stranger.run(text)

    assert (await ada.say("what is my name?")).text == NAME
    await until(lambda: not active(running.state))


@pytest.mark.parametrize("running", ["assistants"], indirect=True)
async def test_a_run_that_waits_for_outputs_is_ended_before_the_next_message(
    running: Site, stranger: Stranger, ada: Visitor
) -> None:
    await stranger.run("weather in Paris", [CALLS])
    await until(lambda: [run.status for run in running.state.active_runs()] == ["requires_action"])

    assert (await ada.say("what is my name?")).text == NAME
    assert active(running.state) == []


@pytest.mark.parametrize("running", ["assistants"], indirect=True)
async def test_an_expired_run_is_nothing_that_the_next_message_minds(running: Site, ada: Visitor) -> None:
    expired = await ada.say("expire")
    again = await ada.say("what is my name?")

    assert expired.error is not None
    assert again.text == NAME
    assert active(running.state) == []


@pytest.mark.parametrize("running", ["responses"], indirect=True)
async def test_a_conversation_that_is_locked_for_a_while_is_waited_for(
    running: Site, stranger: Stranger, ada: Visitor
) -> None:
    await stranger.respond("slowly count to 4")
    assert active(running.state)

    assert (await ada.say("what is my name?")).text == NAME


@pytest.mark.parametrize("running", ["responses"], indirect=True)
async def test_a_call_that_nobody_answered_is_answered_before_the_next_message(
    running: Site, stranger: Stranger, ada: Visitor
) -> None:
    conversation = list(running.state.conversations)[-1].conversation.id
    tool = {"type": "function", **CALLS["function"], "strict": False}  # type: ignore[dict-item]
    body = {"model": "local-1", "input": "weather in Paris", "conversation": conversation, "tools": [tool]}
    await stranger.post("/responses", body)

    assert (await ada.say("what is my name?")).text == NAME


@pytest.mark.parametrize("running", DIALECTS, indirect=True)
async def test_a_thread_that_is_gone_is_begun_anew_and_says_so(running: Site, ada: Visitor) -> None:
    running.state.threads.clear()
    for kept in running.state.conversations:
        running.state.conversations.drop(kept.conversation.id)
    async with asyncio.timeout(10):
        answer = await ada.say("hello", stream=True)

    assert answer.error is None
    assert ("no longer there" in answer.text) == bool(running.state.threads or running.state.conversations)


@pytest.mark.parametrize("running", DIALECTS, indirect=True)
async def test_a_thread_that_is_gone_after_a_turn_of_it_was_cut_is_begun_anew_too(
    running: Site, ada: Visitor
) -> None:
    async with ada.saying("count to 500") as response:
        await read_until_text(response, " 3")
        await ada.post("/api/chat/stop")
    await running.quiet()
    running.state.threads.clear()
    for kept in running.state.conversations:
        running.state.conversations.drop(kept.conversation.id)

    first, second = await ada.say("hello"), await ada.say("hello again")
    assert (first.error, second.error) == (None, None)

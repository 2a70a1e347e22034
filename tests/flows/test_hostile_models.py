"""A model that calls tools with nonsense, or a visitor who leaves at the last moment, spoils no thread."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from deep_chat_proxy import create_app
from deep_chat_proxy.browser.keys import CHAT
from deep_chat_proxy.tools.weather import get_weather
from deep_chat_proxy.turn.transcript import AssistantSaid, UserSaid
from flows.server import serving, settings_for
from flows.visitor import Visitor, read_until_text

CHAT_SETTINGS: dict[str, Any] = {"upstream": "chat", "model": "m"}


class StrictServer:
    """Chat Completions as a strict server speaks it: what is sent back must be what it could have said."""

    def __init__(self, name: str, arguments: str) -> None:
        self._call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._complete)
        self.app = app

    async def _complete(self, request: web.Request) -> web.Response:
        messages = (await request.json())["messages"]
        for message in messages:
            for call in message.get("tool_calls") or ():
                if not call["function"]["name"].isidentifier() or call["function"]["arguments"][:1] != "{":
                    return web.json_response({"error": {"message": "invalid tool call"}}, status=400)
        said: dict[str, Any] = {"role": "assistant", "content": f"I have seen {len(messages)} messages."}
        if messages[-1]["content"] == "call":
            said = {"role": "assistant", "content": None, "tool_calls": [self._call]}
        return web.json_response({"choices": [{"message": said, "finish_reason": "stop"}]})


@pytest.fixture
async def strict(request: pytest.FixtureRequest) -> AsyncIterator[Visitor]:
    """A visitor of a server whose model makes the calls of the test."""
    async with serving(StrictServer(*request.param).app) as back:
        app = create_app(settings_for(f"http://127.0.0.1:{back}/v1", **CHAT_SETTINGS), tools=[get_weather])
        async with serving(app) as port, Visitor.at(f"http://127.0.0.1:{port}") as visitor:
            yield visitor


@pytest.mark.parametrize(
    "strict",
    [("get_weather", '{"loc'), ("get_weather", ""), ("functions.get weather", "{}"), ("", "[]")],
    indirect=True,
)
async def test_a_call_with_nonsense_is_answered_and_the_thread_goes_on(strict: Visitor) -> None:
    called = await strict.say("call")
    later = await strict.say("hello")

    assert (called.status, called.text) == (200, "I have seen 3 messages.")
    assert (later.status, later.text) == (200, "I have seen 5 messages.")


async def test_an_answer_that_was_shown_to_its_end_is_remembered_wherever_the_visitor_left() -> None:
    async with serving(StrictServer("f", "{}").app) as back:
        settings = settings_for(f"http://127.0.0.1:{back}/v1", grace=0, **CHAT_SETTINGS)
        app = create_app(settings, tools=())
        async with serving(app) as port, Visitor.at(f"http://127.0.0.1:{port}") as visitor:
            for _ in range(20):
                started = await visitor.post("/api/threads")
                async with visitor.saying("hello") as response:
                    await read_until_text(response, "I have seen 1 messages.")
                    (turns,) = [list(app[CHAT].turns._active.values())]
                async with asyncio.timeout(10):
                    for turn in turns:
                        await turn.gone.wait()
                memory = await app[CHAT].store.memory(started.json["thread_id"], "another", 10_000)

                assert memory.entries == (UserSaid("hello"), AssistantSaid("I have seen 1 messages."))

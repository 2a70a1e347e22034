"""The proxy between a visitor and aimock, in every way in which it may stand there."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import product
from typing import Any

import aiohttp
from msgspec import Struct

from deep_chat_proxy import Settings, create_app
from deep_chat_proxy.tools.weather import get_weather
from flows.server import KEY, serving
from flows.visitor import Answer, Visitor
from foreign.aimock import Mock

# Ids as aimock makes them, where a fixture does not name one.
_ITS_IDS = re.compile(r"(?<![\w-])(?:(?:chatcmpl|resp|msg|fc|rs|req)-|call_)[\w-]{16}(?![\w-])")


class Case(Struct, frozen=True):
    """One of these ways: `follow` says how the back end answers, `stream` how we do."""

    upstream: str
    follow: str
    stream: bool

    def __str__(self) -> str:
        return f"{self.upstream}-{self.follow}-{'stream' if self.stream else 'object'}"


CASES = [Case(*chosen) for chosen in product(("chat", "responses"), ("auto", "poll"), (True, False))]
STREAMED = [case for case in CASES if case.follow == "auto"]
"""Where the back end streams."""


class Talk:
    """A visitor of the proxy whose back end is `mock`."""

    def __init__(self, case: Case, mock: Mock, visitor: Visitor) -> None:
        self.case = case
        self.mock = mock
        self._visitor = visitor
        self._answers: list[Answer] = []

    async def say(self, text: str) -> Answer:
        answer = await self._visitor.say(text, stream=self.case.stream)
        self._answers.append(answer)
        return answer

    def check_error(self, answer: Answer, status: int, sentence: str) -> None:
        """The answer is this error, as a status or, where a stream has begun, as its last event."""
        assert answer.error == sentence
        assert answer.status == (200 if answer.is_stream else status)
        assert [part for part in answer.parts if "error" in part] == answer.parts[-1:]

    async def check_secrets(self) -> None:
        """No answer so far tells of what only we and the back end know."""
        assert self._answers
        ids = [request.request_id for request in await self.mock.requests()]
        for answer in self._answers:
            said = answer.body.decode() + json.dumps(list(answer.headers.items()))
            assert [word for word in (KEY, "canary", self.mock.base_url, *ids) if word in said] == []
            assert _ITS_IDS.search(said) is None


@asynccontextmanager
async def talking(url: str, case: Case, test_id: str, **chosen: Any) -> AsyncIterator[Talk]:
    """Put the proxy before aimock at `url`; `chosen` are settings."""
    async with aiohttp.ClientSession() as session:
        mock = Mock(url, test_id, session)
        defaults: dict[str, Any] = {
            "upstream": case.upstream,
            "follow": case.follow,
            "openai_base_url": mock.base_url,
            "openai_api_key": KEY,
            "model": "gpt-5-foreign",
            "upstream_headers": mock.headers,
            "store": "sqlite::memory:",
            "pace": 0,
        }
        app = create_app(Settings(**(defaults | chosen)), tools=[get_weather])
        async with serving(app) as port, Visitor.at(f"http://127.0.0.1:{port}") as visitor:
            talk = Talk(case, mock, visitor)
            yield talk
            await talk.check_secrets()

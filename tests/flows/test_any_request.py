"""Whatever comes over the wire, the server never fails, and goes on answering."""

import asyncio
import logging
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows import drawn
from flows.raw import connection, read_answer
from flows.server import Site, site
from flows.visitor import Answer

# Seconds that a request which the server may still wait for the rest of gets to be answered.
PATIENCE = 0.5
pytestmark = pytest.mark.usefixtures("default_log")
NOTHING_LEFT_OUT = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]


class Fuzzed:
    """A server on a loop of its own, which runs while something is asked."""

    def __init__(self, runner: asyncio.Runner, running: Site, log: pytest.LogCaptureFixture) -> None:
        self._runner = runner
        self._running = running
        self._log = log

    def ask(self, request: bytes) -> None:
        """Send a request; fails where the server does."""
        self._log.clear()
        answer = self._runner.run(self._exchange(request))
        if answer is not None:
            assert answer.status < 500, answer
            if answer.status >= 400 and answer.headers["Content-Type"] == "application/json" and answer.body:
                assert isinstance(answer.error, str), answer
        for record in self._log.records:
            assert record.exc_info is None, record
            # What is no HTTP is refused by aiohttp itself, with a line of its own.
            malformed = record.name == "aiohttp.server" and record.msg.startswith("Error handling request")
            assert malformed or record.levelno < logging.ERROR, record.getMessage()

    async def _exchange(self, request: bytes) -> Answer | None:
        try:
            async with asyncio.timeout(PATIENCE), connection(self._running.port) as (reader, writer):
                writer.write(request)
                return await read_answer(reader, has_body=not request.startswith(b"HEAD"))
        except TimeoutError:
            return None

    def answers_as_ever(self) -> None:
        """The next visitor is served, and nothing is left of those before."""
        self._runner.run(self._answers_as_ever())

    async def _answers_as_ever(self) -> None:
        await self._running.quiet()
        assert self._running.state.active_runs() == []
        async with self._running.visitor() as visitor:
            answer = await visitor.say("hello", stream=True)
        assert answer.text.startswith("Hello! I am the **local assistant**.")


@pytest.fixture
def fuzzed(caplog: pytest.LogCaptureFixture) -> Iterator[Fuzzed]:
    with asyncio.Runner() as runner:
        context = site(grace=0)
        running = runner.run(context.__aenter__())
        try:
            yield Fuzzed(runner, running, caplog)
        finally:
            runner.run(context.__aexit__(None, None, None))


def fuzz(fuzzed: Fuzzed, requests: st.SearchStrategy[bytes], examples: int) -> None:
    @settings(max_examples=examples, deadline=None, suppress_health_check=NOTHING_LEFT_OUT)
    @given(requests)
    def ask(request: bytes) -> None:
        fuzzed.ask(request)

    ask()
    fuzzed.answers_as_ever()


def test_no_request_to_any_address_is_an_error_of_the_server(fuzzed: Fuzzed) -> None:
    fuzz(fuzzed, drawn.requests(drawn.json_bodies), 300)


def test_no_json_of_any_shape_is_an_error_of_the_server(fuzzed: Fuzzed) -> None:
    fuzz(fuzzed, drawn.requests(drawn.json_bodies, chat=True), 400)


def test_no_form_of_any_shape_is_an_error_of_the_server(fuzzed: Fuzzed) -> None:
    fuzz(fuzzed, drawn.requests(drawn.forms(), chat=True), 400)


def test_no_damaged_request_of_deep_chat_is_an_error_of_the_server(fuzzed: Fuzzed) -> None:
    fuzz(fuzzed, drawn.damaged_captures(), 300)


def test_no_bytes_at_all_are_an_error_of_the_server(fuzzed: Fuzzed) -> None:
    fuzz(fuzzed, st.binary(max_size=300), 100)

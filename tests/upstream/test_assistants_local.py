"""The dialect and the local OpenAI with each other: two halves that share no code."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from deep_chat_proxy.errors import FAILED, NO_QUOTA, RATE_LIMITED, TIMED_OUT, Problem
from deep_chat_proxy.local_openai import STATE, LocalOptions, create_local_openai
from deep_chat_proxy.local_openai.state import LocalState
from deep_chat_proxy.turn.events import Completed, Cut, FileKind, FileReady, Status, ToolOutput
from deep_chat_proxy.turn.message import Attachment, UserMessage
from deep_chat_proxy.upstream.assistants.dialect import AssistantsDialect
from deep_chat_proxy.upstream.notices import THREAD_LOST
from playing import FakeThread
from upstream.backend import client_of
from upstream.pictures import png
from upstream.playing import WAIT, Played, dialect_of, play

WEATHER = {
    "name": "get_weather",
    "description": "The weather of a place.",
    "parameters": {
        "type": "object",
        "properties": {"location": {"type": "string"}, "unit": {"type": "string"}},
        "required": ["location"],
    },
}
MakeDialect = Callable[..., AssistantsDialect]


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    app = create_local_openai(LocalOptions(token_delay=0, poll_after_ms=1))
    server = TestServer(app)
    await server.start_server(access_log=None)
    yield server
    await server.close()


@pytest.fixture
def state(server: TestServer) -> LocalState:
    return server.app[STATE]


@pytest.fixture
def make(server: TestServer, session: aiohttp.ClientSession) -> MakeDialect:
    """Makes a dialect for the local assistant; arguments set fields of AssistantsOptions."""

    def make(*, silence: float = WAIT, **options: Any) -> AssistantsDialect:
        client = client_of(session, str(server.make_url("/v1")), silence=silence, first=silence)
        return dialect_of(client, functions=[WEATHER], **{"assistant_id": "asst_local", **options})

    return make


def files_of(played: Played) -> Sequence[tuple[str, FileKind]]:
    return [(event.file.name, event.file.kind) for event in played.events if isinstance(event, FileReady)]


async def test_a_conversation_goes_on_in_its_thread(make: MakeDialect, state: LocalState) -> None:
    dialect = make()
    first = await play(dialect, "my name is Ada, what is my name?")
    (thread_id,) = first.thread.opened
    second = await play(dialect, "what did I say first?", thread_id=thread_id)

    assert "Ada" in first.text
    assert "my name is Ada" in second.text
    assert (second.end, second.thread.opened) == (Completed(), [])
    assert list(state.threads) == [thread_id]
    paths = [path for method, path in state.requests if method == "POST"]
    names = ("runs", "messages", "runs")
    assert paths == ["/v1/threads", *[f"/v1/threads/{thread_id}/{name}" for name in names]]


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("weather in Paris and Rome", ["Paris", "Rome"]),
        ("weather in Paris then in Rome and Oslo", ["Paris", "Rome", "Oslo"]),
    ],
)
@pytest.mark.parametrize("streamed", [True, False])
async def test_tools_are_asked_for_in_rounds_and_their_outputs_answered(
    make: MakeDialect, state: LocalState, text: str, places: list[str], streamed: bool
) -> None:
    played = await play(make(stream=streamed), text)

    assert played.end == Completed()
    assert [f'"{place}"' in call.arguments for place, call in zip(places, played.tools.calls, strict=True)]
    assert all(place in played.text for place in places)
    assert state.active_runs() == []


SAME_BOTH_WAYS = [
    "hello",
    "show markdown",
    "unicode",
    "count to 20",
    "weather in Paris then in Rome",
    "make a csv",
    "draw a chart",
    "two messages",
    "refuse",
    "stop short",
    "content filter",
    "fail",
    "fail at once",
    "fail with rate limit",
    "run out of quota",
    "expire",
    "say nothing",
    "error event",
    "cut the connection",
]


@pytest.mark.parametrize("text", SAME_BOTH_WAYS)
async def test_asking_for_a_run_and_streaming_it_come_to_the_same(
    make: MakeDialect, state: LocalState, text: str
) -> None:
    streamed = await play(make(), text)
    asked = await play(make(stream=False), text)

    assert (streamed.text, streamed.end) == (asked.text, asked.end)
    assert files_of(streamed) == files_of(asked)
    assert not streamed.said_anew
    assert state.active_runs() == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("fail", FAILED),
        ("fail with rate limit", RATE_LIMITED),
        ("run out of quota", NO_QUOTA),
        ("no quota", NO_QUOTA),
        ("expire", TIMED_OUT),
    ],
)
async def test_every_mishap_has_its_problem(make: MakeDialect, text: str, problem: Problem) -> None:
    assert (await play(make(), text)).problem == problem


async def test_an_answer_whose_connection_is_cut_is_whole(make: MakeDialect) -> None:
    played = await play(make(), "cut the connection")

    assert played.text.startswith("This is the beginning")
    assert played.text.endswith("here it ends.")
    assert (played.end, played.said_anew) == (Completed(), False)


@pytest.mark.parametrize(
    ("text", "cut"), [("stop short", Cut.LENGTH), ("content filter", Cut.CONTENT_FILTER)]
)
async def test_a_cut_answer_says_why(make: MakeDialect, text: str, cut: Cut) -> None:
    assert (await play(make(), text)).end == Completed(cut)


@pytest.mark.parametrize("text", ["http 429 once", "http 503 once"])
async def test_a_refusal_that_passes_is_not_seen_by_the_visitor(
    make: MakeDialect, sleeps: list[float], text: str
) -> None:
    # The local OpenAI knows a message again only on a thread that is there.
    first = await play(make(), "hello")
    again = await play(make(), text, thread_id=first.thread.opened[0])

    assert "this time it worked" in again.text
    assert 1 in sleeps


async def test_files_are_seen_and_made(make: MakeDialect, state: LocalState, tmp_path: Path) -> None:
    path = tmp_path / "spooled"
    path.write_bytes("Grüße aus Köln".encode())
    attachment = Attachment(path, "größe 1.txt", "text/plain", FileKind.ANY, 15, "0" * 64)

    played = await play(make(), "what is in this file?", attachments=[attachment])
    made = await play(make(), "make a csv")

    assert "Grüße aus Köln" in played.text
    assert "größe 1.txt" in played.text
    assert "【" not in played.text
    assert not path.exists()
    assert "sandbox:" not in made.text
    (file,) = made.keeper.made
    async with make().files.content(file.upstream_id) as content:
        assert b"".join([chunk async for chunk in content.chunks]) == state.files[file.upstream_id].data


async def test_a_picture_is_shown_to_the_assistant(make: MakeDialect, tmp_path: Path) -> None:
    path = tmp_path / "spooled"
    path.write_bytes(png(3, 2))
    attachment = Attachment(path, "p.png", "image/png", FileKind.IMAGE, path.stat().st_size, "0" * 64)

    assert "3 x 2 pixels" in (await play(make(), "what is it?", attachments=[attachment])).text


async def test_a_thread_that_is_gone_is_replaced(make: MakeDialect, state: LocalState) -> None:
    first = await play(make(), "hello")
    state.drop_thread(first.thread.opened[0])

    played = await play(make(), "hello", thread_id=first.thread.opened[0])

    assert played.text.startswith(f"{THREAD_LOST}\n\n")
    assert list(state.threads) == played.thread.opened


async def test_a_run_left_behind_is_cancelled_before_the_next_message(
    make: MakeDialect, state: LocalState
) -> None:
    left = make().turn(FakeThread(), UserMessage("weather in Paris"))
    async with asyncio.timeout(WAIT), aclosing(left.start()) as stream:
        async for _ in stream:
            pass
    (run,) = state.active_runs()

    played = await play(make(), "hello", thread_id=run.thread_id)

    assert played.end == Completed()
    assert run.status == "cancelled"


@pytest.mark.parametrize("text", ["count to 20", "weather in Paris then in Rome", "hang", "draw a chart"])
@pytest.mark.parametrize("streamed", [True, False])
async def test_a_turn_that_is_stopped_at_any_point_leaves_no_active_run(
    make: MakeDialect, state: LocalState, text: str, streamed: bool
) -> None:
    stop_at, going_on = 0, True
    while going_on:
        going_on = await _stop_at(make(stream=streamed), text, stop_at)
        assert state.active_runs() == [], stop_at
        stop_at += 1
        # A run that hangs goes on without an event.
        going_on = going_on and not (text == "hang" and stop_at > 20)

    assert stop_at > 3


async def _stop_at(dialect: AssistantsDialect, text: str, stop_at: int) -> bool:
    """Stop a turn when it waits for the back end for the nth time, as a cancelled task does; False where it ended."""
    turn = dialect.turn(FakeThread(), UserMessage(text))
    steps = 0

    async def follow() -> None:
        outputs: list[ToolOutput] | None = None
        while True:
            async with aclosing(turn.start() if outputs is None else turn.submit(outputs)) as stream:
                outputs = None
                async for batch in stream:
                    for event in batch:
                        outputs = [
                            ToolOutput(call.call_id, "21") for call in getattr(event, "calls", ())
                        ] or outputs
            if outputs is None:
                return

    async with asyncio.timeout(WAIT), asyncio.TaskGroup() as group:
        following = group.create_task(follow())
        while not following.done() and steps < stop_at * 4:
            await asyncio.sleep(0)
            steps += 1
        ended = following.done()
        following.cancel()
        await asyncio.wait([following])
        await turn.close()
    return not ended


@pytest.mark.parametrize("text", ["hang", "hang at once"])
async def test_a_run_that_hangs_is_asked_for_until_the_turn_is_stopped(
    make: MakeDialect, state: LocalState, text: str
) -> None:
    turn = make(silence=0.05).turn(FakeThread(), UserMessage(text))
    asked_for = {Status("Thinking…"), Status("Waiting for the assistant…")}

    async with asyncio.timeout(WAIT):
        async with aclosing(turn.start()) as stream:
            async for batch in stream:
                if asked_for.intersection(batch):
                    break
        await turn.close()

    assert state.active_runs() == []

"""Each one-shot call of the dialect: what is asked exactly, and what each refusal means to a visitor."""

import logging
from typing import Any

import aiohttp
import pytest
from aioresponses import aioresponses as mocked_api
from yarl import URL

from deep_chat_proxy.errors import (
    CONTEXT_TOO_LONG,
    FAILED,
    INVALID_KEY,
    NO_QUOTA,
    NOT_CONFIGURED,
    OVERLOADED,
    RATE_LIMITED,
    REJECTED,
    Problem,
)
from deep_chat_proxy.turn.events import Completed, ToolOutput
from deep_chat_proxy.upstream.assistants.api import BETA, AssistantsApi
from deep_chat_proxy.upstream.assistants.dialect import AssistantsDialect
from deep_chat_proxy.upstream.client import Call
from upstream import recording as rec
from upstream.backend import client_of
from upstream.playing import Played, dialect_of, play

BASE = "http://backend/v1"
RUNS = f"{BASE}/threads/{rec.THREAD}/runs"
RUN = f"{RUNS}/{rec.RUN}"
ASSISTANT = f"{BASE}/assistants/asst_1"
MESSAGES = f"{BASE}/threads/{rec.THREAD}/messages"
WEATHER = {"name": "get_weather", "description": "The weather.", "parameters": {"type": "object"}}


@pytest.fixture(autouse=True)
def _no_real_waiting(sleeps: list[float]) -> None:
    """No test of this file sleeps."""


@pytest.fixture
def called(session: aiohttp.ClientSession) -> AssistantsApi:
    return AssistantsApi(client_of(session, BASE))


@pytest.fixture
def polling(session: aiohttp.ClientSession) -> AssistantsDialect:
    """The dialect as it makes one-shot calls only."""
    return dialect_of(client_of(session, BASE), stream=False)


def asked(api: mocked_api) -> list[tuple[str, str, Any]]:
    """Method, path and JSON body of the calls so far, by route; all of them carry key and beta header."""
    found = []
    for (method, url), calls in api.requests.items():
        for call in calls:
            expected = {"Authorization": "Bearer sk-canary"}
            assert call.kwargs["headers"].items() >= expected.items()
            body = call.kwargs["data"]
            found.append((method, str(url).removeprefix(BASE), body and rec.read(body)))
    return found


def take_message(api: mocked_api) -> None:
    """Threads can be made and take messages."""
    api.post(f"{BASE}/threads", payload={"id": rec.THREAD}, repeat=True)
    api.post(MESSAGES, payload=rec.said_by_visitor("Hello"), repeat=True)


def answer_run(api: mocked_api, *messages: Any) -> None:
    """The run is completed and has made `messages`."""
    api.get(RUN, payload=rec.run("completed"), repeat=True)
    page = URL(MESSAGES).with_query(limit="100", order="asc", run_id=rec.RUN)
    api.get(page, payload=rec.listed(*messages), repeat=True)


async def test_the_first_message_makes_a_thread_that_holds_it_and_is_run(
    api: mocked_api, polling: AssistantsDialect
) -> None:
    take_message(api)
    api.post(RUNS, payload=rec.run("queued"))
    answer_run(api, rec.message("Hi!"))

    played = await play(polling, "Hello")

    assert (played.text, played.end) == ("Hi!", Completed())
    assert played.thread.opened == [rec.THREAD]
    assert asked(api) == [
        (
            "POST",
            "/threads",
            {"messages": [{"role": "user", "content": "Hello", "metadata": rec.OURS}]},
        ),
        (
            "POST",
            f"/threads/{rec.THREAD}/runs",
            {"assistant_id": "asst_1", "stream": False, "metadata": rec.OURS},
        ),
        ("GET", f"/threads/{rec.THREAD}/runs/{rec.RUN}", None),
        ("GET", f"/threads/{rec.THREAD}/messages?limit=100&order=asc&run_id={rec.RUN}", None),
    ]


async def test_a_later_message_is_added_to_the_thread_and_run(
    api: mocked_api, polling: AssistantsDialect
) -> None:
    take_message(api)
    api.post(RUNS, payload=rec.run("queued", thread_id=None))
    answer_run(api, rec.message("Hi again!"))

    played = await play(polling, "Hello again", thread_id=rec.THREAD)

    assert (played.text, played.thread.opened) == ("Hi again!", [])
    assert asked(api)[:2] == [
        (
            "POST",
            f"/threads/{rec.THREAD}/messages",
            {"role": "user", "content": "Hello again", "metadata": rec.OURS},
        ),
        (
            "POST",
            f"/threads/{rec.THREAD}/runs",
            {"assistant_id": "asst_1", "stream": False, "metadata": rec.OURS},
        ),
    ]


async def test_model_instructions_and_tools_go_into_every_run(
    api: mocked_api, session: aiohttp.ClientSession
) -> None:
    dialect = dialect_of(
        client_of(session, BASE), functions=[WEATHER], stream=False, model="gpt-x", instructions="Be nice."
    )
    hosted = [{"type": "file_search"}, {"type": "function", "function": {"name": "other"}}]
    api.get(ASSISTANT, payload={"id": "asst_1", "tools": hosted})
    take_message(api)
    api.post(RUNS, payload=rec.run("queued"), repeat=True)
    answer_run(api, rec.message("Hi!"))

    await play(dialect)
    await play(dialect)

    bodies = [body for method, path, body in asked(api) if path == f"/threads/{rec.THREAD}/runs"]
    assert bodies[0] == bodies[1]
    assert {name: bodies[0][name] for name in ("model", "instructions", "tools")} == {
        "model": "gpt-x",
        "instructions": "Be nice.",
        "tools": [*hosted, {"type": "function", "function": WEATHER}],
    }
    assert len([path for _, path, _ in asked(api) if path == "/assistants/asst_1"]) == 1


@pytest.mark.parametrize(
    "shown",
    [
        {"payload": {"id": "asst_1", "tools": [{"type": "function", "function": WEATHER}]}},
        {"status": 404},
        {"status": 403, "payload": {"error": {"message": "no scope"}}},
        {"payload": ["not", "an", "assistant"]},
        {"payload": {"id": "asst_1", "tools": None}},
    ],
)
async def test_a_run_has_the_assistant_s_own_tools_where_ours_are_among_them_or_nobody_can_tell(
    api: mocked_api, session: aiohttp.ClientSession, shown: dict[str, Any]
) -> None:
    dialect = dialect_of(client_of(session, BASE), functions=[WEATHER])
    api.get(ASSISTANT, **shown)

    assert await dialect.run_body() == {"assistant_id": "asst_1"}
    assert await dialect.run_body() == {"assistant_id": "asst_1"}


async def test_an_assistant_that_cannot_be_read_for_now_is_asked_for_again_with_the_next_message(
    api: mocked_api, session: aiohttp.ClientSession
) -> None:
    dialect = dialect_of(client_of(session, BASE), functions=[WEATHER])
    for _ in range(3):
        api.get(ASSISTANT, status=503)
    api.get(ASSISTANT, payload={"id": "asst_1", "tools": []})

    assert (await play(dialect)).problem == OVERLOADED
    assert (await dialect.run_body())["tools"] == [{"type": "function", "function": WEATHER}]


def test_the_outputs_of_a_round_go_back_together(called: AssistantsApi) -> None:
    outputs = [ToolOutput("call_1", "sunny"), ToolOutput("call_2", "no such tool", ok=False)]

    assert called.outputs("t/1", "r 1", outputs, stream=True) == Call(
        "POST",
        "/threads/t%2F1/runs/r%201/submit_tool_outputs",
        json={
            "tool_outputs": [
                {"tool_call_id": "call_1", "output": "sunny"},
                {"tool_call_id": "call_2", "output": "no such tool"},
            ],
            "stream": True,
        },
        headers=BETA,
        stream=True,
    )


async def test_a_cancel_has_no_body(api: mocked_api, called: AssistantsApi) -> None:
    api.post(f"{RUN}/cancel", payload=rec.run("cancelling"))

    await called.cancel(rec.THREAD, rec.RUN)

    assert asked(api) == [("POST", f"/threads/{rec.THREAD}/runs/{rec.RUN}/cancel", None)]


@pytest.mark.parametrize(("runs", "newest"), [([rec.run("queued")], "queued"), ([], None)])
async def test_the_newest_run_of_a_thread_is_the_first_of_a_list_of_one(
    api: mocked_api, called: AssistantsApi, runs: list[Any], newest: str | None
) -> None:
    api.get(f"{BASE}/threads/{rec.THREAD}/runs?limit=1&order=desc", payload=rec.listed(*runs))

    run = await called.newest_run(rec.THREAD)

    assert (run and run.status) == newest


@pytest.mark.parametrize(
    ("header", "hint"),
    [("500", 0.5), ("0", 0), ("-5", None), ("soon", None), ("1.5", None), ("", None), ("9" * 5000, None)],
)
async def test_a_run_tells_when_to_ask_again(
    api: mocked_api, called: AssistantsApi, header: str, hint: float | None
) -> None:
    api.get(RUN, payload=rec.run("queued"), headers={"openai-poll-after-ms": header})

    run, after = await called.get_run(rec.THREAD, rec.RUN)

    assert (run.status, after) == ("queued", hint)


async def test_all_pages_of_a_run_s_messages_are_read_and_those_of_other_runs_left_out(
    api: mocked_api, called: AssistantsApi
) -> None:
    page = URL(MESSAGES).with_query(limit="100", order="asc", run_id="7")
    mine = rec.message("one", message_id="m1", run_id=7)
    other = rec.message("old", message_id="m0", run_id="run_0")
    last = rec.message("two", message_id="m2", run_id=None)
    api.get(page, payload={**rec.listed(other, mine), "has_more": True})
    api.get(page.update_query(after="m1"), payload=rec.listed(last))

    assert [message.id for message in await called.messages_of_run(rec.THREAD, "7")] == ["m1", "m2"]


async def test_a_server_that_never_stops_listing_is_not_listened_to_for_ever(
    api: mocked_api, called: AssistantsApi
) -> None:
    page = URL(MESSAGES).with_query(limit="100", order="asc", run_id=rec.RUN)
    endless = {**rec.listed(rec.message("again")), "has_more": True}
    api.get(page, payload=endless)
    api.get(page.update_query(after="msg_1"), payload=endless, repeat=True)

    assert len(await called.messages_of_run(rec.THREAD, rec.RUN)) == 10


def error(message: str, code: str | None = None, kind: str = "invalid_request_error") -> Any:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


ERRORS = [
    (400, error("Invalid 'thread_id': 'undefined'. Expected an ID that begins with 'thread'."), REJECTED),
    (400, error("You must provide the 'OpenAI-Beta' header to access…", "invalid_beta"), REJECTED),
    (400, error("Invalid 'content': string too long.", "string_above_max_length"), CONTEXT_TOO_LONG),
    (400, error("Thread thread_abc already has an active run run_Y."), REJECTED),
    (401, error("Incorrect API key provided: sk-canary.", "invalid_api_key"), INVALID_KEY),
    (404, error("No assistant found with id 'asst_1'."), NOT_CONFIGURED),
    (404, {"detail": "Not Found"}, NOT_CONFIGURED),
    (429, error("Rate limit reached for sk-canary", "rate_limit_exceeded", "requests"), RATE_LIMITED),
    (429, error("You exceeded your current quota", "insufficient_quota"), NO_QUOTA),
    (429, error("Slow down", "slow_down", "rate_limit_error"), OVERLOADED),
    (500, error("The server had an error on thread_abc", kind="server_error"), FAILED),
    (503, error("Overloaded", "server_is_overloaded", "service_unavailable_error"), OVERLOADED),
]


def assert_nothing_leaked(played: Played, log: str) -> None:
    assert played.error is not None
    shown = f"{played.error!r} {played.error.cause} {played.error.problem.sentence} {log}"
    for secret in ("sk-canary", "thread_abc", "run_Y", "asst_1", "Hello"):
        assert secret not in shown


@pytest.mark.parametrize(("status", "body", "problem"), ERRORS)
@pytest.mark.parametrize("refused", ["", f"/{rec.THREAD}/runs"])
async def test_a_refused_first_message_is_a_problem_that_gives_nothing_away(
    api: mocked_api,
    polling: AssistantsDialect,
    caplog: pytest.LogCaptureFixture,
    refused: str,
    status: int,
    body: Any,
    problem: Problem,
) -> None:
    caplog.set_level(logging.INFO)
    api.post(f"{BASE}/threads{refused}", status=status, payload=body, repeat=True)
    take_message(api)
    api.get(f"{RUNS}?limit=1&order=desc", payload=rec.listed(), repeat=True)
    api.delete(f"{BASE}/threads/{rec.THREAD}", payload={"deleted": True})

    played = await play(polling)

    assert played.problem == problem
    assert played.events == []
    assert_nothing_leaked(played, caplog.text)


@pytest.mark.parametrize(("status", "body", "problem"), ERRORS)
@pytest.mark.parametrize("refused", ["messages", "runs"])
async def test_a_refused_later_message_is_a_problem_that_gives_nothing_away(
    api: mocked_api,
    polling: AssistantsDialect,
    caplog: pytest.LogCaptureFixture,
    refused: str,
    status: int,
    body: Any,
    problem: Problem,
) -> None:
    caplog.set_level(logging.INFO)
    api.post(f"{BASE}/threads/{rec.THREAD}/{refused}", status=status, payload=body, repeat=True)
    # Where the back end no longer has the thread, it makes no other one either.
    api.post(f"{BASE}/threads", status=status, payload=body, repeat=True)
    take_message(api)
    api.get(f"{RUNS}?limit=1&order=desc", payload=rec.listed(), repeat=True)
    api.get(f"{MESSAGES}?limit=20&order=desc", payload=rec.listed(), repeat=True)
    api.delete(f"{MESSAGES}/{rec.SAID}", payload={"deleted": True})

    played = await play(polling, thread_id=rec.THREAD)

    assert played.problem == problem
    assert_nothing_leaked(played, caplog.text)


@pytest.mark.parametrize("status", ["expired", "queued"])
async def test_outputs_that_a_run_no_longer_takes_are_a_problem(
    api: mocked_api, polling: AssistantsDialect, status: str
) -> None:
    take_message(api)
    api.post(RUNS, payload=rec.run("queued"))
    api.get(RUN, payload=rec.wants(("call_1", "f", "{}")))
    page = URL(MESSAGES).with_query(limit="100", order="asc", run_id=rec.RUN)
    api.get(page, payload=rec.listed())
    refusal = error(f'Runs in status "{status}" do not accept tool outputs.')
    api.post(f"{RUN}/submit_tool_outputs", status=400, payload=refusal)
    api.post(f"{RUN}/cancel", status=400, payload=error(f"Cannot cancel run with status '{status}'."))
    api.get(RUN, payload=rec.run("expired"))

    assert (await play(polling)).problem == REJECTED

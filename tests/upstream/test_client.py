import gzip
import logging
from typing import Any
from urllib.parse import unquote

import aiohttp
import pytest
from aiohttp import hdrs
from aioresponses import aioresponses as mocked_api
from hypothesis import example, given
from hypothesis import strategies as st
from yarl import URL

from deep_chat_proxy.errors import (
    CUT_OFF,
    FAILED,
    INVALID_KEY,
    NO_QUOTA,
    NOT_CONFIGURED,
    OVERLOADED,
    RATE_LIMITED,
    REJECTED,
    TIMED_OUT,
    UNREACHABLE,
    ChatError,
    Problem,
)
from deep_chat_proxy.upstream.client import ApiClient, Call, Endpoint, path
from deep_chat_proxy.upstream.failures import ErrorBody, failure, read_error, stream_failure
from deep_chat_proxy.upstream.reading import UnsentError
from deep_chat_proxy.upstream.sse import ServerEvent
from playing import until
from upstream.backend import Body, Gone, Json, ScriptedBackend, client_of

BASE = "http://backend/v1"
GET = Call("GET", "/x")
POST = Call("POST", "/x", json={"a": 1})
CANCEL = Call("POST", "/x", repeatable=True)
DELETE = Call("DELETE", "/x")
LIMITED = {"error": {"message": "slow", "type": "requests", "code": "rate_limit_exceeded"}}
NO_MONEY = {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}
BUSY = {"error": {"message": "busy", "type": "service_unavailable_error", "code": "server_is_overloaded"}}
BROKEN = {"error": {"message": "broken", "type": "server_error"}}


@pytest.fixture(autouse=True)
def _no_real_waiting(sleeps: list[float]) -> None:
    """No test of this file sleeps."""


@pytest.fixture
async def client(session: aiohttp.ClientSession) -> ApiClient:
    return client_of(session, BASE)


def calls_of(api: mocked_api) -> list[Any]:
    return [call for calls in api.requests.values() for call in calls]


async def problem_of(client: ApiClient, call: Call) -> ChatError:
    with pytest.raises(ChatError) as raised:
        await client.ask(call)
    return raised.value


@pytest.mark.parametrize(
    ("call", "status", "body", "headers", "problem", "waits"),
    [
        (POST, 429, LIMITED, {"Retry-After": "2"}, RATE_LIMITED, [2, 2]),
        (POST, 429, LIMITED, {"Retry-After": "0.5"}, RATE_LIMITED, [0.5, 0.5]),
        (POST, 429, LIMITED, {"Retry-After": "10"}, RATE_LIMITED, [10, 10]),
        (POST, 429, LIMITED, {"Retry-After": "10.1"}, RATE_LIMITED, []),
        (GET, 429, LIMITED, {"Retry-After": "3600"}, RATE_LIMITED, []),
        (POST, 429, LIMITED, {}, RATE_LIMITED, [None, None]),
        (POST, 429, LIMITED, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, RATE_LIMITED, [None, None]),
        (POST, 429, LIMITED, {"Retry-After": "nan"}, RATE_LIMITED, [None, None]),
        (POST, 429, NO_MONEY, {"Retry-After": "1"}, NO_QUOTA, []),
        (GET, 429, NO_MONEY, {}, NO_QUOTA, []),
        (POST, 503, BUSY, {"Retry-After": "1"}, OVERLOADED, [1, 1]),
        (POST, 503, "<html>", {}, OVERLOADED, []),
        (GET, 503, "<html>", {}, OVERLOADED, [None, None]),
        (POST, 500, BROKEN, {}, FAILED, []),
        (POST, 502, "", {"Retry-After": "1"}, FAILED, []),
        (GET, 500, BROKEN, {}, FAILED, [None, None]),
        (DELETE, 500, BROKEN, {}, FAILED, [None, None]),
        (CANCEL, 500, BROKEN, {}, FAILED, [None, None]),
        (GET, 504, "", {}, TIMED_OUT, [None, None]),
        (POST, 504, "", {}, TIMED_OUT, []),
        (GET, 400, {}, {}, REJECTED, []),
        (GET, 401, {}, {}, INVALID_KEY, []),
        (GET, 404, {}, {}, NOT_CONFIGURED, []),
    ],
)
async def test_a_call_is_repeated_only_where_that_cannot_do_a_thing_twice(
    api: mocked_api,
    client: ApiClient,
    sleeps: list[float],
    call: Call,
    status: int,
    body: Any,
    headers: dict[str, str],
    problem: Problem,
    waits: list[float | None],
) -> None:
    answer = {"body": body} if isinstance(body, str) else {"payload": body}
    api.add(f"{BASE}/x", call.method, status=status, headers=headers, repeat=True, **answer)

    fault = await problem_of(client, call)

    assert fault.problem == problem
    assert len(calls_of(api)) == len(waits) + 1
    expected = [given if given is not None else pytest.approx(1.05, abs=1.1) for given in waits]
    assert sleeps == expected


async def test_a_call_that_works_the_second_time_is_answered(
    api: mocked_api, client: ApiClient, sleeps: list[float]
) -> None:
    api.post(f"{BASE}/x", status=429, payload=LIMITED, headers={"Retry-After": "7"})
    api.post(f"{BASE}/x", status=201, payload={"id": 1})

    assert (await client.ask(POST)).body == b'{"id": 1}'
    assert sleeps == [7]


async def test_a_refusal_tells_when_to_ask_again(api: mocked_api, client: ApiClient) -> None:
    api.post(f"{BASE}/x", status=429, payload=LIMITED, headers={"Retry-After": "30"})

    assert (await problem_of(client, POST)).retry_after == 30


@pytest.mark.parametrize("call", [GET, POST, CANCEL, DELETE])
async def test_a_call_that_found_no_connection_is_repeated(
    session: aiohttp.ClientSession, sleeps: list[float], unused_tcp_port: int, call: Call
) -> None:
    client = client_of(session, f"http://127.0.0.1:{unused_tcp_port}", attempts=4)

    fault = await problem_of(client, call)

    assert isinstance(fault, UnsentError)
    assert fault.problem == UNREACHABLE
    assert len(sleeps) == 3


@pytest.mark.parametrize(("call", "tries"), [(GET, 3), (POST, 1), (CANCEL, 3), (DELETE, 3)])
async def test_a_call_whose_answer_never_comes_is_repeated_only_if_that_is_safe(
    backend: ScriptedBackend, session: aiohttp.ClientSession, call: Call, tries: int
) -> None:
    client = client_of(session, backend.base_url, answer=0.05)
    backend.on(".*", Body((), end="stall"))

    fault = await problem_of(client, call)

    assert fault.problem == TIMED_OUT
    assert len(backend.requests) == tries


async def test_a_post_whose_connection_breaks_is_not_repeated(
    backend: ScriptedBackend, session: aiohttp.ClientSession
) -> None:
    backend.on(".*", Gone())

    assert (await problem_of(client_of(session, backend.base_url), POST)).problem == UNREACHABLE
    assert len(backend.requests) == 1


async def test_an_answer_that_breaks_off_is_asked_for_again_where_that_is_safe(
    backend: ScriptedBackend, session: aiohttp.ClientSession
) -> None:
    client = client_of(session, backend.base_url)
    backend.on("GET /x", Body((b'{"id"',), end="cut"), Json({"id": 1}))
    backend.on("POST /x", Body((b'{"id"',), end="cut"))

    assert (await client.ask(GET)).body == b'{"id": 1}'
    assert (await problem_of(client, POST)).problem == CUT_OFF
    assert backend.lines == ["GET /x", "GET /x", "POST /x"]


async def test_headers_query_and_base_url_go_with_every_call(
    api: mocked_api, session: aiohttp.ClientSession
) -> None:
    endpoint = Endpoint(
        base_url="https://me.example/openai",
        headers={"api-key": "sk-canary", "x-extra": "1"},
        query={"api-version": "2025-01-01-preview"},
    )
    url = URL("https://me.example/openai/threads/t/runs?api-version=2025-01-01-preview&limit=1")
    api.get(url, payload={})

    await ApiClient(session, endpoint).ask(
        Call("GET", path("threads", "t", "runs"), query={"limit": "1"}, headers={"OpenAI-Beta": "b"})
    )

    (call,) = calls_of(api)
    assert call.kwargs["headers"] == {"api-key": "sk-canary", "x-extra": "1", "OpenAI-Beta": "b"}
    assert not call.kwargs["allow_redirects"]


async def test_a_stream_is_asked_for_as_events_that_are_not_compressed(
    backend: ScriptedBackend, session: aiohttp.ClientSession
) -> None:
    backend.on("POST /x", Body((b"data: 1\n\n", b"data: 2\n\n", b"data: 3")))
    client = client_of(session, backend.base_url)

    async with client.open(Call("POST", "/x", json={"stream": True}, stream=True)) as response:
        with client.events(response) as stream:
            events = []
            while batch := await stream.next():
                events += batch

    assert events == [ServerEvent("", b"1"), ServerEvent("", b"2"), ServerEvent("", b"3")]
    (seen,) = backend.requests
    assert (seen.headers["accept"], seen.headers["accept-encoding"]) == ("text/event-stream", "identity")
    assert (seen.headers["content-type"], seen.json) == ("application/json", {"stream": True})
    assert seen.headers["authorization"] == "Bearer sk-canary"


async def test_a_redirect_is_refused_and_the_key_goes_nowhere_else(
    backend: ScriptedBackend, session: aiohttp.ClientSession
) -> None:
    backend.on("GET /x", Json({}, 307, {hdrs.LOCATION: f"{backend.base_url}/elsewhere"}))

    assert (await problem_of(client_of(session, backend.base_url), GET)).problem == NOT_CONFIGURED
    assert backend.lines == ["GET /x"]


async def test_an_answer_longer_than_the_limit_is_refused_at_once(
    backend: ScriptedBackend, session: aiohttp.ClientSession
) -> None:
    client = client_of(session, backend.base_url, max_answer=100)
    backend.on("GET /x", Body((b"x" * 100,)), Body((b"x" * 60, b"y" * 41)))

    assert len((await client.ask(GET)).body) == 100
    assert (await problem_of(client, GET)).problem == FAILED
    assert len(backend.requests) == 2


async def test_a_compressed_answer_counts_at_its_full_length(
    backend: ScriptedBackend, session: aiohttp.ClientSession
) -> None:
    client = client_of(session, backend.base_url, max_answer=1_000_000)
    bomb = gzip.compress(b"0" * 5_000_000)
    backend.on("GET /x", Body((bomb,), headers={"Content-Encoding": "gzip"}))

    assert (await problem_of(client, GET)).problem == FAILED


async def test_an_event_longer_than_the_limit_ends_the_stream(
    backend: ScriptedBackend, session: aiohttp.ClientSession
) -> None:
    client = client_of(session, backend.base_url, max_event=100)
    backend.on("POST /x", Body((b"data: 1\n\n", b"data: " + b"x" * 95)))

    async with client.open(POST) as response:
        with client.events(response) as stream:
            assert await stream.next() == [ServerEvent("", b"1")]
            with pytest.raises(ChatError, match="failed"):
                await stream.next()


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"id": 1', b"\xff", b"[1]", b"[" * 100_000])
async def test_an_answer_that_is_not_what_was_asked_for_is_an_error(
    backend: ScriptedBackend, session: aiohttp.ClientSession, body: bytes
) -> None:
    backend.on("GET /x", Body((body,), content_type="application/json"))
    reply = await client_of(session, backend.base_url).ask(GET)

    with pytest.raises(ChatError) as raised:
        reply.into(Endpoint)
    assert raised.value.problem == FAILED


async def test_an_error_that_comes_in_pieces_is_read_whole(
    backend: ScriptedBackend, session: aiohttp.ClientSession
) -> None:
    backend.on("GET /x", Body((b'{"error": {"code": "insuf', b'ficient_quota"}}'), status=429))

    assert (await problem_of(client_of(session, backend.base_url), GET)).problem == NO_QUOTA


@pytest.mark.parametrize("end", ["cut", "stall"])
async def test_an_error_whose_body_is_lost_is_known_by_its_status(
    backend: ScriptedBackend, session: aiohttp.ClientSession, end: str
) -> None:
    backend.on("POST /x", Body((b'{"error": ',), status=401, end=end))
    client = client_of(session, backend.base_url, answer=0.05)

    assert (await problem_of(client, POST)).problem == INVALID_KEY


async def test_an_endless_error_is_not_read_to_its_end(
    backend: ScriptedBackend, session: aiohttp.ClientSession
) -> None:
    backend.on("POST /x", Body((b"x" * 70_000,), status=401, end="stall"))

    assert (await problem_of(client_of(session, backend.base_url), POST)).problem == INVALID_KEY


async def test_what_a_back_end_says_stays_out_of_the_error_and_the_log(
    backend: ScriptedBackend, session: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    said = {"message": "sk-canary thread_abc", "type": "a\nb", "code": "c d"}
    backend.on("GET /x", Json({"error": said}, 500, {"x-request-id": "req 1"}))

    fault = await problem_of(client_of(session, backend.base_url), GET)

    assert fault.cause == "back end answered 500 type=? code=other request=?"
    for shown in (fault.problem.sentence, str(fault), repr(fault), caplog.text):
        assert "canary" not in shown
        assert "thread_abc" not in shown


@pytest.mark.parametrize(
    ("status", "body", "problem"),
    [
        (400, b'{"error": {"code": "context_length_exceeded"}}', "context_too_long"),
        (400, b'{"error": {"message": "This model\'s maximum context length is 8192"}}', "context_too_long"),
        (400, b'{"error": {"code": "string_above_max_length"}}', "context_too_long"),
        (413, b"", "context_too_long"),
        (400, b'{"error": {"code": "content_filter"}}', "content_filter"),
        (400, b'{"error": {"code": "content_policy_violation"}}', "content_filter"),
        (404, b'{"error": {"code": "model_not_found"}}', "not_configured"),
        (429, b'{"error": {"type": "insufficient_quota", "code": null}}', "no_quota"),
        (429, b'{"error": "slow down"}', "rate_limited"),
        (429, b'{"error": {"code": 429}}', "rate_limited"),
        (429, b'{"error": {"code": "slow_down", "type": "rate_limit_error"}}', "overloaded"),
        (403, b'{"detail": "Forbidden"}', "invalid_key"),
        (422, b'{"detail": [{"msg": "field required"}]}', "rejected"),
        (529, b"", "overloaded"),
        (500, b"Internal Server Error", "failed"),
        (418, b"\xff\xfe", "rejected"),
        (301, b"", "not_configured"),
    ],
)
def test_every_refusal_means_one_problem(status: int, body: bytes, problem: str) -> None:
    assert failure(status, {}, body).problem.code == problem


def test_a_quota_that_is_used_up_in_mid_answer_is_not_taken_for_a_rate_limit() -> None:
    message = "You exceeded your current quota, please check your plan and billing details."

    assert stream_failure(ErrorBody(message, "", "rate_limit_exceeded")).problem == NO_QUOTA


@given(st.integers(300, 599), st.text(max_size=20), st.binary(max_size=60))
@example(429, "inf", b"")
@example(429, "-1", b"")
def test_a_refusal_of_any_form_is_an_error(status: int, retry_after: str, body: bytes) -> None:
    fault = failure(status, {"Retry-After": retry_after}, body)

    assert fault.retry_after is None or 0 <= fault.retry_after < float("inf")


def test_an_error_nested_without_end_is_an_error() -> None:
    assert read_error(b'{"error":' * 100_000) == ErrorBody()
    assert isinstance(read_error(b'{"error":' * 900 + b"1" + b"}" * 900), ErrorBody)


@given(st.lists(st.text(min_size=1).filter(lambda text: text not in {".", ".."}), min_size=1, max_size=3))
def test_ids_of_any_form_stay_one_segment_of_the_path(segments: list[str]) -> None:
    url = URL(BASE + path(*segments))

    assert [unquote(part) for part in url.raw_path.split("/")[2:]] == segments
    assert not url.query_string


@pytest.mark.parametrize("end", ["cut", "reset"])
async def test_what_came_before_a_connection_broke_is_read_before_that_is_told(
    backend: ScriptedBackend, session: aiohttp.ClientSession, end: str
) -> None:
    backend.on("GET /stream", Body([b"data: one\n\n", b"data: two\n\n"], end=end))
    client = client_of(session, backend.base_url)
    async with client.open(Call("GET", "/stream", stream=True)) as response:
        # Nothing is read until it is over.
        await until(response.content.exception)
        chunks = client.chunks(response)
        read = await anext(chunks)
        with pytest.raises(ChatError) as raised:
            await anext(chunks)

    assert read == b"data: one\n\ndata: two\n\n"
    assert raised.value.problem is CUT_OFF

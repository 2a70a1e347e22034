"""What is common to all requests: headers, CORS, odd paths, and that nothing brings the server down."""

import asyncio
import json
import os
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deep_chat_proxy.local_openai import run_local_openai
from local_openai.wire import FAST, WEATHER_TOOL, Local, thread_and_run

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
PATHS = [
    "/threads",
    "/threads/runs",
    "/threads/{t}",
    "/threads/{t}/messages",
    "/threads/{t}/runs",
    "/threads/{t}/runs/{r}",
    "/threads/{t}/runs/{r}/submit_tool_outputs",
    "/threads/{t}/runs/{r}/cancel",
    "/assistants",
    "/assistants/asst_local",
    "/files",
]
FIELDS = [
    "assistant_id", "thread", "messages", "role", "content", "attachments", "metadata", "tool_outputs", "stream",
    "tools", "tool_choice", "instructions", "model", "temperature", "truncation_strategy", "additional_messages",
]  # fmt: skip
LIKELY = st.sampled_from([
    "asst_local", "user", "hello", "weather in Paris", True, WEATHER_TOOL, [WEATHER_TOOL], "required",
    {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": 3, "required": [1]}}},
    [{"role": "user", "content": "call f"}], {"messages": [{"role": "user", "content": "hello"}]},
])  # fmt: skip
BODIES = st.dictionaries(st.sampled_from(FIELDS), LIKELY | JSON, max_size=5) | JSON


async def test_the_double_slash_of_deep_chats_direct_connection_is_tolerated(local: Local) -> None:
    status, run = await local.call("POST", "//threads/runs", thread_and_run("Hello"))
    await local.until_status(run["thread_id"], run["id"], "completed")

    assert status == 200
    assert (await local.call("GET", f"//threads/{run['thread_id']}/messages?order=desc"))[0] == 200


async def test_a_page_on_another_origin_may_talk_to_it(local: Local) -> None:
    asked = {
        "Origin": "https://example.org",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,openai-beta",
    }
    async with (
        aiohttp.ClientSession() as http,
        http.options(f"{local.base_url}/threads/runs", headers=asked) as response,
    ):
        preflight = response.headers
        assert response.status == 204
    async with local.http.post(
        f"{local.base_url}/threads/runs", json={**thread_and_run("Hello"), "stream": True}
    ) as response:
        stream = response.headers

    assert preflight["Access-Control-Allow-Headers"] == "authorization,content-type,openai-beta"
    assert "POST" in preflight["Access-Control-Allow-Methods"]
    assert preflight["Access-Control-Allow-Origin"] == stream["Access-Control-Allow-Origin"] == "*"


async def test_answers_carry_the_headers_of_openai(local: Local) -> None:
    async with local.http.post(f"{local.base_url}/threads/runs", json=thread_and_run("hang")) as response:
        headers = response.headers
    async with local.http.get(f"{local.base_url}/nothing") as response:
        on_error = response.headers

    assert headers["openai-poll-after-ms"] == "5"
    for each in (headers, on_error):
        assert each["x-request-id"].startswith("req_")
        assert int(each["openai-processing-ms"]) >= 0
        assert each["openai-version"]


async def test_the_state_remembers_the_requests(local: Local) -> None:
    await local.call("GET", "/models")

    assert list(local.state.requests) == [("GET", "/v1/models")]


async def test_it_serves_by_itself_until_it_is_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="deep_chat_proxy.local_openai")
    ready = asyncio.Event()
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        serving = group.create_task(run_local_openai("127.0.0.1", 0, FAST, ready=ready))
        await ready.wait()
        base_url = caplog.messages[-1].partition(" at ")[2]
        async with (
            aiohttp.ClientSession(headers={"Authorization": "Bearer x"}) as http,
            http.get(f"{base_url}/models") as response,
        ):
            answer = await response.json()
        serving.cancel()

    assert answer["data"][0]["id"] == "local-1"


@settings(
    max_examples=int(os.environ.get("BODY_EXAMPLES", "200")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.tuples(st.sampled_from(PATHS), BODIES), min_size=1, max_size=10))
def test_no_request_body_gives_a_server_error(requests: list[tuple[str, Any]]) -> None:
    asyncio.run(_all_answered(requests))


async def _all_answered(requests: list[tuple[str, Any]]) -> None:
    async with Local.running(FAST) as local:
        _, run = await local.call(
            "POST", "/threads/runs", {**thread_and_run("weather in Rome"), "tools": [WEATHER_TOOL]}
        )
        for path, body in requests:
            url = local.base_url + path.replace("{t}", run["thread_id"]).replace("{r}", run["id"])
            async with (
                asyncio.timeout(10),
                local.http.post(
                    url, data=json.dumps(body), headers={"Content-Type": "application/json"}
                ) as response,
            ):
                text = await response.text()
            assert response.status < 500, text
        failed = [kept.run for thread in local.state.threads.values() for kept in thread.runs.values()]
        assert [one for one in failed if one.last_error is not None] == []


@settings(max_examples=50, deadline=None)
@given(
    st.binary(max_size=300),
    st.sampled_from(["multipart/form-data; boundary=x", "multipart/form-data", "x/y"]),
)
def test_no_upload_gives_a_server_error(raw: bytes, content_type: str) -> None:
    asyncio.run(_upload_answered(raw, content_type))


async def _upload_answered(raw: bytes, content_type: str) -> None:
    async with Local.running(FAST) as local:
        for body in (raw, b'--x\r\nContent-Disposition: form-data; name="file"\r\n' + raw + b"\r\n--x--\r\n"):
            async with (
                asyncio.timeout(10),
                local.http.post(
                    f"{local.base_url}/files", data=body, headers={"Content-Type": content_type}
                ) as response,
            ):
                text = await response.text()
            assert 400 <= response.status < 500, text

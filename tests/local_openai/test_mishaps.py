"""Whatever can go wrong at a real back end, asked for by name; every event on the way is checked."""

import asyncio
from typing import Any

import pytest
from openai import APIStatusError, RateLimitError

from local_openai.phrases import QUIET, examples
from local_openai.wire import WEATHER_TOOL, Local, ids, last, names, said, thread_and_run

pytestmark = pytest.mark.filterwarnings("ignore:The Assistants API is deprecated:DeprecationWarning")


@pytest.mark.parametrize("example", [one for one in examples() if one not in QUIET])
async def test_everything_that_help_names_gives_a_stream_that_the_sdk_understands(
    local: Local, example: str
) -> None:
    events = await local.ask(
        example, tools=[WEATHER_TOOL, {"type": "code_interpreter"}, {"type": "file_search"}]
    )

    assert names(events)[-1] in {"done", "error"}
    assert names(events).count("thread.run.created") == 1


@pytest.mark.parametrize(
    ("text", "ending", "message", "code"),
    [
        ("fail", "failed", "run_failed", "server_error"),
        ("fail at once", "failed", None, "server_error"),
        ("Please fail with a rate limit!", "failed", None, "rate_limit_exceeded"),
        ("run out of quota", "failed", None, "rate_limit_exceeded"),
        ("stop short", "incomplete", "max_tokens", None),
        ("content filter", "incomplete", "content_filter", None),
        ("expire", "expired", "run_expired", None),
        ("say nothing", "completed", None, None),
    ],
)
async def test_a_run_ends_as_it_was_asked_to(
    local: Local, text: str, ending: str, message: str | None, code: str | None
) -> None:
    events = await local.ask(text)
    run = last(events, f"thread.run.{ending}")
    thread_id, run_id = ids(events)
    _, messages = await local.call("GET", f"/threads/{thread_id}/messages?run_id={run_id}")

    assert names(events)[-2:] == [f"thread.run.{ending}", "done"]
    assert (run["last_error"] or {}).get("code") == code
    reasons = [one["incomplete_details"]["reason"] for one in messages["data"]]
    assert reasons == ([message] if message else [])
    assert (local.state.active_runs(), run["usage"]["total_tokens"] > 0) == ([], True)


async def test_a_run_that_stops_short_says_that_it_ran_out_of_tokens(local: Local) -> None:
    run = last(await local.ask("stop short"), "thread.run.incomplete")

    assert run["incomplete_details"] == {"reason": "max_completion_tokens"}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 500, 502, 503, 504])
async def test_a_request_is_refused_with_the_status_that_was_asked_for(local: Local, status: int) -> None:
    thread = await local.client.beta.threads.create(messages=[{"role": "user", "content": f"http {status}"}])
    with pytest.raises(APIStatusError) as refused:
        await local.client.beta.threads.runs.create(thread_id=thread.id, assistant_id="asst_local")

    assert refused.value.status_code == status
    assert local.state.threads[thread.id].runs == {}


async def test_a_rate_limit_tells_when_to_come_back_and_an_exhausted_quota_does_not(local: Local) -> None:
    errors = []
    for text in ("http 429", "no quota"):
        with pytest.raises(RateLimitError) as refused:
            await local.client.beta.threads.create_and_run(
                assistant_id="asst_local", thread={"messages": [{"role": "user", "content": text}]}
            )
        errors.append((refused.value.code, refused.value.response.headers.get("retry-after")))

    assert errors == [("rate_limit_exceeded", "1"), ("insufficient_quota", None)]
    assert local.state.threads == {}


@pytest.mark.parametrize("new_thread", [True, False])
async def test_once_means_that_the_second_try_works(local: Local, new_thread: bool) -> None:
    path, body = "/threads/runs", thread_and_run("http 429 once")
    if not new_thread:
        _, thread = await local.call("POST", "/threads", body["thread"])
        path, body = f"/threads/{thread['id']}/runs", {"assistant_id": "asst_local"}
    statuses = [(await local.call("POST", path, body))[0] for _ in range(2)]

    assert statuses == [429, 200]


async def test_an_error_event_ends_the_stream_and_fails_the_run(local: Local) -> None:
    events = await local.ask("error event")
    thread_id, run_id = ids(events)

    assert names(events)[-2:] == ["thread.message.delta", "error"]
    assert (await local.until_status(thread_id, run_id, "failed"))["last_error"]["code"] == "server_error"


async def test_a_connection_that_is_cut_leaves_a_run_that_completes(local: Local) -> None:
    events = await local.cut_stream("/threads/runs", thread_and_run("cut the connection"))
    await local.until_status(*ids(events), "completed")

    assert names(events)[-1] == "thread.message.delta"


async def test_a_hang_at_once_opens_a_stream_without_a_single_event(local: Local) -> None:
    body = {**thread_and_run("hang at once"), "stream": True}
    async with asyncio.timeout(10), local.http.post(f"{local.base_url}/threads/runs", json=body) as response:
        (run,) = local.state.active_runs()
        await local.until_status(run.thread_id, run.id, "in_progress")
        await local.call("POST", f"/threads/{run.thread_id}/runs/{run.id}/cancel")
        text = await response.text()

    assert (response.status, text) == (200, "event: done\ndata: [DONE]\n\n")


async def test_a_silence_can_be_asked_for(local: Local) -> None:
    assert "1 2" in said(await local.ask("wait 0.05 seconds, then count to 2"))


async def test_a_refusal_is_a_part_of_its_own(local: Local) -> None:
    message = last(await local.ask("refuse"), "thread.message.completed")

    assert [part["type"] for part in message["content"]] == ["refusal"]
    assert message["content"][0]["refusal"].startswith("I am sorry")


async def test_two_messages_are_two_messages(local: Local) -> None:
    events = await local.ask("two messages")
    thread_id, run_id = ids(events)
    _, messages = await local.call("GET", f"/threads/{thread_id}/messages?run_id={run_id}&order=asc")

    texts = [message["content"][0]["text"]["value"] for message in messages["data"]]
    assert texts == ["This is the first message.", "And this is the second one."]


async def test_talk_about_failing_does_not_fail(local: Local) -> None:
    events: list[Any] = await local.ask("I fail to see why http 500 is so common")

    assert names(events)[-2] == "thread.run.completed"

"""Runs that are stopped, and runs whose time is over."""

import asyncio
from typing import Any

import pytest

from deep_chat_proxy.local_openai import LocalOptions
from local_openai.wire import WEATHER_TOOL, Local, StartLocal, events_in, ids, last, names, thread_and_run

TOOLS: Any = [WEATHER_TOOL]


async def test_a_run_that_is_cancelled_in_the_middle_leaves_an_incomplete_message(local: Local) -> None:
    async with (
        asyncio.timeout(10),
        local.http.post(
            f"{local.base_url}/threads/runs", json={**thread_and_run("slowly count to 50"), "stream": True}
        ) as response,
    ):
        lines = []
        while b"event: thread.message.delta\n" not in lines:
            lines.append(await response.content.readline())
        (run,) = local.state.active_runs()
        status, cancelling = await local.call("POST", f"/threads/{run.thread_id}/runs/{run.id}/cancel")
        events = events_in((b"".join(lines) + await response.read()).decode())

    assert (status, cancelling["status"]) == (200, "cancelling")
    assert names(events)[-6:] == [
        "thread.message.delta",
        "thread.run.cancelling",
        "thread.message.incomplete",
        "thread.run.step.cancelled",
        "thread.run.cancelled",
        "done",
    ]
    message = last(events, "thread.message.incomplete")
    assert message["incomplete_details"] == {"reason": "run_cancelled"}
    assert message["content"][0]["text"]["value"].startswith("1")
    assert last(events, "thread.run.cancelled")["cancelled_at"] is not None


async def test_a_run_that_waits_for_outputs_can_be_cancelled_and_the_thread_goes_on(local: Local) -> None:
    thread_id, run_id = ids(await local.ask("weather in Paris", tools=TOOLS))
    await local.call("POST", f"/threads/{thread_id}/runs/{run_id}/cancel")
    run = await local.until_status(thread_id, run_id, "cancelled")
    status, _ = await local.call(
        "POST", f"/threads/{thread_id}/messages", {"role": "user", "content": "Hello"}
    )

    assert run["required_action"] is None
    assert status == 200


async def test_a_run_that_hangs_can_be_cancelled(local: Local) -> None:
    _, run = await local.call("POST", "/threads/runs", thread_and_run("hang"))
    await local.until_status(run["thread_id"], run["id"], "in_progress")
    await local.call("POST", f"/threads/{run['thread_id']}/runs/{run['id']}/cancel")

    await local.until_status(run["thread_id"], run["id"], "cancelled")


@pytest.mark.parametrize("text", ["Hello", "fail"])
async def test_a_run_that_has_ended_cannot_be_cancelled(local: Local, text: str) -> None:
    events = await local.ask(text)
    thread_id, run_id = ids(events)
    status, answer = await local.call("POST", f"/threads/{thread_id}/runs/{run_id}/cancel")

    ended = events[-2][1]["status"]
    assert (status, answer["error"]["message"]) == (400, f"Cannot cancel run with status '{ended}'.")


async def test_a_run_that_is_being_cancelled_cannot_be_cancelled_again(local: Local) -> None:
    _, run = await local.call("POST", "/threads/runs", thread_and_run("hang"))
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/cancel"
    answers = await asyncio.gather(local.call("POST", path), local.call("POST", path))

    assert sorted(status for status, _ in answers) == [200, 400]


async def test_a_run_whose_outputs_do_not_come_expires_and_then_refuses_them(start_local: StartLocal) -> None:
    local = await start_local(LocalOptions(token_delay=0, run_ttl=0.2))
    events = await local.ask("weather in Paris", tools=TOOLS)
    thread_id, run_id = ids(events)
    await local.until_status(thread_id, run_id, "expired")
    call = last(events, "thread.run.requires_action")["required_action"]["submit_tool_outputs"]["tool_calls"][
        0
    ]
    status, answer = await local.call(
        "POST",
        f"/threads/{thread_id}/runs/{run_id}/submit_tool_outputs",
        {"tool_outputs": [{"tool_call_id": call["id"], "output": "late"}]},
    )
    _, steps = await local.call("GET", f"/threads/{thread_id}/runs/{run_id}/steps")

    assert (status, answer["error"]["message"]) == (
        400,
        'Runs in status "expired" do not accept tool outputs.',
    )
    assert steps["data"][0]["status"] == "expired"
    assert "done" in names(
        await local.stream(f"/threads/{thread_id}/runs", {"assistant_id": "asst_local", "tools": []})
    )


async def test_a_stream_that_hangs_ends_when_the_run_expires(start_local: StartLocal) -> None:
    local = await start_local(LocalOptions(token_delay=0, run_ttl=0.2))
    events = await local.ask("hang")

    assert names(events)[-2:] == ["thread.run.expired", "done"]


async def test_the_expiry_of_a_run_is_told_beforehand(local: Local) -> None:
    run = last(await local.ask("Hello"), "thread.run.created")

    assert run["expires_at"] == run["created_at"] + 600


async def test_the_end_of_the_server_ends_the_streams(local: Local) -> None:
    async def end_once_it_hangs() -> None:
        async with asyncio.timeout(10):
            while not (runs := local.state.active_runs()) or runs[0].status != "in_progress":
                await local.call("GET", "/models")
        await local.state.close()

    events, _ = await asyncio.gather(
        local.cut_stream("/threads/runs", thread_and_run("hang")), end_once_it_hangs()
    )

    assert names(events)[-1] == "thread.run.in_progress"

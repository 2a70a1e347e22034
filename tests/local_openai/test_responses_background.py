"""Responses in the background: polled, followed, followed again after a break, cancelled."""

import asyncio

import pytest

from deep_chat_proxy.local_openai import LocalOptions
from local_openai.responses_wire import (
    asking,
    conversation_items,
    conversation_with,
    create,
    cut_stream,
    ended,
    events_in,
    followed,
    kinds,
    opened,
    refused,
    said,
    stream,
    streamed_text,
    until,
    until_idle,
    until_status,
)
from local_openai.wire import WAIT, Local, StartLocal

BACKGROUND = {"background": True}


async def test_the_sdk_polls_a_response_to_its_end(local: Local) -> None:
    response = await local.client.responses.create(model="local-1", input="Hello", background=True)
    first = response.status
    async with asyncio.timeout(WAIT):
        while response.status in {"queued", "in_progress"}:
            response = await local.client.responses.retrieve(response.id)

    assert (first, response.status, response.background) == ("queued", "completed", True)
    assert response.output_text.startswith("Hello!")


async def test_its_stream_begins_in_the_queue(local: Local) -> None:
    events = await stream(local, asking("Hello", **BACKGROUND))

    assert kinds(events)[:3] == ["created", "queued", "in_progress"]
    assert [event["response"]["status"] for event in events[:3]] == ["queued", "queued", "in_progress"]


async def test_a_stream_that_breaks_goes_on_where_it_stopped(local: Local) -> None:
    before = await cut_stream(local, asking("cut the connection", **BACKGROUND))
    response_id = before[0]["response"]["id"]
    after = await followed(local, response_id, before[-1]["sequence_number"])
    again = await followed(local, response_id)

    assert after[0]["sequence_number"] == before[-1]["sequence_number"] + 1
    assert before + after == again
    assert streamed_text(again) == said(ended(after))
    assert said(ended(after)).endswith("and here it ends.")


async def test_a_client_that_goes_away_does_not_stop_it(local: Local) -> None:
    async with opened(local, asking("wait 0.2 seconds, then count to 3", **BACKGROUND)) as response:
        events = await until(response, "response.in_progress")

    assert said(await until_status(local, events[0]["response"]["id"], "completed")) == "1 2 3 "


async def test_the_sdk_follows_a_response_again(local: Local) -> None:
    async with asyncio.timeout(WAIT):
        made = await local.client.responses.create(
            model="local-1", input="count to 5", background=True, stream=True
        )
        numbers = []
        async for event in made:
            numbers.append(event.sequence_number)
            if event.type == "response.created":
                response_id = event.response.id
        again = await local.client.responses.retrieve(response_id, stream=True, starting_after=4)
        rest = [event.sequence_number async for event in again]

    assert rest == numbers[5:]


async def test_cancelling_stops_it_and_may_be_repeated(local: Local) -> None:
    conversation_id = await conversation_with(local)
    body = asking("slowly count to 500", conversation=conversation_id, **BACKGROUND)
    async with opened(local, body) as response:
        events = await until(response, "response.output_text.delta")
        response_id = events[0]["response"]["id"]
        cancelled = await local.client.responses.cancel(response_id)
        rest = await response.text()
    again = await local.client.responses.cancel(response_id)
    _, kept = await local.call("GET", f"/responses/{response_id}")

    assert (cancelled.status, again.status, kept["status"]) == ("cancelled",) * 3
    assert kept["output"][0]["status"] == "incomplete"
    assert said(kept).startswith("1")
    assert not any(event["type"] in {"response.completed", "response.failed"} for event in events_in(rest))
    assert await conversation_items(local, conversation_id) == []
    assert said(await create(local, "Hello", conversation=conversation_id))


async def test_a_response_that_hangs_can_be_cancelled(local: Local) -> None:
    made = await create(local, "hang", **BACKGROUND)
    await until_status(local, made["id"], "in_progress")
    await local.call("POST", f"/responses/{made['id']}/cancel")
    await until_idle(local)

    assert (await until_status(local, made["id"], "cancelled"))["error"] is None


async def test_a_response_that_has_ended_is_given_back_by_cancelling(local: Local) -> None:
    made = await create(local, "Hello", **BACKGROUND)
    await until_status(local, made["id"], "completed")
    status, answer = await local.call("POST", f"/responses/{made['id']}/cancel")

    assert (status, answer["status"]) == (200, "completed")


async def test_a_response_in_the_foreground_cannot_be_cancelled(local: Local) -> None:
    made = await create(local, "Hello")
    status, answer = await local.call("POST", f"/responses/{made['id']}/cancel")

    assert (status, answer["error"]["message"]) == (400, "Cannot cancel a synchronous response.")


async def test_a_response_that_is_deleted_while_it_is_made_ends(local: Local) -> None:
    made = await create(local, "hang", **BACKGROUND)
    await local.call("DELETE", f"/responses/{made['id']}")
    await until_idle(local)

    assert (await local.call("GET", f"/responses/{made['id']}"))[0] == 404


async def test_the_background_needs_store(local: Local) -> None:
    status, error = await refused(local, asking("Hello", store=False, **BACKGROUND))

    assert (status, error["param"]) == (400, "background")


async def test_nothing_can_follow_a_response_that_goes_on(local: Local) -> None:
    made = await create(local, "hang", **BACKGROUND)
    status, error = await refused(local, asking("Hello", previous_response_id=made["id"]))

    assert (status, error["param"]) == (400, "previous_response_id")


async def test_a_failed_response_tells_why(local: Local) -> None:
    made = await create(local, "error event", **BACKGROUND)
    response = await until_status(local, made["id"], "failed")

    assert response["error"]["code"] == "server_error"
    assert response["output"][0]["status"] == "incomplete"


@pytest.mark.parametrize("settings", [{}, BACKGROUND])
async def test_only_what_was_streamed_in_the_background_can_be_streamed_again(
    local: Local, settings: dict[str, bool]
) -> None:
    made = await create(local, "Hello", **settings)
    status, answer = await local.call("GET", f"/responses/{made['id']}?stream=true")

    assert status == 400
    assert "cannot be streamed" in answer["error"]["message"]


@pytest.mark.parametrize("after", ["x", "-2", "9999999999", "²"])
async def test_a_stream_begins_after_the_number_of_an_event(local: Local, after: str) -> None:
    events = await stream(local, asking("Hello", **BACKGROUND))
    path = f"/responses/{events[0]['response']['id']}?stream=true&starting_after={after}"

    assert (await local.call("GET", path))[0] == 400


async def test_after_some_minutes_it_can_be_streamed_no_more(start_local: StartLocal) -> None:
    local = await start_local(LocalOptions(token_delay=0, resume_ttl=0.001))
    events = await stream(local, asking("Hello", **BACKGROUND))
    await stream(local, asking("Hello", **BACKGROUND))
    response_id = events[0]["response"]["id"]
    status, answer = await local.call("GET", f"/responses/{response_id}?stream=true")

    assert status == 400
    assert answer["error"]["message"].startswith("Response can no longer be streamed")
    assert (await local.call("GET", f"/responses/{response_id}"))[1]["status"] == "completed"

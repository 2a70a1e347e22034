"""Whatever can go wrong at a real back end, as Responses shows it; every event on the way is checked."""

from typing import Any

import aiohttp
import pytest
from openai import APIStatusError, RateLimitError
from openai.types.responses import Response

from local_openai.phrases import QUIET, examples
from local_openai.responses_wire import (
    ALL_TOOLS,
    ENDS,
    EVERYTHING,
    ask,
    asking,
    conversation_items,
    conversation_with,
    create,
    cut_stream,
    ended,
    kinds,
    opened,
    outputs,
    said,
    stream,
    until,
    until_idle,
    until_status,
)
from local_openai.wire import Local


@pytest.mark.parametrize("example", [one for one in examples() if one not in QUIET])
async def test_everything_that_help_names_gives_a_stream_and_items_that_the_sdk_understands(
    local: Local, example: str
) -> None:
    conversation_id = await conversation_with(local)
    settings: dict[str, Any] = {
        "conversation": conversation_id,
        "tools": ALL_TOOLS,
        "include": EVERYTHING,
    }
    events = await ask(local, example, **settings)
    while events[-1]["type"] == "response.completed" and (answer := outputs(ended(events))):
        events = await stream(local, {"model": "local-1", "input": answer, **settings})

    assert events[-1]["type"] in ENDS
    assert kinds(events).count("created") == 1
    await conversation_items(local, conversation_id, "&".join(f"include[]={one}" for one in EVERYTHING))
    assert local.state.active_responses() == []


@pytest.mark.parametrize("example", [one for one in examples() if one not in QUIET])
async def test_everything_that_help_names_gives_a_whole_response_too(local: Local, example: str) -> None:
    response = await create(local, example, tools=ALL_TOOLS, include=EVERYTHING)

    assert Response.model_validate(response).status in {"completed", "incomplete", "failed"}


@pytest.mark.parametrize(
    ("text", "status", "reason", "code"),
    [
        ("fail", "failed", None, "server_error"),
        ("fail at once", "failed", None, "server_error"),
        ("fail with a rate limit", "failed", None, "rate_limit_exceeded"),
        ("run out of quota", "failed", None, "rate_limit_exceeded"),
        ("expire", "failed", None, "server_error"),
        ("stop short", "incomplete", "max_output_tokens", None),
        ("content filter", "incomplete", "content_filter", None),
        ("say nothing", "completed", None, None),
    ],
)
@pytest.mark.parametrize("streamed", [True, False])
async def test_a_response_ends_as_it_was_asked_to(
    local: Local, text: str, status: str, reason: str | None, code: str | None, streamed: bool
) -> None:
    response = ended(await ask(local, text)) if streamed else await create(local, text)
    _, again = await local.call("GET", f"/responses/{response['id']}")

    assert response["status"] == status
    assert (response["incomplete_details"] or {}).get("reason") == reason
    assert (response["error"] or {}).get("code") == code
    assert (response["completed_at"] is not None) is (status == "completed")
    assert again == response


async def test_a_cut_answer_closes_what_was_open_and_a_failed_one_does_not(local: Local) -> None:
    cut = await ask(local, "stop short")
    failed = await ask(local, "fail")

    assert kinds(cut)[-4:] == ["output_text.done", "content_part.done", "output_item.done", "incomplete"]
    assert kinds(failed)[-2:] == ["output_text.delta", "failed"]
    assert ended(cut)["output"][0]["status"] == ended(failed)["output"][0]["status"] == "incomplete"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 500, 502, 503, 504])
async def test_a_request_is_refused_with_the_status_that_was_asked_for(local: Local, status: int) -> None:
    with pytest.raises(APIStatusError) as refused:
        await local.client.responses.create(model="local-1", input=f"http {status}")

    assert refused.value.status_code == status
    assert local.state.active_responses() == []


async def test_a_rate_limit_tells_when_to_come_back_and_an_exhausted_quota_does_not(local: Local) -> None:
    errors = []
    for text in ("http 429", "no quota"):
        with pytest.raises(RateLimitError) as refused:
            await local.client.responses.create(model="local-1", input=text)
        errors.append((refused.value.code, refused.value.response.headers.get("retry-after")))

    assert errors == [("rate_limit_exceeded", "1"), ("insufficient_quota", None)]


@pytest.mark.parametrize("place", ["conversation", "chain", "nowhere"])
async def test_once_means_that_the_second_try_works_and_nothing_was_said_twice(
    local: Local, place: str
) -> None:
    settings: dict[str, Any] = {}
    if place == "conversation":
        settings["conversation"] = await conversation_with(local)
    if place == "chain":
        settings["previous_response_id"] = (await create(local, "Hello"))["id"]
    body = asking("http 503 once", **settings)
    statuses = [(await local.call("POST", "/responses", body))[0] for _ in range(2)]

    assert statuses == [503, 200]
    if place == "conversation":
        assert len(await conversation_items(local, settings["conversation"])) == 2


async def test_an_error_event_is_flat_and_the_last(local: Local) -> None:
    events = await ask(local, "error event")

    assert kinds(events)[-2:] == ["output_text.delta", "error"]
    assert {name: events[-1][name] for name in ("code", "param")} == {"code": "server_error", "param": None}
    assert "overloaded" in events[-1]["message"]


async def test_a_connection_that_is_cut_leaves_nothing_of_a_response_in_the_foreground(local: Local) -> None:
    conversation_id = await conversation_with(local)
    events = await cut_stream(local, asking("cut the connection", conversation=conversation_id))
    await until_idle(local)

    assert kinds(events)[-1] == "output_text.delta"
    assert (await local.call("GET", f"/responses/{events[0]['response']['id']}"))[0] == 404
    assert await conversation_items(local, conversation_id) == []


async def test_a_connection_that_is_cut_gives_no_whole_answer(local: Local) -> None:
    with pytest.raises(aiohttp.ClientConnectionError):
        await create(local, "cut the connection")
    await until_idle(local)


async def test_a_hang_says_that_it_began_and_nothing_more(local: Local) -> None:
    async with opened(local, asking("hang", background=True)) as response:
        events = await until(response, "response.in_progress")
        await local.call("POST", f"/responses/{events[0]['response']['id']}/cancel")
        rest = await response.text()

    assert (kinds(events), rest) == (["created", "queued", "in_progress"], "")


async def test_a_hang_at_once_opens_a_stream_without_a_single_event(local: Local) -> None:
    async with opened(local, asking("hang at once", background=True)) as response:
        (active,) = local.state.active_responses()
        await until_status(local, active.id, "in_progress")
        await local.call("POST", f"/responses/{active.id}/cancel")
        text = await response.text()

    assert text == ""


async def test_a_refusal_is_a_part_of_its_own_with_its_own_events(local: Local) -> None:
    events = await ask(local, "refuse")
    (part,) = ended(events)["output"][0]["content"]

    assert kinds(events)[3:7] == ["content_part.added", "refusal.delta", "refusal.done", "content_part.done"]
    assert part["type"] == "refusal"
    assert part["refusal"].startswith("I am sorry")


async def test_two_messages_are_two_items(local: Local) -> None:
    response = ended(await ask(local, "two messages"))

    assert [item["type"] for item in response["output"]] == ["message", "message"]
    assert said(response) == "This is the first message.And this is the second one."


async def test_talk_about_failing_does_not_fail(local: Local) -> None:
    assert (await create(local, "I fail to see why http 500 is so common"))["status"] == "completed"

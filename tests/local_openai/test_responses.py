"""Responses with the official SDK as the client, the order of events, and the three ways to keep a thread."""

import asyncio
from typing import Any

import pytest

from deep_chat_proxy.local_openai import LocalOptions
from local_openai.responses_wire import (
    ask,
    asking,
    conversation_items,
    conversation_with,
    create,
    cut_stream,
    ended,
    input_items,
    kinds,
    opened,
    refused,
    said,
    stream,
    streamed_text,
    until,
    until_idle,
)
from local_openai.wire import WAIT, Local, StartLocal

TEXT_RESPONSE = [
    "created",
    "in_progress",
    "output_item.added",
    "content_part.added",
    "output_text.delta",
    "output_text.done",
    "content_part.done",
    "output_item.done",
    "completed",
]


async def test_the_sdk_creates_a_response_and_retrieves_it(local: Local) -> None:
    made = await local.client.responses.create(model="local-1", input="Hello", metadata={"a": "b"})
    again = await local.client.responses.retrieve(made.id)

    assert made.output_text.startswith("Hello!")
    assert (made.status, made.metadata, made.usage is not None) == ("completed", {"a": "b"}, True)
    assert again == made


async def test_the_sdks_streaming_helper_gives_the_deltas_and_the_whole_response(local: Local) -> None:
    deltas = []
    async with (
        asyncio.timeout(WAIT),
        local.client.responses.stream(model="local-1", input="show markdown") as events,
    ):
        deltas.extend([event.delta async for event in events if event.type == "response.output_text.delta"])
        final = await events.get_final_response()

    assert len(deltas) > 10
    assert "".join(deltas) == final.output_text
    assert "```python" in final.output_text


async def test_a_streamed_text_has_the_events_of_openai_in_their_order(local: Local) -> None:
    events = await ask(local, "Hello")

    assert kinds(events) == TEXT_RESPONSE
    assert streamed_text(events) == said(ended(events)) == events[-4]["text"]
    assert events[0]["response"]["status"] == "in_progress"
    assert events[0]["response"]["id"] == ended(events)["id"]
    assert ended(events)["completed_at"] >= ended(events)["created_at"]


@pytest.mark.parametrize("wanted", [True, False])
async def test_deltas_hide_their_length_unless_that_is_not_wanted(local: Local, wanted: bool) -> None:
    events = await ask(local, "Hello", stream_options={"include_obfuscation": wanted})
    deltas = [event for event in events if event["type"] == "response.output_text.delta"]

    assert {"obfuscation" in event for event in deltas} == {wanted}
    assert not wanted or {len(one["delta"] + one["obfuscation"]) for one in deltas} == {16}


async def test_settings_are_shown_in_the_response(local: Local) -> None:
    settings: dict[str, Any] = {
        "instructions": "Be brief.",
        "max_output_tokens": 100,
        "max_tool_calls": 3,
        "metadata": {"a": "b"},
        "parallel_tool_calls": False,
        "prompt_cache_key": "k",
        "reasoning": {"effort": "low", "summary": "auto"},
        "safety_identifier": "s",
        "temperature": 0.5,
        "text": {
            "format": {"type": "json_schema", "name": "x", "schema": {"type": "object"}},
            "verbosity": "low",
        },
        "tool_choice": "none",
        "tools": [{"type": "web_search_preview", "search_context_size": "low"}],
        "top_logprobs": 2,
        "top_p": 0.7,
        "truncation": "auto",
        "user": "u",
    }
    response = await create(local, "What are your instructions?", **settings)

    assert {name: response[name] for name in settings} == settings
    assert "“Be brief.”" in said(response)


async def test_a_chain_goes_on_from_the_response_that_is_named(local: Local) -> None:
    first = await create(local, "My name is Ada", instructions="Be brief.")
    second = await create(local, "Something else", previous_response_id=first["id"])
    third = await create(
        local, "What is my name, and what did I say first?", previous_response_id=second["id"]
    )
    branch = await create(local, "How many messages?", previous_response_id=first["id"])
    instructed = await create(local, "What are your instructions?", previous_response_id=first["id"])

    assert third["previous_response_id"] == second["id"]
    assert "My name is Ada" in said(third)
    assert "2 messages of yours" in said(branch)
    assert said(instructed) == "My instructions are: “”"
    assert [item["role"] for item in await input_items(local, third["id"])] == [
        "user",
        "assistant",
        "user",
        "assistant",
        "user",
    ]


async def test_a_conversation_takes_in_what_was_asked_and_answered(local: Local) -> None:
    conversation_id = await conversation_with(local, "My name is Ada")
    events = await ask(local, "What is my name?", conversation={"id": conversation_id})
    items = await conversation_items(local, conversation_id)

    assert said(ended(events)) == "Your name is Ada."
    assert ended(events)["conversation"] == {"id": conversation_id}
    assert [(item["role"], item["content"][0]["type"]) for item in items] == [
        ("user", "input_text"),
        ("assistant", "output_text"),
        ("user", "input_text"),
        ("assistant", "output_text"),
    ]


async def test_a_client_may_keep_the_history_itself(local: Local) -> None:
    first = await create(local, "My name is Ada", store=False)
    history = [
        {"role": "user", "content": "My name is Ada"},
        *first["output"],
        {"role": "developer", "content": "Be kind."},
        {"role": "assistant", "content": "Go on."},
        {"role": "user", "content": [{"type": "input_text", "text": "What is my name?"}]},
    ]
    events = await stream(local, {"model": "local-1", "input": history, "store": False})
    instructed = await create(
        local,
        [*history[:3], {"role": "user", "content": "What are your instructions?"}],
        store=False,
        instructions="Be brief.",
    )

    assert said(ended(events)) == "Your name is Ada."
    assert "Be brief. Be kind." in said(instructed)


async def test_a_response_that_is_not_stored_cannot_be_had_again(local: Local) -> None:
    made = await create(local, "Hello", store=False)
    status, error = await refused(local, asking("Hello", previous_response_id=made["id"]))

    assert (await local.call("GET", f"/responses/{made['id']}"))[0] == 404
    assert (status, error["code"]) == (400, "previous_response_not_found")
    assert error["message"] == f"Previous response with id '{made['id']}' not found."


async def test_a_response_can_be_deleted(local: Local) -> None:
    made = await local.client.responses.create(model="local-1", input="Hello")
    await local.client.responses.delete(made.id)

    assert await local.call("GET", f"/responses/{made.id}") == (
        404,
        {
            "error": {
                "message": f"Response with id '{made.id}' not found.",
                "type": "invalid_request_error",
                "param": None,
                "code": None,
            }
        },
    )


async def test_a_foreground_stream_whose_client_goes_away_is_stopped_and_cannot_be_retrieved(
    local: Local,
) -> None:
    conversation_id = await conversation_with(local)
    async with opened(local, asking("slowly count to 500", conversation=conversation_id)) as response:
        events = await until(response, "response.output_text.delta")
        active = [one.id for one in local.state.active_responses()]
    await until_idle(local)

    response_id = events[0]["response"]["id"]
    assert active == [response_id]
    assert (await local.call("GET", f"/responses/{response_id}"))[0] == 404
    assert await conversation_items(local, conversation_id) == []
    assert said(await create(local, "Hello", conversation=conversation_id)).startswith("Hello!")


async def test_a_client_that_does_not_wait_for_a_whole_answer_stops_it(local: Local) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await create(local, "hang")
    await until_idle(local)

    assert len(local.state.responses) == 0


async def test_a_foreground_response_cannot_be_retrieved_before_it_has_ended(local: Local) -> None:
    async with opened(local, asking("slowly count to 500")) as response:
        events = await until(response, "response.in_progress")
        status, _ = await local.call("GET", f"/responses/{events[0]['response']['id']}")

    assert status == 404


async def test_two_requests_at_once_on_a_conversation_are_one_too_many(local: Local) -> None:
    conversation_id = await conversation_with(local)
    async with opened(local, asking("hang", conversation=conversation_id)) as response:
        await until(response, "response.in_progress")
        status, error = await refused(local, asking("Hello", conversation=conversation_id))
        adding, _ = await local.call(
            "POST",
            f"/conversations/{conversation_id}/items",
            {"items": [{"role": "user", "content": "Hello"}]},
        )

    assert (status, adding) == (400, 400)
    assert error == {
        "message": "Another process is currently operating on this conversation. Please retry in a few seconds.",
        "type": "invalid_request_error",
        "param": "conversation",
        "code": "conversation_locked",
    }


async def test_a_response_that_takes_too_long_fails(start_local: StartLocal) -> None:
    local = await start_local(LocalOptions(token_delay=0, run_ttl=0.2))
    response = ended(await ask(local, "hang"))

    assert (response["status"], response["error"]["code"]) == ("failed", "server_error")


async def test_the_oldest_responses_go_when_there_is_no_room(start_local: StartLocal) -> None:
    local = await start_local(LocalOptions(token_delay=0, max_threads=2))
    made = [await create(local, "Hello") for _ in range(3)]
    statuses = [(await local.call("GET", f"/responses/{one['id']}"))[0] for one in made]

    assert statuses == [404, 200, 200]


async def test_a_chain_cannot_grow_beyond_its_room(start_local: StartLocal) -> None:
    local = await start_local(LocalOptions(token_delay=0, max_messages=2))
    made = await create(local, "Hello")
    status, error = await refused(local, asking("Hello", previous_response_id=made["id"]))

    assert (status, error["message"]) == (400, "A conversation can hold at most 2 items.")


async def test_the_end_of_the_server_ends_the_streams(local: Local) -> None:
    async def end_once_it_hangs() -> None:
        async with asyncio.timeout(WAIT):
            while not local.state.active_responses():
                await local.call("GET", "/models")
            await local.state.close()

    events, _ = await asyncio.gather(cut_stream(local, asking("hang")), end_once_it_hangs())

    assert kinds(events) in ([], ["created"], ["created", "in_progress"])

"""Function calls in Responses: written out, answered by the next request, and what happens where they are not."""

import asyncio
import json
from typing import Any

import pytest
from openai.types.responses import ResponseFunctionToolCall, ResponseInputItemParam

from local_openai.responses_wire import (
    WEATHER,
    ask,
    asking,
    calls,
    conversation_items,
    conversation_with,
    create,
    ended,
    kinds,
    outputs,
    refused,
    said,
)
from local_openai.wire import WAIT, Local

TOOLS: Any = [WEATHER]
TWO_CITIES = "What is the weather in Paris and Rome?"


async def test_two_cities_are_two_calls_in_one_response_that_is_completed(local: Local) -> None:
    response = ended(await ask(local, TWO_CITIES, tools=TOOLS))
    arguments = [json.loads(call["arguments"]) for call in calls(response)]

    assert response["status"] == "completed"
    assert [one["location"] for one in arguments] == ["Paris", "Rome"]
    assert len({call["call_id"] for call in calls(response)}) == 2
    assert all(call["id"].startswith("fc_") for call in calls(response))


async def test_the_events_of_a_call_add_up_to_it(local: Local) -> None:
    events = await ask(local, TWO_CITIES, tools=TOOLS)
    one_call = [
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
    ]
    fragments: dict[str, str] = {}
    for event in events:
        if event["type"] == "response.function_call_arguments.delta":
            fragments[event["item_id"]] = fragments.get(event["item_id"], "") + event["delta"]

    assert kinds(events) == ["created", "in_progress", *one_call, *one_call, "completed"]
    assert fragments == {call["id"]: call["arguments"] for call in calls(ended(events))}
    assert [event["output_index"] for event in events if event["type"].endswith("item.done")] == [0, 1]


async def test_the_sdk_answers_two_calls_by_keeping_the_history_itself(local: Local) -> None:
    history: list[ResponseInputItemParam] = [{"role": "user", "content": TWO_CITIES}]
    async with asyncio.timeout(WAIT):
        first = await local.client.responses.create(
            model="local-1", input=history, tools=TOOLS, store=False, include=["reasoning.encrypted_content"]
        )
        history += [item.to_dict() for item in first.output]  # type: ignore[misc]
        for item in first.output:
            assert isinstance(item, ResponseFunctionToolCall)
            history.append(
                {"type": "function_call_output", "call_id": item.call_id, "output": "sunny, 21 degrees"}
            )
        second = await local.client.responses.create(model="local-1", input=history, tools=TOOLS, store=False)

    assert "**Paris**: sunny, 21 degrees" in second.output_text
    assert "**Rome**: sunny, 21 degrees" in second.output_text


async def test_the_sdk_streams_a_round_trip_over_a_chain(local: Local) -> None:
    async with asyncio.timeout(WAIT):
        async with local.client.responses.stream(model="local-1", input=TWO_CITIES, tools=TOOLS) as events:
            first = await events.get_final_response()
        async with local.client.responses.stream(
            model="local-1",
            previous_response_id=first.id,
            input=[
                {"type": "function_call_output", "call_id": item.call_id, "output": "rain"}
                for item in first.output
                if item.type == "function_call"
            ],
            tools=TOOLS,
        ) as events:
            second = await events.get_final_response()

    assert "**Rome**: rain" in second.output_text


async def test_outputs_of_parts_are_read_as_text(local: Local) -> None:
    first = await create(local, "weather in Oslo", tools=TOOLS)
    answer = outputs(first)
    answer[0]["output"] = [{"type": "input_text", "text": "snow"}]
    second = await create(local, answer, previous_response_id=first["id"], tools=TOOLS)

    assert "**Oslo**: snow" in said(second)


async def test_then_means_a_second_round(local: Local) -> None:
    conversation_id = await conversation_with(local)
    place = {"conversation": conversation_id, "tools": TOOLS}
    first = await create(local, "weather in Paris, then in Rome", **place)
    second = await create(local, outputs(first), **place)
    third = await create(local, outputs(second), **place)
    items = await conversation_items(local, conversation_id)

    assert [json.loads(call["arguments"])["location"] for call in calls(second)] == ["Rome"]
    assert "**Paris**: sunny" in said(third)
    assert "**Rome**: sunny" in said(third)
    assert [item["type"] for item in items] == [
        "message",
        "function_call",
        "function_call_output",
        "function_call",
        "function_call_output",
        "message",
    ]


@pytest.mark.parametrize("answered", [0, 1])
async def test_every_call_needs_its_output(local: Local, answered: int) -> None:
    first = await create(local, TWO_CITIES, tools=TOOLS)
    given = outputs(first)[:answered] or "never mind"
    status, error = await refused(local, asking("", previous_response_id=first["id"]) | {"input": given})

    open_call = calls(first)[answered]["call_id"]
    assert status == 400
    assert error["message"] == f"No tool output found for function call {open_call}."
    assert (error["type"], error["param"]) == ("invalid_request_error", "input")


async def test_a_conversation_with_an_unanswered_call_stays_stuck_until_it_is_answered(local: Local) -> None:
    conversation_id = await conversation_with(local)
    first = await create(local, "weather in Oslo", conversation=conversation_id, tools=TOOLS)
    stuck = [await refused(local, asking("Hello", conversation=conversation_id)) for _ in range(2)]
    mended = await create(
        local,
        [*outputs(first, "cancelled by user"), {"role": "user", "content": "Hello"}],
        conversation=conversation_id,
    )

    assert [status for status, _ in stuck] == [400, 400]
    assert said(mended).startswith("Hello")
    assert said(await create(local, "How many messages?", conversation=conversation_id))


async def test_an_output_without_a_call_is_refused(local: Local) -> None:
    item = {"type": "function_call_output", "call_id": "call_x", "output": "?"}
    status, error = await refused(local, {"model": "local-1", "input": [item]})

    assert (status, error["message"]) == (
        400,
        "No tool call found for function call output with call_id call_x.",
    )


async def test_without_parallel_calls_each_city_is_a_round_of_its_own(local: Local) -> None:
    first = await create(local, TWO_CITIES, tools=TOOLS, parallel_tool_calls=False)
    second = await create(
        local,
        outputs(first),
        previous_response_id=first["id"],
        tools=TOOLS,
        parallel_tool_calls=False,
    )

    assert (len(calls(first)), len(calls(second))) == (1, 1)
    assert calls(first)[0]["arguments"] != calls(second)[0]["arguments"]


@pytest.mark.parametrize(
    "choice",
    [
        "required",
        {"type": "function", "name": "get_weather"},
        {
            "type": "allowed_tools",
            "mode": "required",
            "tools": [{"type": "function", "name": "get_weather"}],
        },
    ],
)
async def test_a_tool_choice_makes_it_call_the_function(local: Local, choice: Any) -> None:
    response = await create(local, "Hello", tools=TOOLS, tool_choice=choice)

    assert response["tool_choice"] == choice
    assert [call["name"] for call in calls(response)] == ["get_weather"]


@pytest.mark.parametrize(
    "choice", ["none", {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "web_search"}]}]
)
async def test_a_function_that_may_not_be_chosen_is_not_called(local: Local, choice: Any) -> None:
    assert "no weather tool" in said(await create(local, TWO_CITIES, tools=TOOLS, tool_choice=choice))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('call no_such_tool with {"a": [1]}', [("no_such_tool", '{"a": [1]}')]),
        ("call get_weather with {broken", [("get_weather", "{broken")]),
        ("call one with {} and call two with nonsense", [("one", "{}"), ("two", "nonsense")]),
    ],
)
async def test_any_function_can_be_called_also_wrongly(
    local: Local, text: str, expected: list[tuple[str, str]]
) -> None:
    response = await create(local, text, tools=TOOLS)

    assert [(call["name"], call["arguments"]) for call in calls(response)] == expected


SCHEMA = WEATHER["parameters"]


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({**SCHEMA, "additionalProperties": True}, "In context=(), 'additionalProperties' is required"),
        ({**SCHEMA, "required": ["location"]}, "Missing 'unit'."),
        ({**SCHEMA, "properties": 3}, "In context=(), 'properties' is required"),
        (
            {**SCHEMA, "properties": {**SCHEMA["properties"], "unit": {"type": "object"}}},
            "In context=('properties', 'unit'), 'additionalProperties'",
        ),
        (
            {**SCHEMA, "properties": {**SCHEMA["properties"], "unit": {"type": "array", "items": 3}}},
            "In context=('properties', 'unit', 'items'), expected a schema.",
        ),
    ],
)
@pytest.mark.parametrize("path", ["/responses", "/chat/completions"])
async def test_a_strict_function_must_say_everything_about_its_parameters(
    local: Local, path: str, parameters: Any, why: str
) -> None:
    function = {"name": "get_weather", "strict": True, "parameters": parameters}
    body = (
        {"model": "m", "input": "Hello", "tools": [{"type": "function", **function}]}
        if path == "/responses"
        else {
            "model": "m",
            "messages": [{"role": "user", "content": "Hello"}],
            "tools": [{"type": "function", "function": function}],
        }
    )
    status, answer = await local.call("POST", path, body)

    assert (status, answer["error"]["code"]) == (400, "invalid_function_parameters")
    assert answer["error"]["message"].startswith("Invalid schema for function 'get_weather': ")
    assert why in answer["error"]["message"]


async def test_a_function_that_is_not_strict_may_leave_things_open(local: Local) -> None:
    loose = {**WEATHER, "strict": False, "parameters": {"type": "object"}}

    assert (await create(local, "Hello", tools=[loose]))["tools"] == [loose]

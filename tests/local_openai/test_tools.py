"""Function calls: asked for, answered in both ways, in parallel, in rounds, and wrongly."""

import asyncio
import json
from typing import Any

import pytest
from openai import AsyncAssistantEventHandler
from openai.types.beta.threads import Run

from local_openai.wire import WEATHER_TOOL, Local, ids, last, names, said, thread_and_run

pytestmark = pytest.mark.filterwarnings("ignore:The Assistants API is deprecated:DeprecationWarning")
TOOLS: Any = [WEATHER_TOOL]


def calls_of(run: Any) -> list[Any]:
    return list(run["required_action"]["submit_tool_outputs"]["tool_calls"])


def sunny(run: Any, output: str = '{"temperature": 21, "unit": "celsius", "sky": "sunny"}') -> dict[str, Any]:
    """A body that gives every call the same output."""
    return {"tool_outputs": [{"tool_call_id": call["id"], "output": output} for call in calls_of(run)]}


async def ask_sdk(local: Local, text: str) -> Run:
    return await local.client.beta.threads.create_and_run_poll(
        assistant_id="asst_local", thread={"messages": [{"role": "user", "content": text}]}, tools=TOOLS
    )


async def test_two_cities_are_two_calls_in_one_round_with_the_unit_that_was_asked_for(local: Local) -> None:
    events = await local.ask("What is the weather in Paris and New York, in Fahrenheit?", tools=TOOLS)

    assert names(events)[-5:] == [
        "thread.run.step.created",
        "thread.run.step.in_progress",
        "thread.run.step.delta",
        "thread.run.requires_action",
        "done",
    ]
    calls = calls_of(last(events, "thread.run.requires_action"))
    assert [json.loads(call["function"]["arguments"]) for call in calls] == [
        {"location": "Paris", "unit": "fahrenheit"},
        {"location": "New York", "unit": "fahrenheit"},
    ]


async def test_step_deltas_add_up_to_the_calls(local: Local) -> None:
    events = await local.ask("weather in Paris and Rome", tools=TOOLS)
    arguments: dict[int, str] = {}
    call_ids = []
    for name, data in events:
        if name == "thread.run.step.delta":
            (call,) = data["delta"]["step_details"]["tool_calls"]
            arguments[call["index"]] = arguments.get(call["index"], "") + call["function"]["arguments"]
            call_ids += [call["id"]] if "id" in call else []

    calls = calls_of(last(events, "thread.run.requires_action"))
    assert [call["function"]["arguments"] for call in calls] == list(arguments.values())
    assert [call["id"] for call in calls] == call_ids


async def test_outputs_are_answered_by_a_new_stream_that_begins_with_the_end_of_the_step(
    local: Local,
) -> None:
    events = await local.ask("weather in Paris and Rome", tools=TOOLS)
    thread_id, run_id = ids(events)
    body = sunny(last(events, "thread.run.requires_action"))
    more = await local.stream(f"/threads/{thread_id}/runs/{run_id}/submit_tool_outputs", body)

    assert names(more)[:4] == [
        "thread.run.step.completed",
        "thread.run.queued",
        "thread.run.in_progress",
        "thread.run.step.created",
    ]
    assert names(more)[-2:] == ["thread.run.completed", "done"]
    assert "**Paris**: 21 °C, sunny" in said(more)
    assert "**Rome**: 21 °C, sunny" in said(more)
    step = more[0][1]
    outputs = [call["function"]["output"] for call in step["step_details"]["tool_calls"]]
    assert outputs == [output["output"] for output in body["tool_outputs"]]


async def test_the_sdk_submits_outputs_and_polls(local: Local) -> None:
    async with asyncio.timeout(10):
        run = await ask_sdk(local, "weather in Oslo")
        assert run.required_action is not None
        (call,) = run.required_action.submit_tool_outputs.tool_calls
        ended = await local.client.beta.threads.runs.submit_tool_outputs_and_poll(
            run_id=run.id,
            thread_id=run.thread_id,
            tool_outputs=[{"tool_call_id": call.id, "output": "rain, 9 degrees"}],
        )

    assert (run.status, ended.status) == ("requires_action", "completed")
    message = list(local.state.threads[run.thread_id].messages.values())[-1]
    assert "rain, 9 degrees" in json.dumps([part.text.value for part in message.content])  # type: ignore[union-attr]


async def test_the_sdk_submits_outputs_and_streams(local: Local) -> None:
    async with asyncio.timeout(10):
        run = await ask_sdk(local, "weather in Oslo")
        assert run.required_action is not None
        (call,) = run.required_action.submit_tool_outputs.tool_calls
        async with local.client.beta.threads.runs.submit_tool_outputs_stream(
            run_id=run.id,
            thread_id=run.thread_id,
            tool_outputs=[{"tool_call_id": call.id, "output": "rain"}],
            event_handler=AsyncAssistantEventHandler(),
        ) as stream:
            text = "".join([delta async for delta in stream.text_deltas])

    assert "rain" in text


async def test_then_means_a_second_round(local: Local) -> None:
    events = await local.ask("weather in Paris, then in Rome", tools=TOOLS)
    thread_id, run_id = ids(events)
    path = f"/threads/{thread_id}/runs/{run_id}/submit_tool_outputs"
    second = await local.stream(path, sunny(last(events, "thread.run.requires_action")))
    third = await local.stream(path, sunny(last(second, "thread.run.requires_action")))

    (call,) = calls_of(last(second, "thread.run.requires_action"))
    assert json.loads(call["function"]["arguments"])["location"] == "Rome"
    assert "Paris" in said(third)
    assert "Rome" in said(third)


async def test_without_parallel_calls_each_city_is_a_round_of_its_own(local: Local) -> None:
    events = await local.ask("weather in Paris and Rome", tools=TOOLS, parallel_tool_calls=False)

    assert len(calls_of(last(events, "thread.run.requires_action"))) == 1


async def test_an_output_that_tells_of_an_error_is_put_into_words(local: Local) -> None:
    events = await local.ask("weather in Atlantis", tools=TOOLS)
    thread_id, run_id = ids(events)
    body = sunny(last(events, "thread.run.requires_action"), '{"error": "no such city"}')
    more = await local.stream(f"/threads/{thread_id}/runs/{run_id}/submit_tool_outputs", body)

    assert "something went wrong: no such city" in said(more)


@pytest.mark.parametrize("settings", [{}, {"tools": TOOLS, "tool_choice": "none"}])
async def test_without_the_function_it_says_so(local: Local, settings: dict[str, Any]) -> None:
    events = await local.ask("weather in Paris", **settings)

    assert "no weather tool" in said(events)


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        (
            'call no_such_tool with {"a": [1, {"b": "call me"}]}',
            [("no_such_tool", '{"a": [1, {"b": "call me"}]}')],
        ),
        ("call get_weather with {broken", [("get_weather", "{broken")]),
        ("call get_weather", [("get_weather", "{}")]),
        ("call one with {} and call two with nonsense", [("one", "{}"), ("two", "nonsense")]),
        ("call one with {} then call two with {}", [("one", "{}")]),
        ("call one with {broken, then call two", [("one", "{broken")]),
    ],
)
async def test_any_function_can_be_called_also_wrongly(
    local: Local, text: str, calls: list[tuple[str, str]]
) -> None:
    events = await local.ask(text, tools=TOOLS)

    called = [call["function"] for call in calls_of(last(events, "thread.run.requires_action"))]
    assert [(call["name"], call["arguments"]) for call in called] == calls


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "get_weather"}}])
async def test_a_tool_choice_makes_it_call_the_function_with_arguments_that_fit(
    local: Local, choice: Any
) -> None:
    events = await local.ask("Hello", tools=TOOLS, tool_choice=choice)
    thread_id, run_id = ids(events)
    run = last(events, "thread.run.requires_action")
    more = await local.stream(f"/threads/{thread_id}/runs/{run_id}/submit_tool_outputs", sunny(run, "fine"))

    (call,) = calls_of(run)
    assert json.loads(call["function"]["arguments"]) == {"location": "sample"}
    assert "`get_weather` answered: fine" in said(more)


@pytest.mark.parametrize("keep", [0, 1])
async def test_outputs_must_come_all_at_once(local: Local, keep: int) -> None:
    _, run = await local.call(
        "POST", "/threads/runs", {**thread_and_run("weather in Paris and Rome"), "tools": TOOLS}
    )
    run = await local.until_status(run["thread_id"], run["id"], "requires_action")
    expected = [call["id"] for call in calls_of(run)]
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
    status, answer = await local.call("POST", path, {"tool_outputs": sunny(run)["tool_outputs"][:keep]})

    assert status == 400
    assert (
        answer["error"]["message"] == f"Expected tool outputs for call_ids {expected}, got {expected[:keep]}"
    )
    status, answer = await local.call("POST", path, sunny(run))
    assert (status, answer["status"]) == (200, "queued")


async def test_outputs_are_not_taken_twice(local: Local) -> None:
    _, run = await local.call("POST", "/threads/runs", {**thread_and_run("weather in Paris"), "tools": TOOLS})
    run = await local.until_status(run["thread_id"], run["id"], "requires_action")
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
    await local.call("POST", path, sunny(run))
    await local.until_status(run["thread_id"], run["id"], "completed")
    status, answer = await local.call("POST", path, sunny(run))

    assert (status, answer["error"]["message"]) == (
        400,
        'Runs in status "completed" do not accept tool outputs.',
    )

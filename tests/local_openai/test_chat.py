"""Chat Completions with the official SDK as the client: whole, streamed, with tools, files and searches."""

import asyncio
import base64
import json
from typing import Any

import pytest
from openai import BadRequestError
from openai.types.chat import ChatCompletion, ChatCompletionMessageParam

from deep_chat_proxy.local_openai import LocalOptions
from local_openai.chat_wire import ask, asking, calls, create, deltas, finish, opened, refused, said, stream
from local_openai.samples import NOTES, NOTES_URL, PNG_URL, upload
from local_openai.wire import WAIT, WEATHER_TOOL, Local, StartLocal

TOOLS: Any = [WEATHER_TOOL]
TWO_CITIES = "What is the weather in Paris and Rome?"


async def test_the_sdk_gets_a_whole_answer(local: Local) -> None:
    completion = await local.client.chat.completions.create(
        model="local-1", messages=[{"role": "user", "content": "Hello"}]
    )
    (choice,) = completion.choices

    assert (choice.message.content or "").startswith("Hello!")
    assert (choice.finish_reason, choice.message.refusal) == ("stop", None)
    assert completion.usage is not None
    assert (
        completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens
    )


async def test_the_sdks_streaming_helper_gives_the_deltas_and_the_whole_answer(local: Local) -> None:
    async with (
        asyncio.timeout(WAIT),
        local.client.chat.completions.stream(
            model="local-1", messages=[{"role": "user", "content": "show markdown"}]
        ) as events,
    ):
        pieces = [event.delta async for event in events if event.type == "content.delta"]
        final = await events.get_final_completion()

    assert len(pieces) > 10
    assert "".join(pieces) == final.choices[0].message.content


async def test_a_stream_begins_with_the_role_and_ends_with_the_reason(local: Local) -> None:
    chunks = await ask(local, "Hello")

    assert deltas(chunks)[0] == {"role": "assistant", "content": "", "refusal": None}
    assert deltas(chunks)[-1] == {}
    assert finish(chunks) == "stop"
    assert all("usage" not in chunk for chunk in chunks)


async def test_usage_is_told_in_a_chunk_of_its_own_where_it_is_wanted(local: Local) -> None:
    chunks = await ask(local, "Hello", stream_options={"include_usage": True})

    assert [chunk["usage"] is None for chunk in chunks] == [True] * (len(chunks) - 1) + [False]
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] > 0


@pytest.mark.parametrize("wanted", [True, False])
async def test_deltas_hide_their_length_unless_that_is_not_wanted(local: Local, wanted: bool) -> None:
    chunks = await ask(local, "Hello", stream_options={"include_obfuscation": wanted})

    assert {"obfuscation" in chunk for chunk in chunks[:-1]} == {wanted}


async def test_all_that_was_said_comes_with_each_request(local: Local) -> None:
    messages: list[Any] = [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
        {"role": "user", "content": "My name is Ada"},
        {"role": "assistant", "content": [{"type": "text", "text": "Hi"}]},
    ]
    told = [
        said(
            await stream(
                local, {"model": "m", "messages": [*messages, {"role": "user", "content": question}]}
            )
        )
        for question in ("What is my name?", "What are your instructions?", "How many messages?")
    ]

    assert told[0] == "Your name is Ada."
    assert "Be brief. Be kind." in told[1]
    assert "2 messages of yours, this one included, and 1 of mine" in told[2]


@pytest.mark.parametrize("streamed", [True, False])
async def test_the_sdk_answers_two_calls(local: Local, streamed: bool) -> None:
    completions = local.client.chat.completions
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": TWO_CITIES}]

    async def complete() -> ChatCompletion:
        if not streamed:
            return await completions.create(model="local-1", messages=messages, tools=TOOLS)
        async with completions.stream(model="local-1", messages=messages, tools=TOOLS) as events:
            return await events.get_final_completion()

    async with asyncio.timeout(WAIT):
        first = await complete()
        message = first.choices[0].message
        messages.append(message.to_dict())  # type: ignore[arg-type]
        messages.extend(
            {"role": "tool", "tool_call_id": call.id, "content": "sunny, 21 degrees"}
            for call in message.tool_calls or ()
        )
        second = await complete()

    assert (first.choices[0].finish_reason, len(message.tool_calls or ())) == ("tool_calls", 2)
    assert "**Paris**: sunny, 21 degrees" in (second.choices[0].message.content or "")
    assert "**Rome**: sunny, 21 degrees" in (second.choices[0].message.content or "")


async def test_calls_come_in_fragments_under_their_index(local: Local) -> None:
    chunks = await ask(local, TWO_CITIES, tools=TOOLS)
    fragments = [call for delta in deltas(chunks) for call in delta.get("tool_calls", ())]

    assert deltas(chunks)[0]["content"] is None
    assert [one["function"]["name"] for one in fragments if "id" in one] == ["get_weather"] * 2
    assert all(set(one) == {"index", "function"} for one in fragments if "id" not in one)
    assert len(fragments) > 4
    assert [json.loads(call["function"]["arguments"])["location"] for call in calls(chunks)] == [
        "Paris",
        "Rome",
    ]
    assert finish(chunks) == "tool_calls"


async def test_then_means_a_second_round(local: Local) -> None:
    messages = asking("weather in Paris, then in Rome")["messages"]
    for _ in range(2):
        made = calls(await stream(local, {"model": "m", "messages": messages, "tools": TOOLS}))
        messages.append({"role": "assistant", "content": None, "tool_calls": made})
        messages += [{"role": "tool", "tool_call_id": call["id"], "content": "rain"} for call in made]
    text = said(await stream(local, {"model": "m", "messages": messages, "tools": TOOLS}))

    assert "**Paris**: rain" in text
    assert "**Rome**: rain" in text


async def test_without_parallel_calls_there_is_one(local: Local) -> None:
    assert len(calls(await ask(local, TWO_CITIES, tools=TOOLS, parallel_tool_calls=False))) == 1


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "get_weather"}}])
async def test_a_tool_choice_makes_it_call_the_function(local: Local, choice: Any) -> None:
    assert len(calls(await ask(local, "Hello", tools=TOOLS, tool_choice=choice))) == 1


async def test_a_function_that_may_not_be_chosen_is_not_called(local: Local) -> None:
    assert "no weather tool" in said(await ask(local, TWO_CITIES, tools=TOOLS, tool_choice="none"))


CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLED = {"role": "assistant", "tool_calls": [CALL, {**CALL, "id": "call_2"}]}
USER = {"role": "user", "content": "Hello"}
OUTPUT = {"role": "tool", "tool_call_id": "call_1", "content": "x"}


@pytest.mark.parametrize("rest", [[], [OUTPUT], [OUTPUT, USER], [USER]])
async def test_every_call_needs_its_output(local: Local, rest: list[Any]) -> None:
    status, error = await refused(local, {"model": "m", "messages": [USER, CALLED, *rest]})

    missing = "call_2" if OUTPUT in rest else "call_1, call_2"
    assert status == 400
    assert error["message"] == (
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
        f"'tool_call_id'. The following tool_call_ids did not have response messages: {missing}"
    )


@pytest.mark.parametrize(
    "messages",
    [[OUTPUT], [USER, OUTPUT], [CALLED, OUTPUT, OUTPUT], [CALLED, {**OUTPUT, "tool_call_id": "call_x"}]],
)
async def test_an_output_without_a_call_is_refused(local: Local, messages: list[Any]) -> None:
    status, error = await refused(local, {"model": "m", "messages": messages})

    assert (status, error["param"]) == (400, f"messages.[{len(messages) - 1}].role")
    assert error["message"].startswith("Invalid parameter: messages with role 'tool' must be a response")


async def test_files_and_pictures_are_described_wherever_they_are(local: Local) -> None:
    file_id = await upload(local, "stored.txt", NOTES)
    content = [
        {"type": "text", "text": "Look"},
        {"type": "image_url", "image_url": {"url": PNG_URL}},
        {"type": "file", "file": {"filename": "notes.txt", "file_data": NOTES_URL}},
        {"type": "file", "file": {"file_id": file_id}},
    ]
    text = said(await stream(local, {"model": "m", "messages": [{"role": "user", "content": content}]}))

    assert "PNG picture of 320 x 200" in text
    assert "**notes.txt** (27 bytes) says: “The meeting is on Tuesday.”" in text
    assert "**stored.txt** (27 bytes) says" in text


async def test_a_web_search_cites_the_pages_it_found(local: Local) -> None:
    answer = await create(local, "search the web for cats", web_search_options={})
    chunks = await ask(local, "search the web for cats", web_search_options={})
    message = answer["choices"][0]["message"]
    cited = [one["url_citation"] for one in message["annotations"]]

    assert [message["content"][one["start_index"] : one["end_index"]] for one in cited] == [
        "([example.org](https://example.org/facts))",
        "([example.com](https://example.com/news))",
    ]
    assert [one for delta in deltas(chunks) for one in delta.get("annotations", ())] == message["annotations"]


async def test_reasoning_is_counted_and_not_shown(local: Local) -> None:
    answer = await create(local, "think hard, then count to 2")

    assert answer["choices"][0]["message"]["content"] == "1 2 "
    assert answer["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0


async def test_the_state_shows_what_was_asked_and_answered(local: Local) -> None:
    await ask(local, "Hello")
    (kept,) = local.state.chats

    assert [type(message).__name__ for message in kept.asked.messages] == ["UserMessage"]
    assert kept.finish_reason == "stop"
    assert kept.message["content"].startswith("Hello!")


async def test_a_stream_whose_client_goes_away_is_stopped(local: Local) -> None:
    async with opened(local, asking("slowly count to 500")) as response:
        await response.content.readline()
    async with asyncio.timeout(WAIT):
        (kept,) = local.state.chats
        await kept.ended.wait()

    assert (kept.cut, kept.finish_reason) == (True, None)


async def test_a_completion_that_takes_too_long_fails(start_local: StartLocal) -> None:
    local = await start_local(LocalOptions(token_delay=0, run_ttl=0.2))
    chunks = await ask(local, "hang")
    status, error = await refused(local, asking("hang"))

    assert chunks[-1]["error"] == error
    assert (status, error["message"]) == (504, "The request timed out.")


@pytest.mark.parametrize(
    ("changes", "param", "message"),
    [
        ({"messages": []}, "messages", "Invalid 'messages': empty array."),
        ({"messages": None}, "messages", "Invalid type for 'messages'"),
        ({"messages": [{"role": "nobody"}]}, "messages[0].role", "Invalid type"),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "Missing required parameter"),
        ({"nonsense": 1}, "nonsense", "Unknown parameter: 'nonsense'."),
        ({"n": 2}, "n", "Invalid value"),
        ({"stream_options": {}}, "stream_options", "Invalid value"),
        ({"tool_choice": "auto"}, "tool_choice", "Invalid value"),
        (
            {"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "f"}}},
            "tool_choice",
            "Invalid value for 'tool_choice': no function named 'f'",
        ),
        ({"tools": [{"type": "function", "name": "f"}]}, "tools[0].function", "Missing required parameter"),
    ],
)
async def test_a_request_that_cannot_be_taken_is_explained(
    local: Local, changes: dict[str, Any], param: str, message: str
) -> None:
    status, error = await refused(local, asking("Hello") | changes)

    assert (status, error["param"]) == (400, param)
    assert error["message"].startswith(message)


@pytest.mark.parametrize(
    ("part", "status"),
    [
        ({"type": "image_url", "image_url": {"url": "x"}}, 400),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}, 400),
        ({"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}, 200),
        ({"type": "file", "file": {}}, 400),
        ({"type": "file", "file": {"file_data": base64.b64encode(NOTES).decode()}}, 400),
        ({"type": "file", "file": {"file_id": "file-x"}}, 404),
    ],
)
async def test_a_file_that_cannot_be_read_is_refused(local: Local, part: Any, status: int) -> None:
    messages = [{"role": "user", "content": [part]}]

    assert (await local.call("POST", "/chat/completions", {"model": "m", "messages": messages}))[0] == status


async def test_calls_without_answers_are_a_bad_request_for_the_sdk(local: Local) -> None:
    with pytest.raises(BadRequestError, match="must be followed by tool messages"):
        await local.client.chat.completions.create(
            model="m",
            messages=[
                {
                    "role": "assistant",
                    "tool_calls": [
                        {"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}
                    ],
                }
            ],
        )

"""Whatever can go wrong at a real back end, as Chat Completions shows it; every chunk on the way is checked."""

import asyncio
from typing import Any

import aiohttp
import pytest
from openai import APIError, APIStatusError, RateLimitError
from openai.types.chat import ChatCompletion

from local_openai.chat_wire import (
    FINISHES,
    ask,
    asking,
    calls,
    create,
    cut_stream,
    finish,
    opened,
    refused,
    said,
    stream,
)
from local_openai.phrases import QUIET, examples
from local_openai.wire import WAIT, WEATHER_TOOL, Local

SETTINGS: dict[str, Any] = {"tools": [WEATHER_TOOL], "web_search_options": {}}


@pytest.mark.parametrize("example", [one for one in examples() if one not in QUIET])
async def test_everything_that_help_names_gives_a_stream_that_the_sdk_understands(
    local: Local, example: str
) -> None:
    body = asking(example, **SETTINGS)
    chunks = await stream(local, body)
    while "error" not in chunks[-1] and finish(chunks) == "tool_calls":
        body["messages"].append({"role": "assistant", "tool_calls": calls(chunks)})
        body["messages"] += [
            {"role": "tool", "tool_call_id": call["id"], "content": "fine"} for call in calls(chunks)
        ]
        chunks = await stream(local, body)

    assert "error" in chunks[-1] or finish(chunks) in FINISHES


@pytest.mark.parametrize("example", [one for one in examples() if one not in QUIET])
async def test_everything_that_help_names_gives_a_whole_answer_too(local: Local, example: str) -> None:
    status, answer = await local.call("POST", "/chat/completions", asking(example, **SETTINGS))

    assert (status == 200) is ("error" not in answer)
    assert status != 200 or ChatCompletion.model_validate(answer).choices[0].finish_reason in FINISHES


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("fail", 500, None),
        ("fail at once", 500, None),
        ("fail with a rate limit", 429, "rate_limit_exceeded"),
        ("run out of quota", 429, "rate_limit_exceeded"),
        ("error event", 503, "server_is_overloaded"),
        ("expire", 504, None),
    ],
)
async def test_a_failure_is_an_error_in_the_stream_or_the_status_of_a_whole_answer(
    local: Local, text: str, status: int, code: str | None
) -> None:
    chunks = await ask(local, text)
    got, error = await refused(local, asking(text))

    assert chunks[-1] == {"error": error}
    assert (got, error["code"]) == (status, code)
    with pytest.raises(APIError):
        async for _ in await local.client.chat.completions.create(
            model="local-1", messages=[{"role": "user", "content": text}], stream=True
        ):
            pass


@pytest.mark.parametrize(
    ("text", "reason"),
    [("stop short", "length"), ("content filter", "content_filter"), ("say nothing", "stop")],
)
async def test_an_answer_ends_for_the_reason_that_was_asked_for(local: Local, text: str, reason: str) -> None:
    chunks = await ask(local, text)
    answer = await create(local, text)

    assert finish(chunks) == answer["choices"][0]["finish_reason"] == reason
    assert said(chunks) == answer["choices"][0]["message"]["content"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 500, 502, 503, 504])
async def test_a_request_is_refused_with_the_status_that_was_asked_for(local: Local, status: int) -> None:
    with pytest.raises(APIStatusError) as error:
        await local.client.chat.completions.create(
            model="local-1", messages=[{"role": "user", "content": f"http {status}"}], stream=True
        )

    assert error.value.status_code == status


async def test_an_exhausted_quota_is_no_rate_limit(local: Local) -> None:
    with pytest.raises(RateLimitError) as error:
        await local.client.chat.completions.create(
            model="local-1", messages=[{"role": "user", "content": "no quota"}]
        )

    assert error.value.code == "insufficient_quota"


async def test_once_means_that_the_second_try_works(local: Local) -> None:
    statuses = [(await local.call("POST", "/chat/completions", asking("http 429 once")))[0] for _ in range(2)]

    assert statuses == [429, 200]


async def test_a_connection_that_is_cut_ends_in_the_middle(local: Local) -> None:
    chunks = await cut_stream(local, asking("cut the connection"))
    with pytest.raises(aiohttp.ClientConnectionError):
        await create(local, "cut the connection")

    assert said(chunks).startswith("This is the beginning")


@pytest.mark.parametrize("text", ["hang", "hang at once"])
async def test_a_hang_opens_a_stream_in_which_nothing_is_said(local: Local, text: str) -> None:
    async with opened(local, asking(text)) as response:
        async with asyncio.timeout(WAIT):
            while not (kept := list(local.state.chats)) or kept[0].message["content"] is None:
                await local.call("GET", "/models")
        if text == "hang":
            await response.content.readuntil(b"\n\n")
        await local.state.close()
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.content.read()

    assert (response.content.total_bytes > 0) is (text == "hang")
    assert (kept[0].cut, kept[0].message["content"]) == (True, "")


async def test_a_refusal_stands_in_a_field_of_its_own(local: Local) -> None:
    chunks = await ask(local, "refuse")
    message = (await create(local, "refuse"))["choices"][0]["message"]

    assert said(chunks, "refusal") == message["refusal"]
    assert message["refusal"].startswith("I am sorry")
    assert (said(chunks), message["content"], finish(chunks)) == ("", None, "stop")


async def test_two_messages_are_one_here(local: Local) -> None:
    assert (
        said(await ask(local, "two messages")) == "This is the first message.\n\nAnd this is the second one."
    )

"""What servers that speak less than OpenAI answer: the switches of `LocalOptions`."""

from typing import Any

import pytest

from deep_chat_proxy.local_openai import LocalOptions
from local_openai import chat_wire
from local_openai.responses_wire import CODE, annotations, asking, create, opened, refused, said
from local_openai.wire import Local, StartLocal, thread_and_run

PATHS = {
    "assistants": ("/threads/runs", thread_and_run("Hello")),
    "responses": ("/responses", asking("Hello")),
    "conversations": ("/conversations", {}),
    "chat": ("/chat/completions", chat_wire.asking("Hello")),
}


@pytest.mark.parametrize("off", PATHS)
async def test_a_protocol_that_is_switched_off_is_404_and_the_others_are_not(
    start_local: StartLocal, off: str
) -> None:
    local = await start_local(LocalOptions(token_delay=0, **{off: False}))
    statuses = {name: (await local.call("POST", path, body))[0] for name, (path, body) in PATHS.items()}
    # Conversations belong to Responses.
    expected = {off, "conversations"} if off == "responses" else {off}

    assert {name for name, status in statuses.items() if status == 404} == expected
    assert set(statuses.values()) == {200, 404}


async def test_a_server_without_assistants_does_not_ask_for_their_header(start_local: StartLocal) -> None:
    local = await start_local(LocalOptions(assistants=False))
    status, answer = await local.call("GET", "/assistants", **{"OpenAI-Beta": ""})

    assert (status, answer["error"]["message"]) == (404, "Invalid URL (GET /v1/assistants)")


async def test_without_conversations_a_response_cannot_be_in_one(start_local: StartLocal) -> None:
    local = await start_local(LocalOptions(token_delay=0, conversations=False))
    status, error = await refused(local, asking("Hello", conversation="conv_x"))
    first = await create(local, "My name is Ada")

    assert (status, error["code"]) == (400, "unknown_parameter")
    assert (
        said(await create(local, "What is my name?", previous_response_id=first["id"])) == "Your name is Ada."
    )


async def test_a_server_that_keeps_no_responses_says_so_as_llama_cpp_does(start_local: StartLocal) -> None:
    local = await start_local(LocalOptions(token_delay=0, conversations=False, stored_responses=False))
    made = await create(local, "Hello", store=True)
    chained = await refused(local, asking("Hello", previous_response_id=made["id"]))
    background = await refused(local, asking("Hello", background=True))

    assert made["store"] is False
    assert (await local.call("GET", f"/responses/{made['id']}"))[0] == 404
    assert (chained[0], chained[1]["message"]) == (400, "llama.cpp does not support 'previous_response_id'.")
    assert background[0] == 400


async def test_files_of_a_response_that_is_not_kept_can_be_had_all_the_same(start_local: StartLocal) -> None:
    local = await start_local(LocalOptions(token_delay=0, stored_responses=False))
    (citation,) = annotations(await create(local, "make a csv", tools=[CODE]))

    assert (await local.call("GET", f"/containers/{citation['container_id']}/files/{citation['file_id']}"))[
        0
    ] == 200


async def lines(local: Local) -> list[str]:
    async with opened(local, asking("Hello")) as response:
        return [line for line in (await response.text()).split("\n") if line]


@pytest.mark.parametrize(
    ("options", "names", "numbers"),
    [
        ({}, True, True),
        ({"event_names": False}, False, True),
        ({"sequence_numbers": False}, True, False),
        ({"event_names": False, "sequence_numbers": False}, False, False),
    ],
)
async def test_events_may_come_without_names_and_without_numbers(
    start_local: StartLocal, options: dict[str, Any], names: bool, numbers: bool
) -> None:
    told = await lines(await start_local(LocalOptions(token_delay=0, **options)))
    data = [line for line in told if line.startswith("data: ")]

    assert any(line.startswith("event: ") for line in told) is names
    assert all(line.startswith(("event: ", "data: {")) for line in told)
    assert {'"sequence_number":' in line for line in data} == {numbers}
    assert data[-1].startswith('data: {"type":"response.completed"')

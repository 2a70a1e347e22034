"""Requests that Responses does not take, in OpenAI's words."""

from typing import Any

import pytest
from openai import BadRequestError, NotFoundError

from local_openai.responses_wire import (
    CODE,
    MCP,
    WEATHER,
    asking,
    conversation_with,
    refused,
)
from local_openai.wire import Local

USER = {"role": "user"}


async def test_a_conversation_and_a_previous_response_are_one_too_many(local: Local) -> None:
    conversation_id = await conversation_with(local)
    with pytest.raises(BadRequestError) as error:
        await local.client.responses.create(
            model="local-1", input="Hello", conversation=conversation_id, previous_response_id="resp_x"
        )

    assert error.value.code == "mutually_exclusive_parameters"


async def test_what_is_not_there_is_404_for_the_sdk(local: Local) -> None:
    with pytest.raises(NotFoundError, match="Conversation with id 'conv_x' not found"):
        await local.client.responses.create(model="local-1", input="Hello", conversation="conv_x")
    with pytest.raises(NotFoundError, match="Response with id 'resp_x' not found"):
        await local.client.responses.retrieve("resp_x")


@pytest.mark.parametrize(
    ("changes", "status", "param", "message"),
    [
        ({"model": None}, 400, "model", "Invalid type for 'model'"),
        ({"input": None}, 400, "input", 'One of "input" or'),
        ({"nonsense": 1}, 400, "nonsense", "Unknown parameter: 'nonsense'."),
        ({"conversation": "undefined"}, 400, "conversation", "Invalid 'conversation': 'undefined'."),
        ({"previous_response_id": "x"}, 400, "previous_response_id", "Invalid 'previous_response_id': 'x'."),
        ({"prompt": {"id": "pmpt_x"}}, 404, None, "No prompt found with id 'pmpt_x'."),
        ({"max_output_tokens": 15}, 400, "max_output_tokens", "Invalid type"),
        ({"input": [{"content": "x"}]}, 400, "input[0].type", "Missing required parameter"),
        ({"input": [{"type": "nonsense"}]}, 400, "input[0].type", "Invalid value: 'nonsense'."),
        ({"input": [{"type": 3}]}, 400, "input[0].type", "Invalid value: '3'."),
        ({"input": [USER]}, 400, "input[0].content", "Missing required parameter: 'input[0].content'."),
        ({"input": [{**USER, "content": [3]}]}, 400, "input[0].content[0]", "Invalid type"),
        (
            {"input": [{**USER, "content": [{"type": "output_text", "text": "x"}]}]},
            400,
            "input[0].content[0].type",
            "Invalid",
        ),
        (
            {"input": [{"type": "function_call", "call_id": "", "name": "f", "arguments": ""}]},
            400,
            "input[0].call_id",
            "Invalid type",
        ),
        ({"tools": [{"type": "nonsense"}]}, 400, "tools[0].type", "Invalid type"),
        (
            {"tools": [{"type": "function", "function": {"name": "f"}}]},
            400,
            "tools[0].name",
            "Missing required parameter: 'tools[0].name'.",
        ),
        ({"tools": [{"type": "mcp", "server_label": "x"}]}, 400, "tools[0].server_url", "Missing"),
        ({"tools": [{**CODE, "container": "cntr_x"}]}, 404, None, "No container found"),
        (
            {"tools": [{**CODE, "container": {"type": "auto", "file_ids": ["file-x"]}}]},
            404,
            None,
            "No file found with id 'file-x'.",
        ),
        ({"tool_choice": "required"}, 400, "tool_choice", "Invalid value"),
        ({"tool_choice": {"type": "function"}}, 400, "tool_choice.name", "Missing"),
        ({"tool_choice": {"type": "mcp"}}, 400, "tool_choice.server_label", "Missing"),
        (
            {"tool_choice": {"type": "function", "name": "f"}, "tools": [WEATHER]},
            400,
            "tool_choice",
            "Tool choice 'function' not found in 'tools' parameter.",
        ),
        (
            {"tool_choice": {"type": "image_generation"}, "tools": [{**MCP}]},
            400,
            "tool_choice",
            "Tool choice 'image_generation' not found",
        ),
    ],
)
async def test_a_request_that_cannot_be_taken_is_explained(
    local: Local, changes: dict[str, Any], status: int, param: str | None, message: str
) -> None:
    got, error = await refused(local, asking("Hello") | changes)

    assert (got, error["param"], error["type"]) == (status, param, "invalid_request_error")
    assert error["message"].startswith(message)
    assert len(local.state.responses) == 0


@pytest.mark.parametrize(
    ("part", "status", "param", "code"),
    [
        ({"type": "input_image"}, 400, "image_url", "missing_required_parameter"),
        ({"type": "input_image", "image_url": "x"}, 400, "image_url", "invalid_value"),
        (
            {"type": "input_image", "image_url": "data:image/png;base64,***"},
            400,
            "image_url",
            "invalid_value",
        ),
        (
            {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
            400,
            "image_url",
            "invalid_image_format",
        ),
        ({"type": "input_file"}, 400, "file_id", "missing_required_parameter"),
        ({"type": "input_file", "file_data": "AAAA"}, 400, "file_data", "invalid_value"),
        ({"type": "input_file", "file_id": "file-x"}, 404, None, None),
    ],
)
async def test_a_file_that_cannot_be_read_is_refused(
    local: Local, part: dict[str, Any], status: int, param: str | None, code: str | None
) -> None:
    got, error = await refused(local, asking("") | {"input": [{**USER, "content": [part]}]})

    expected = None if param is None else f"input[0].content[0].{param}"
    assert (got, error["param"], error["code"]) == (status, expected, code)


async def test_a_picture_elsewhere_is_taken_and_not_fetched(local: Local) -> None:
    part = {"type": "input_image", "image_url": "https://example.org/a.png"}
    status, _ = await local.call("POST", "/responses", {"model": "m", "input": [{**USER, "content": [part]}]})

    assert status == 200


async def test_a_response_id_of_the_wrong_kind_is_told_from_one_that_is_not_there(local: Local) -> None:
    assert (await local.call("GET", "/responses/undefined"))[0] == 400
    assert (await local.call("POST", "/responses/resp_x/cancel"))[0] == 404
    assert (await local.call("GET", "/containers/undefined/files"))[0] == 400
    assert (await local.call("GET", "/containers/cntr_x/files/cfile_x/content"))[0] == 404

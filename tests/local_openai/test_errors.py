"""Error bodies and statuses, as real answers were seen."""

from typing import Any

import aiohttp
import pytest
from openai import AsyncOpenAI, AuthenticationError, BadRequestError, NotFoundError

from deep_chat_proxy.local_openai import LocalOptions
from local_openai.wire import Local, StartLocal, ids, thread_and_run

pytestmark = pytest.mark.filterwarnings("ignore:The Assistants API is deprecated:DeprecationWarning")
HELLO = {"role": "user", "content": "Hello"}


def error(message: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}


async def test_a_thread_with_an_active_run_takes_no_message_and_no_other_run(local: Local) -> None:
    _, run = await local.call("POST", "/threads/runs", thread_and_run("hang"))
    path = f"/threads/{run['thread_id']}"

    assert await local.call("POST", f"{path}/messages", HELLO) == (
        400,
        error(f"Can't add messages to {run['thread_id']} while a run {run['id']} is active."),
    )
    assert await local.call("POST", f"{path}/runs", {"assistant_id": "asst_local"}) == (
        400,
        error(f"Thread {run['thread_id']} already has an active run {run['id']}."),
    )


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/threads/thread_x", "No thread found with id 'thread_x'."),
        ("/threads/thread_x/messages", "No thread found with id 'thread_x'."),
        ("/threads/{thread}/runs/run_x", "No run found with id 'run_x'."),
        ("/threads/{thread}/messages/msg_x", "No message found with id 'msg_x'."),
        ("/threads/{thread}/messages?after=msg_x", "No message found with id 'msg_x'."),
        ("/threads/{thread}/runs/{run}/steps/step_x", "No step found with id 'step_x'."),
        ("/assistants/asst_x", "No assistant found with id 'asst_x'."),
        ("/nonsense", "Invalid URL (GET /v1/nonsense)"),
    ],
)
async def test_what_is_not_there_is_404(local: Local, path: str, message: str) -> None:
    thread_id, run_id = ids(await local.ask("Hello"))
    answer = await local.call("GET", path.format(thread=thread_id, run=run_id))

    assert answer == (404, error(message))


async def test_an_unknown_assistant_is_404_for_the_sdk(local: Local) -> None:
    thread = await local.client.beta.threads.create()
    with pytest.raises(NotFoundError, match="No assistant found with id 'asst_none'"):
        await local.client.beta.threads.runs.create(thread_id=thread.id, assistant_id="asst_none")


async def test_an_id_of_the_wrong_kind_is_told_from_one_that_is_not_there(local: Local) -> None:
    with pytest.raises(BadRequestError) as refused:
        await local.client.beta.threads.messages.list("undefined")

    assert (
        refused.value.body
        == error(
            "Invalid 'thread_id': 'undefined'. Expected an ID that begins with 'thread'.",
            "thread_id",
            "invalid_value",
        )["error"]
    )


async def test_a_wrong_key_and_no_key_are_401(local: Local) -> None:
    async with AsyncOpenAI(api_key="invalid", base_url=local.base_url, max_retries=0) as client:
        with pytest.raises(AuthenticationError) as refused:
            await client.models.list()
    async with aiohttp.ClientSession() as http, http.get(f"{local.base_url}/models") as response:
        status, answer = response.status, await response.json()

    assert refused.value.code == "invalid_api_key"
    assert status == 401
    assert answer["error"]["message"].startswith("You didn't provide an API key.")


@pytest.mark.parametrize(
    ("value", "begins"), [("", "You must provide"), ("assistants=v1", "The v1 Assistants API")]
)
async def test_the_assistants_family_demands_its_beta_header(local: Local, value: str, begins: str) -> None:
    status, answer = await local.call("GET", "/assistants", **{"OpenAI-Beta": value})

    assert (status, answer["error"]["code"]) == (400, "invalid_beta")
    assert answer["error"]["message"].startswith(begins)
    assert (await local.call("GET", "/models", **{"OpenAI-Beta": value}))[0] == 200


@pytest.mark.parametrize(
    ("body", "message", "param", "code"),
    [
        ({}, "Missing required parameter: 'role'.", "role", "missing_required_parameter"),
        ({**HELLO, "x": 1}, "Unknown parameter: 'x'.", "x", "unknown_parameter"),
        ({"role": "user", "content": ""}, "Message content must be non-empty.", "content", None),
        (
            {**HELLO, "attachments": [{"file_id": "file-x", "tools": []}]},
            "No file found with id 'file-x'.",
            None,
            None,
        ),
        (
            {"role": "user", "content": "x" * 256_001},
            "Invalid 'content': string too long. Expected a string with maximum length 256000.",
            "content",
            "string_above_max_length",
        ),
    ],
)
async def test_a_message_that_cannot_be_taken_is_explained(
    local: Local, body: dict[str, Any], message: str, param: str | None, code: str | None
) -> None:
    _, thread = await local.call("POST", "/threads", {})
    status, answer = await local.call("POST", f"/threads/{thread['id']}/messages", body)

    assert (status, answer) == (404 if "file" in message else 400, error(message, param, code))
    assert local.state.threads[thread["id"]].messages == {}


@pytest.mark.parametrize(
    "content", [[], [{"type": "text"}], 3, [{"type": "image_url", "image_url": {"url": "data:,"}}]]
)
async def test_content_of_another_shape_is_400(local: Local, content: Any) -> None:
    _, thread = await local.call("POST", "/threads", {})
    status, _ = await local.call(
        "POST", f"/threads/{thread['id']}/messages", {"role": "user", "content": content}
    )

    assert status == 400


async def test_a_body_that_is_no_json_is_400(local: Local) -> None:
    async with local.http.post(f"{local.base_url}/threads", data=b"{nonsense") as response:
        status, answer = response.status, await response.json()

    assert (status, answer["error"]["type"]) == (400, "invalid_request_error")


async def test_a_body_above_the_limit_is_413(start_local: StartLocal) -> None:
    local = await start_local(LocalOptions(max_body=1_000))
    metadata = {"metadata": {"a": "x" * 400, "b": "x" * 400}}
    statuses = [
        (await local.call("POST", "/threads", body))[0]
        for body in (metadata, {"metadata": {**metadata["metadata"], "c": "x" * 400}})
    ]

    assert statuses == [200, 413]


async def test_a_full_thread_takes_no_more_messages(start_local: StartLocal) -> None:
    local = await start_local(LocalOptions(max_messages=2))
    _, thread = await local.call("POST", "/threads", {"messages": [HELLO]})
    path = f"/threads/{thread['id']}/messages"
    statuses = [(await local.call("POST", path, HELLO))[0] for _ in range(2)]

    assert statuses == [200, 400]


@pytest.mark.parametrize("body", [{"model": None}, {}])
async def test_an_assistant_needs_a_model(local: Local, body: dict[str, Any]) -> None:
    assert (await local.call("POST", "/assistants", body))[0] == 400


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "order=up"])
async def test_a_page_that_cannot_be_is_400(local: Local, query: str) -> None:
    assert (await local.call("GET", f"/assistants?{query}"))[0] == 400


async def test_a_method_that_a_path_does_not_have_is_405(local: Local) -> None:
    assert (await local.call("DELETE", "/models"))[0] == 405


@pytest.mark.parametrize("wrong", [{"token_delay": 11}, {"run_ttl": 0}, {"max_files": 0}])
def test_options_out_of_their_range_are_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LocalOptions(**wrong)

"""What else than text a response holds: hosted tools, citations, files, pictures, reasoning, approvals."""

import base64
from typing import Any

import pytest

from deep_chat_proxy.local_openai import LocalOptions
from deep_chat_proxy.local_openai.brain import sniff
from local_openai.responses_wire import (
    CODE,
    EVERYTHING,
    MCP,
    annotations,
    ask,
    asking,
    conversation_items,
    conversation_with,
    create,
    ended,
    input_items,
    kinds,
    only,
    refused,
    said,
)
from local_openai.samples import NOTES, NOTES_URL, PNG, PNG_URL, upload
from local_openai.wire import Local, StartLocal

FILE_SEARCH = {"type": "file_search", "vector_store_ids": []}


def message(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(parts)}]


def text(words: str) -> dict[str, Any]:
    return {"type": "input_text", "text": words}


async def test_a_csv_is_cited_in_the_text_and_can_be_downloaded_from_its_container(local: Local) -> None:
    response = ended(await ask(local, "make a csv", tools=[CODE]))
    (citation,) = annotations(response)
    content = await local.client.containers.files.content.retrieve(
        citation["file_id"], container_id=citation["container_id"]
    )
    listed = await local.client.containers.files.list(citation["container_id"])

    assert citation["type"] == "container_file_citation"
    assert said(response)[citation["start_index"] : citation["end_index"]] == "sandbox:/mnt/data/cities.csv"
    assert only(response, "code_interpreter_call")["container_id"] == citation["container_id"]
    assert (await content.aread()).startswith(b"city,celsius\r\n")
    assert [(one.id, one.path, one.source) for one in listed.data] == [
        (citation["file_id"], "/mnt/data/cities.csv", "assistant")
    ]


async def test_the_code_interpreter_has_its_events(local: Local) -> None:
    events = await ask(local, "make a csv", tools=[CODE])
    code = "".join(event["delta"] for event in events if event["type"].endswith("_code.delta"))

    assert kinds(events)[2:9] == [
        "output_item.added",
        "code_interpreter_call.in_progress",
        "code_interpreter_call_code.delta",
        "code_interpreter_call_code.done",
        "code_interpreter_call.interpreting",
        "code_interpreter_call.completed",
        "output_item.done",
    ]
    assert only(ended(events), "code_interpreter_call")["code"] == code
    assert kinds(events).index("output_text.annotation.added") < kinds(events).index("output_text.done")


async def test_a_chart_is_an_image_of_the_code_interpreter_and_a_file_of_its_container(local: Local) -> None:
    response = await create(local, "draw a chart", tools=[CODE], include=EVERYTHING)
    (citation,) = annotations(response)
    (output,) = only(response, "code_interpreter_call")["outputs"]
    path = f"/containers/{citation['container_id']}/files/{citation['file_id']}/content"
    async with local.http.get(local.base_url + path) as downloaded:
        data = await downloaded.read()

    assert (citation["filename"], citation["start_index"], citation["end_index"]) == ("cities.png", 0, 0)
    assert sniff.picture(data) == sniff.Picture("PNG", 320, 200)
    assert base64.b64decode(output["url"].partition(",")[2]) == data


async def test_a_chart_is_generated_where_there_is_no_code_interpreter(local: Local) -> None:
    events = await ask(local, "draw a chart", tools=[{"type": "image_generation", "partial_images": 2}])
    item = only(ended(events), "image_generation_call")

    assert [kind for kind in kinds(events) if kind.startswith("image")] == [
        "image_generation_call.in_progress",
        "image_generation_call.generating",
        "image_generation_call.partial_image",
        "image_generation_call.partial_image",
        "image_generation_call.completed",
    ]
    assert sniff.picture(base64.b64decode(item["result"])) is not None
    assert (item["output_format"], item["size"]) == ("png", "320x200")


async def test_a_container_can_be_named_and_holds_the_files_that_come_with_the_tool(local: Local) -> None:
    file_id = await upload(local, "notes.txt", NOTES)
    tool = {**CODE, "container": {"type": "auto", "file_ids": [file_id]}}
    first = await create(local, "What is in the file?", tools=[tool])
    container_id = only(first, "code_interpreter_call")["container_id"]
    second = await create(local, "make a csv", tools=[{**CODE, "container": container_id}])
    _, files = await local.call("GET", f"/containers/{container_id}/files?order=asc")

    assert "Tuesday" in said(first)
    assert only(second, "code_interpreter_call")["container_id"] == container_id
    assert [(one["path"], one["source"]) for one in files["data"]] == [
        (f"/mnt/data/{file_id}-notes.txt", "user"),
        ("/mnt/data/cities.csv", "assistant"),
    ]


async def test_a_file_of_a_container_can_be_deleted(local: Local) -> None:
    (citation,) = annotations(await create(local, "make a csv", tools=[CODE]))
    path = f"/containers/{citation['container_id']}/files/{citation['file_id']}"
    before = (await local.call("GET", path))[0]
    await local.call("DELETE", path)

    assert (before, (await local.call("GET", path))[0]) == (200, 404)
    assert (await local.call("GET", f"/containers/{citation['container_id']}"))[1]["status"] == "running"


async def test_a_container_ends_after_its_rest(start_local: StartLocal) -> None:
    local = await start_local(LocalOptions(token_delay=0, container_ttl=0.001))
    (citation,) = annotations(await create(local, "make a csv", tools=[CODE]))

    assert (await local.call("GET", f"/containers/{citation['container_id']}/files"))[0] == 404
    status, _ = await refused(
        local, asking("make a csv", tools=[{**CODE, "container": citation["container_id"]}])
    )
    assert status == 404


async def test_a_web_search_cites_the_pages_it_found(local: Local) -> None:
    events = await ask(local, "search the web for cats", tools=[{"type": "web_search"}], include=EVERYTHING)
    response = ended(events)
    item = only(response, "web_search_call")
    cited = {
        one["url"]: said(response)[one["start_index"] : one["end_index"]] for one in annotations(response)
    }

    assert kinds(events)[3:6] == [
        f"web_search_call.{one}" for one in ("in_progress", "searching", "completed")
    ]
    assert item["action"]["query"] == "cats"
    assert [source["url"] for source in item["action"]["sources"]] == list(cited)
    assert all(url in words for url, words in cited.items())


async def test_a_stored_file_is_searched_and_cited(local: Local) -> None:
    file_id = await upload(local, "notes.txt", NOTES)
    asked = message({"type": "input_file", "file_id": file_id}, text("What does it say?"))
    events = await ask(local, asked, tools=[FILE_SEARCH], include=EVERYTHING)  # type: ignore[arg-type]
    response = ended(events)
    (citation,) = annotations(response)
    item = only(response, "file_search_call")

    assert kinds(events)[3:6] == [
        f"file_search_call.{one}" for one in ("in_progress", "searching", "completed")
    ]
    assert item["queries"] == ["What does it say?"]
    assert item["results"][0]["text"].startswith("The meeting")
    assert citation == {
        "type": "file_citation",
        "file_id": file_id,
        "filename": "notes.txt",
        "index": len(said(response).rstrip("\n")),
    }


async def test_what_was_found_and_put_out_is_shown_only_when_asked_for(local: Local) -> None:
    file_id = await upload(local, "notes.txt", NOTES)
    asked = message({"type": "input_file", "file_id": file_id}, text("?"))
    made = await create(local, asked, tools=[FILE_SEARCH])
    more = f"/responses/{made['id']}?include[]=file_search_call.results"
    chart = await create(local, "draw a chart", tools=[CODE])

    assert only(made, "file_search_call")["results"] is None
    assert only((await local.call("GET", more))[1], "file_search_call")["results"] is not None
    assert only(chart, "code_interpreter_call")["outputs"] is None


@pytest.mark.parametrize("stored", [True, False])
async def test_files_and_pictures_are_described_wherever_they_are(local: Local, stored: bool) -> None:
    if stored:
        picture = {"type": "input_image", "file_id": await upload(local, "a.png", PNG)}
        notes = {"type": "input_file", "file_id": await upload(local, "notes.txt", NOTES)}
    else:
        picture = {"type": "input_image", "image_url": PNG_URL}
        notes = {"type": "input_file", "filename": "notes.txt", "file_data": NOTES_URL}
    first = await create(local, message(text("Look"), picture, notes))
    second = await create(local, "What was in that file?", previous_response_id=first["id"])

    assert "PNG picture of 320 x 200" in said(first)
    assert "**notes.txt** (27 bytes) says: “The meeting is on Tuesday.”" in said(first)
    assert "Tuesday" in said(second)
    assert bool(annotations(first)) is stored


async def test_what_a_message_holds_is_shown_without_its_bytes(local: Local) -> None:
    asked = message(
        {"type": "input_image", "image_url": PNG_URL}, {"type": "input_file", "file_data": NOTES_URL}
    )
    made = await create(local, asked)
    (plain,) = await input_items(local, made["id"])
    (full,) = await input_items(local, made["id"], "include[]=message.input_image.image_url")

    assert [part.get("image_url") for part in plain["content"]] == [None, None]
    assert full["content"][0]["image_url"] == PNG_URL
    assert full["content"][1]["file_data"] is None


async def test_reasoning_comes_before_the_answer_and_shows_a_summary(local: Local) -> None:
    events = await ask(local, "Think hard, then count to 2", include=EVERYTHING)
    response = ended(events)
    summary = [part["text"] for part in response["output"][0]["summary"]]

    assert kinds(events)[2:8] == [
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "reasoning_summary_part.added",
    ]
    assert [item["type"] for item in response["output"]] == ["reasoning", "message"]
    assert all(part.startswith("**") for part in summary)
    assert response["output"][0]["encrypted_content"]
    assert response["usage"]["output_tokens_details"]["reasoning_tokens"] > 0
    assert said(response) == "1 2 "


async def test_a_tool_of_an_mcp_server_is_listed_and_called(local: Local) -> None:
    conversation_id = await conversation_with(local)
    place = {"conversation": conversation_id, "tools": [{**MCP, "require_approval": "never"}]}
    events = await ask(local, "use the mcp server", **place)
    again = await create(local, "use the mcp server", **place)
    call = only(ended(events), "mcp_call")

    assert [kind for kind in kinds(events) if kind.startswith("mcp")] == [
        "mcp_list_tools.in_progress",
        "mcp_list_tools.completed",
        "mcp_call.in_progress",
        "mcp_call_arguments.delta",
        "mcp_call_arguments.done",
        "mcp_call.completed",
    ]
    assert (call["server_label"], call["name"], call["arguments"], call["output"]) == (
        "dice",
        "roll_dice",
        '{"sides": 6}',
        "4",
    )
    assert [item["type"] for item in again["output"]] == ["mcp_call", "message"]
    assert len(await conversation_items(local, conversation_id)) == 7


@pytest.mark.parametrize("approve", [True, False])
async def test_a_tool_that_needs_approval_is_used_only_with_it(local: Local, approve: bool) -> None:
    first = await create(local, "use the mcp server", tools=[MCP])
    asked_id = only(first, "mcp_approval_request")["id"]
    answer = {"type": "mcp_approval_response", "approval_request_id": asked_id, "approve": approve}
    second = await create(local, [answer], previous_response_id=first["id"], tools=[MCP])

    assert first["output"][-1]["type"] == "mcp_approval_request"
    assert [item["type"] for item in second["output"]] == (
        ["mcp_call", "message"] if approve else ["message"]
    )
    assert ("answered: 4" in said(second)) is approve
    assert not approve or only(second, "mcp_call")["approval_request_id"] == asked_id


async def test_an_approval_of_nothing_is_refused(local: Local) -> None:
    answer = {"type": "mcp_approval_response", "approval_request_id": "mcpr_x", "approve": True}
    status, error = await refused(local, {"model": "m", "input": [answer]})

    assert (status, error["message"]) == (400, "Approval request with id 'mcpr_x' not found.")


async def test_output_items_of_all_kinds_can_be_sent_back(local: Local) -> None:
    tools = [CODE, {"type": "web_search"}, {**MCP, "require_approval": "never"}]
    history: list[Any] = []
    for asked in ("think hard, then make a csv", "search the web for cats", "use the mcp server", "refuse"):
        history.append({"role": "user", "content": asked})
        history += (await create(local, history, tools=tools, store=False, include=EVERYTHING))["output"]
    last = await create(local, [*history, {"role": "user", "content": "How many messages?"}])

    assert "5 messages of yours, this one included, and 4 of mine" in said(last)


async def test_an_item_can_be_sent_back_by_its_id(local: Local) -> None:
    made = await create(local, "My name is Ada")
    (question,) = await input_items(local, made["id"])
    history = [{"type": "item_reference", "id": item["id"]} for item in (question, *made["output"])]
    again = await create(local, [*history, {"role": "user", "content": "What is my name?"}])
    status, error = await refused(local, asking("") | {"input": [{"type": "item_reference", "id": "msg_x"}]})

    assert said(again) == "Your name is Ada."
    assert (status, error["message"]) == (404, "Item with id 'msg_x' not found.")


async def test_an_output_that_comes_once_more_behind_a_message_is_no_error(local: Local) -> None:
    output = {"type": "function_call_output", "call_id": "call_1", "output": "sunny"}
    items = [
        {"role": "user", "content": "weather in Paris"},
        {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": "{}"},
        output,
        {"role": "user", "content": "hello"},
        output,
    ]
    status, answer = await local.call("POST", "/responses", {"model": "local-1", "input": items})

    assert (status, answer["status"]) == (200, "completed")

"""Files: uploaded, read, made by the assistant, downloaded, deleted."""

import zlib
from typing import Any

import pytest
from aiohttp import FormData
from hypothesis import given
from hypothesis import strategies as st
from openai.types import FileObject

from deep_chat_proxy.local_openai import LocalOptions
from deep_chat_proxy.local_openai.brain import sniff
from deep_chat_proxy.local_openai.brain.png import bar_chart
from local_openai.wire import Local, StartLocal, last, said

pytestmark = pytest.mark.filterwarnings("ignore:The Assistants API is deprecated:DeprecationWarning")
NOTES = b"The meeting is on Tuesday.\nBring the map.\n"
PDF = (
    b"%PDF-1.4\n1 0 obj\n<</Filter/FlateDecode>>\nstream\n"
    + zlib.compress(b"BT /F1 12 Tf (Hello from \\(a\\) PDF) Tj ET")
    + b"\nendstream\nendobj\n%%EOF\n"
)
GIF = b"GIF89a" + (7).to_bytes(2, "little") + (5).to_bytes(2, "little") + b"\0\0\0;"
JPEG = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x11\x08\x00\x09\x00\x0c\x03" + b"\0" * 10
WEBP = b"RIFF\x1a\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + (31).to_bytes(3, "little") + (15).to_bytes(3, "little")


async def upload(local: Local, name: str, data: bytes, purpose: str = "assistants") -> FileObject:
    assert purpose in {"assistants", "vision"}
    return await local.client.files.create(file=(name, data), purpose=purpose)  # type: ignore[arg-type]


def with_files(text: str, files: list[FileObject], tool: str) -> dict[str, Any]:
    attachments = [{"file_id": file.id, "tools": [{"type": tool}]} for file in files]
    return {"messages": [{"role": "user", "content": text, "attachments": attachments}]}


async def ask(local: Local, thread: dict[str, Any]) -> list[tuple[str, Any]]:
    return await local.stream("/threads/runs", {"assistant_id": "asst_local", "thread": thread})


async def test_the_sdk_uploads_retrieves_and_deletes_a_file(local: Local) -> None:
    file = await upload(local, "notes.txt", NOTES)
    again = await local.client.files.retrieve(file.id)
    deleted = await local.client.files.delete(file.id)

    assert FileObject.model_validate(again.to_dict()) == file
    assert (file.filename, file.bytes, file.purpose, deleted.deleted) == (
        "notes.txt",
        len(NOTES),
        "assistants",
        True,
    )
    assert (await local.call("GET", f"/files/{file.id}"))[0] == 404


async def test_only_what_was_not_given_to_an_assistant_can_be_downloaded(local: Local) -> None:
    picture = await upload(local, "a.gif", GIF, "vision")
    notes = await upload(local, "notes.txt", NOTES)
    content = await local.client.files.content(picture.id)
    status, answer = await local.call("GET", f"/files/{notes.id}/content")

    assert content.content == GIF
    assert (status, answer["error"]["message"]) == (
        400,
        "Not allowed to download files of purpose: assistants",
    )


async def test_a_text_file_is_quoted_with_a_citation(local: Local) -> None:
    file = await upload(local, "notes.txt", NOTES)
    events = await ask(local, with_files("What does it say?", [file], "file_search"))

    text = last(events, "thread.message.completed")["content"][0]["text"]
    (annotation,) = text["annotations"]
    assert "The meeting is on Tuesday. Bring the map." in text["value"]
    assert annotation["file_citation"] == {"file_id": file.id}
    assert (
        text["value"][annotation["start_index"] : annotation["end_index"]]
        == "【4:0†source】"
        == annotation["text"]
    )
    assert said(events) == text["value"]


async def test_a_file_is_cited_twice_on_request(local: Local) -> None:
    file = await upload(local, "notes.txt", NOTES)
    events = await ask(local, with_files("cite the file", [file], "file_search"))

    text = last(events, "thread.message.completed")["content"][0]["text"]
    assert [annotation["text"] for annotation in text["annotations"]] == ["【4:0†source】", "【4:1†source】"]
    assert "“The”【4:0†source】" in text["value"]
    assert "“map.”【4:1†source】" in text["value"]
    steps = [data["step_details"]["type"] for name, data in events if name == "thread.run.step.completed"]
    assert steps == ["tool_calls", "message_creation"]


async def test_there_has_to_be_a_file_that_is_cited(local: Local) -> None:
    assert "I see none" in said(
        await ask(local, {"messages": [{"role": "user", "content": "cite the file"}]})
    )


async def test_what_a_file_search_found_is_shown_only_when_asked_for(local: Local) -> None:
    file = await upload(local, "notes.txt", NOTES)
    run = last(await ask(local, with_files("?", [file], "file_search")), "thread.run.completed")
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/steps?order=asc"
    _, plain = await local.call("GET", path)
    _, full = await local.call(
        "GET", path + "&include[]=step_details.tool_calls[*].file_search.results[*].content"
    )

    results = [
        steps["data"][0]["step_details"]["tool_calls"][0]["file_search"]["results"][0]
        for steps in (plain, full)
    ]
    assert [result["file_name"] for result in results] == ["notes.txt", "notes.txt"]
    assert "content" not in results[0]
    assert results[1]["content"][0]["text"].startswith("The meeting")


async def test_the_code_interpreter_reads_a_file_too(local: Local) -> None:
    file = await upload(local, "notes.txt", NOTES)
    events = await ask(local, with_files("What does it say?", [file], "code_interpreter"))

    (call,) = next(data for name, data in events if name == "thread.run.step.completed")["step_details"][
        "tool_calls"
    ]
    assert "open(" in call["code_interpreter"]["input"]
    assert "Tuesday" in call["code_interpreter"]["outputs"][0]["logs"]
    assert "Tuesday" in said(events)


async def test_a_message_of_pictures_alone_is_answered_with_their_sizes(local: Local) -> None:
    files = [await upload(local, "x.bin", data, "vision") for data in (GIF, JPEG, WEBP, bar_chart([1, 2]))]
    content = [{"type": "image_file", "image_file": {"file_id": file.id}} for file in files]
    events = await ask(local, {"messages": [{"role": "user", "content": content}]})

    for fact in (
        "GIF picture of 7 x 5",
        "JPEG picture of 12 x 9",
        "WebP picture of 32 x 16",
        "PNG picture of 320 x 200",
    ):
        assert fact in said(events)


async def test_several_files_are_each_named(local: Local) -> None:
    files = [
        await upload(local, "notes.txt", NOTES),
        await upload(local, "a.pdf", PDF),
        await upload(local, "b.bin", b"\0\1"),
        await upload(local, "c.pdf", b"%PDF-1.4\n"),
        await upload(local, "empty.txt", b""),
    ]
    text = said(await ask(local, with_files("Look at these", files, "file_search")))

    assert "5 files" in text
    assert all(file.filename in text for file in files)
    assert "Hello from (a) PDF" in text


async def test_a_file_is_remembered_in_the_thread(local: Local) -> None:
    file = await upload(local, "notes.txt", NOTES)
    run = last(await ask(local, with_files("Keep this", [file], "file_search")), "thread.run.completed")
    question = {"role": "user", "content": "What was in that file?"}
    more = await local.stream(
        f"/threads/{run['thread_id']}/runs", {"assistant_id": "asst_local", "additional_messages": [question]}
    )

    assert "Tuesday" in said(more)


async def test_a_csv_is_linked_in_the_text_and_can_be_downloaded(local: Local) -> None:
    message = last(await local.ask("Please make a CSV"), "thread.message.completed")
    text = message["content"][0]["text"]
    (annotation,) = text["annotations"]
    content = await local.client.files.content(annotation["file_path"]["file_id"])

    assert (
        text["value"][annotation["start_index"] : annotation["end_index"]] == "sandbox:/mnt/data/cities.csv"
    )
    assert content.content.startswith(b"city,celsius\r\nParis,21\r\n")


async def test_a_chart_is_a_picture_in_the_message_and_in_the_step(local: Local) -> None:
    events = await local.ask("draw a chart")
    message = last(events, "thread.message.completed")
    step = next(data for name, data in events if name == "thread.run.step.completed")
    file_id = message["content"][0]["image_file"]["file_id"]
    content = await local.client.files.content(file_id)
    file = await local.client.files.retrieve(file_id)

    assert [part["type"] for part in message["content"]] == ["image_file", "text"]
    outputs = step["step_details"]["tool_calls"][0]["code_interpreter"]["outputs"]
    assert outputs == [{"type": "image", "image": {"file_id": file_id}}]
    assert sniff.picture(content.content) == sniff.Picture("PNG", 320, 200)
    assert (file.purpose, file.filename) == ("assistants_output", "cities.png")


async def test_a_file_of_the_size_limit_is_taken_and_a_larger_one_is_not(start_local: StartLocal) -> None:
    local = await start_local(LocalOptions(max_upload=100))
    await upload(local, "fits.bin", bytes(100))
    form = FormData({"purpose": "assistants"})
    form.add_field("file", bytes(101), filename="large.bin")
    async with local.http.post(f"{local.base_url}/files", data=form) as response:
        status = response.status

    assert status == 413
    assert len(local.state.files) == 1


async def test_the_oldest_files_go_when_there_is_no_room(start_local: StartLocal) -> None:
    local = await start_local(LocalOptions(max_files=3, max_file_bytes=100))
    names = ["a", "b", "c", "d"]
    for name in names:
        await upload(local, name, b"12")
    kept_by_number = [kept.file.filename for kept in local.state.files.values()]
    await upload(local, "e", bytes(97))

    assert kept_by_number == ["b", "c", "d"]
    assert [kept.file.filename for kept in local.state.files.values()] == ["d", "e"]


async def test_the_path_in_a_file_name_is_dropped(local: Local) -> None:
    form = FormData({"purpose": "assistants"}, quote_fields=False)
    form.add_field("file", b"x", filename="../../etc/pass wörd.txt")
    async with local.http.post(f"{local.base_url}/files", data=form) as response:
        answer = await response.json()

    assert answer["filename"] == "pass wörd.txt"


@pytest.mark.parametrize(
    ("fields", "param"),
    [({}, "purpose"), ({"purpose": "nonsense"}, "purpose"), ({"purpose": "assistants"}, "file")],
)
async def test_an_upload_without_its_fields_is_refused(
    local: Local, fields: dict[str, str], param: str
) -> None:
    form = FormData(fields, default_to_multipart=True)
    if param == "purpose":
        form.add_field("file", b"x", filename="x")
    async with local.http.post(f"{local.base_url}/files", data=form) as response:
        answer = await response.json()

    assert (response.status, answer["error"]["param"]) == (400, param)


@given(
    st.sampled_from([GIF, JPEG, WEBP, PDF, NOTES, bar_chart([3, 1])]),
    st.integers(0, 40),
    st.binary(max_size=40),
)
def test_any_bytes_can_be_looked_at(start: bytes, kept: int, rest: bytes) -> None:
    data = start[:kept] + rest

    assert sniff.picture(data) is None or sniff.picture(data).format in {"PNG", "GIF", "JPEG", "WebP"}  # type: ignore[union-attr]
    assert isinstance(sniff.text(data), str | None)
    assert isinstance(sniff.pdf_text(data), str | None)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), st.integers(0, 100))
def test_text_is_text_wherever_it_is_cut(text: str, cut: int) -> None:
    shown = sniff.text(text.encode()[:cut])

    assert shown is not None
    assert text.removeprefix("\ufeff").startswith(shown)

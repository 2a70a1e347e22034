"""Attachments on their way to the back end, and files on their way back."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deep_chat_proxy.errors import FAILED, NOT_CONFIGURED, RATE_LIMITED, REJECTED, ChatError
from deep_chat_proxy.turn.events import FileKind
from deep_chat_proxy.turn.message import Attachment, UserMessage
from deep_chat_proxy.upstream.assistants.dialect import AssistantsDialect
from deep_chat_proxy.upstream.assistants.message import message_body
from deep_chat_proxy.upstream.files import SentFile
from playing import until
from upstream import recording as rec
from upstream.backend import Answer, Body, Gone, Json, ScriptedBackend, Seen
from upstream.playing import play
from upstream.scenes import (
    ADD,
    DELETE_THREAD,
    NEW_THREAD,
    NEWEST,
    START,
    TAKEN_BACK,
    messages_brought,
    streams,
)
from upstream.stopping import Held, a_turn, stop_while

SendFile = Callable[..., Attachment]


@pytest.fixture
def attachment(tmp_path: Path) -> SendFile:
    """Makes a file as a visitor sends one."""

    def make(name: str = "notes.txt", kind: FileKind = FileKind.ANY, media: str = "text/plain") -> Attachment:
        path = tmp_path / f"spooled-{len(list(tmp_path.iterdir()))}"
        path.write_bytes(b"content of " + name.encode())
        return Attachment(path, name, media, kind, path.stat().st_size, "0" * 64)

    return make


def uploads(backend: ScriptedBackend) -> list[str]:
    return [line for line in backend.lines if "/files" in line]


def posted(backend: ScriptedBackend) -> Any:
    """The one message that came onto the thread."""
    (message,) = messages_brought(backend)
    return message


async def test_attachments_are_uploaded_and_named_in_the_message(
    backend: ScriptedBackend, dialect: AssistantsDialect, attachment: SendFile
) -> None:
    files = [
        attachment('ä b%20"c".txt'),
        attachment("photo.png", FileKind.IMAGE, "image/png"),
        attachment("t.csv", media="text/csv"),
    ]
    backend.on("POST /files", _stored)
    backend.on(START, streams(rec.stream(rec.text_run())))

    played = await play(dialect, "Look", attachments=files)

    sent = backend.requests[:3]
    by_name = {
        name: seen
        for name in ("content of ä", "photo", "t.csv")
        for seen in sent
        if name.encode() in seen.body
    }
    assert b'name="purpose"\r\n\r\nassistants' in by_name["content of ä"].body
    assert b"vision" in by_name["photo"].body
    assert b"Content-Type: image/png" in by_name["photo"].body
    assert posted(backend) == {
        "role": "user",
        "content": [
            {"type": "text", "text": "Look"},
            {"type": "image_file", "image_file": {"file_id": "id of photo.png"}},
        ],
        "attachments": [
            {"file_id": 'id of ä b%20"c".txt', "tools": [{"type": "file_search"}]},
            {"file_id": "id of t.csv", "tools": [{"type": "code_interpreter"}]},
        ],
        "metadata": rec.OURS,
    }
    assert played.text == rec.TEXT
    assert not any(file.path.exists() for file in files)


def _stored(seen: Seen) -> Answer:
    content = seen.body.decode().partition("content of ")[2].partition("\r\n")[0]
    return Json({"id": f"id of {content}"})


async def test_an_upload_that_must_be_repeated_is_sent_whole_again(
    backend: ScriptedBackend, dialect: AssistantsDialect, attachment: SendFile, sleeps: list[float]
) -> None:
    backend.on("POST /files", Json({}, 429, {"Retry-After": "1"}), _stored)
    backend.on(START, streams(rec.stream(rec.text_run())))

    played = await play(dialect, attachments=[attachment()])

    assert (played.text, sleeps) == (rec.TEXT, [1])
    assert backend.requests[1].body.count(b"content of notes.txt") == 1


async def test_uploads_are_deleted_where_one_of_them_is_refused(
    backend: ScriptedBackend, dialect: AssistantsDialect, attachment: SendFile
) -> None:
    files = [attachment("a.txt"), attachment("b.txt")]

    def only_a(seen: Seen) -> Answer:
        return Json({}, 400) if b"of b.txt" in seen.body else Json({"id": "file/a"})

    backend.on("POST /files", only_a)
    backend.on("DELETE /files/file%2Fa", Json({"deleted": True}))

    played = await play(dialect, attachments=files)

    assert played.problem == REJECTED
    assert not any(file.path.exists() for file in files)
    assert uploads(backend)[2:] == ["DELETE /files/file%2Fa"]


async def test_no_upload_begins_after_one_was_refused(
    backend: ScriptedBackend, dialect: AssistantsDialect, attachment: SendFile
) -> None:
    backend.on("POST /files", Json({}, 400))

    played = await play(dialect, attachments=[attachment(f"{count}.txt") for count in range(9)])

    assert played.problem == REJECTED
    assert len(uploads(backend)) <= 3


@pytest.mark.parametrize("thread_id", [None, rec.THREAD])
async def test_uploads_are_deleted_where_their_message_is_refused(
    backend: ScriptedBackend, dialect: AssistantsDialect, attachment: SendFile, thread_id: str | None
) -> None:
    backend.on("POST /files", Json({"id": "file-1"}))
    backend.on(ADD if thread_id else NEW_THREAD, Json({}, 400))
    backend.on("DELETE /files/file-1", Json({"deleted": True}))
    file = attachment()

    played = await play(dialect, thread_id=thread_id, attachments=[file])

    assert played.problem == REJECTED
    assert uploads(backend) == ["POST /files", "DELETE /files/file-1"]
    assert START not in backend.lines
    assert not file.path.exists()


@pytest.mark.parametrize(("thread_id", "taken_back"), [(None, DELETE_THREAD), (rec.THREAD, TAKEN_BACK)])
async def test_a_message_whose_run_is_refused_is_taken_back_with_its_uploads(
    backend: ScriptedBackend,
    dialect: AssistantsDialect,
    attachment: SendFile,
    sleeps: list[float],
    thread_id: str | None,
    taken_back: str,
) -> None:
    backend.on("POST /files", Json({"id": "file-1"}))
    backend.on(START, Json({}, 429))
    backend.on(taken_back, Json({"deleted": True}))
    backend.on("DELETE /files/file-1", Json({"deleted": True}))

    played = await play(dialect, thread_id=thread_id, attachments=[attachment()])

    assert (played.problem, len(sleeps)) == (RATE_LIMITED, 2)
    assert backend.lines[-2:] == [taken_back, "DELETE /files/file-1"]
    assert played.thread.held == []


@pytest.mark.usefixtures("sleeps")
async def test_uploads_stay_where_nobody_knows_whether_a_message_holds_them(
    backend: ScriptedBackend, dialect: AssistantsDialect, attachment: SendFile
) -> None:
    backend.on("POST /files", Json({"id": "file-1"}))
    backend.on(ADD, Gone())
    backend.on(NEWEST, Json({}, 500))

    played = await play(dialect, thread_id=rec.THREAD, attachments=[attachment()])

    assert played.problem == FAILED
    assert uploads(backend) == ["POST /files"]


async def test_uploads_that_are_under_way_while_the_turn_is_stopped_are_deleted_and_no_more_begin(
    backend: ScriptedBackend, dialect: AssistantsDialect, attachment: SendFile
) -> None:
    held = Held(Json({"id": "file-1"}))
    backend.on("POST /files", held)
    backend.on("DELETE /files/file-1", Json({"deleted": True}))
    files = [attachment(f"{count}.txt") for count in range(5)]

    await stop_while(a_turn(dialect, *files), held)

    assert uploads(backend) == ["POST /files"] * 3 + ["DELETE /files/file-1"] * 3
    assert not any(file.path.exists() for file in files)


@pytest.mark.parametrize("kind", list(FileKind))
async def test_files_without_a_word_make_a_message(
    backend: ScriptedBackend, dialect: AssistantsDialect, attachment: SendFile, kind: FileKind
) -> None:
    backend.on("POST /files", Json({"id": "file-1"}))
    backend.on(START, streams(rec.stream(rec.text_run())))

    await play(dialect, "", attachments=[attachment(kind=kind)])

    assert posted(backend)["content"]


async def test_a_file_of_the_back_end_is_read_in_pieces(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    backend.on("GET /files/file%2F1/content", Body((b"ab", b"cd"), content_type="image/png"))

    async with dialect.files.content("file/1") as content:
        assert b"".join([chunk async for chunk in content.chunks]) == b"abcd"


@pytest.mark.parametrize(
    ("status", "content_range", "found"),
    [
        (206, "bytes 1-2/4", (4, 1, 3)),
        (206, "bytes 1-2/*", (0, 0, 0)),
        (206, "", (0, 0, 0)),
        (200, "bytes 1-2/4", (None, 0, None)),
    ],
)
async def test_a_part_of_a_file_is_the_one_that_the_back_end_says_it_is(
    status: int,
    content_range: str,
    found: tuple[int | None, int, int | None],
    backend: ScriptedBackend,
    dialect: AssistantsDialect,
) -> None:
    backend.on(
        "GET /files/file-1/content", Body((b"bc",), status=status, headers={"Content-Range": content_range})
    )

    async with dialect.files.content("file-1", "bytes=1-2") as content:
        assert (content.size, content.start, content.stop) == found
    assert backend.requests[-1].headers["range"] == "bytes=1-2"


async def test_a_file_that_the_back_end_does_not_have_is_an_error(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    backend.on("GET /files/file-1/content", Json({}, 404))

    with pytest.raises(ChatError) as raised:
        await dialect.files.content("file-1").__aenter__()
    assert raised.value.problem == NOT_CONFIGURED


def test_the_tool_for_all_files_can_be_chosen(attachment: SendFile) -> None:
    file = SentFile("file-1", attachment("a.csv", media="text/csv"))

    body = message_body(UserMessage("Look"), [file], "file_search")

    assert body["attachments"] == [{"file_id": "file-1", "tools": [{"type": "file_search"}]}]


async def test_many_files_are_sent_a_few_at_a_time_and_keep_their_order(
    backend: ScriptedBackend, dialect: AssistantsDialect, attachment: SendFile
) -> None:
    under_way: set[str] = set()
    most = 0

    async def store(seen: Seen) -> Answer:
        nonlocal most
        name = str(seen.body.count(b"x"))
        under_way.add(name)
        most = max(most, len(under_way))
        # Those that are sent at a time are here together, and no more come for as long as they are.
        await until(lambda: most >= 3)
        for _ in range(20):
            await asyncio.sleep(0)
        under_way.discard(name)
        return Json({"id": f"file-{name}"})

    backend.on("POST /files", store)
    backend.on(START, streams(rec.stream(rec.text_run())))
    names = ["x" * (9 - count) for count in range(9)]

    await play(dialect, attachments=[attachment(name) for name in names])

    sent = [each["file_id"] for each in posted(backend)["attachments"]]
    assert sent == sorted(sent, key=lambda file_id: -int(file_id.removeprefix("file-")))
    assert (len(sent), most) == (9, 3)

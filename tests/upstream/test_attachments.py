"""The files of a message for back ends that take them with it: read as text, sent along, kept, or refused."""

import asyncio
import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from deep_chat_proxy.errors import ChatError
from deep_chat_proxy.turn.events import Completed, FileKind
from deep_chat_proxy.turn.message import Attachment
from deep_chat_proxy.turn.transcript import AssistantSaid, AttachedFile, UserSaid
from deep_chat_proxy.upstream.attachments import MessageFiles, as_text, is_document, is_text
from deep_chat_proxy.upstream.client import ApiClient
from deep_chat_proxy.upstream.responses.items import items
from upstream import chat_recording as chat
from upstream import responses_recording as rec
from upstream import responses_scenes as scenes
from upstream.backend import Json, ScriptedBackend, client_of
from upstream.saying import RememberingThread, say

MIB = 1024 * 1024
PNG = b"\x89PNG\r\n\x1a\n of our own"
HI = chat.streams(*chat.said("Hi!"))
SendFile = Callable[..., Attachment]


@pytest.fixture
def attachment(tmp_path: Path) -> SendFile:
    """Makes a file as a visitor sends one."""

    def make(
        name: str = "notes.txt",
        data: bytes = b"Some notes.",
        media: str = "text/plain",
        kind: FileKind = FileKind.ANY,
    ) -> Attachment:
        path = tmp_path / f"spooled-{len(list(tmp_path.iterdir()))}"
        path.write_bytes(data)
        return Attachment(path, name, media, kind, len(data), "0" * 64)

    return make


@pytest.fixture
def picture(attachment: SendFile) -> SendFile:
    """Makes a picture of so many bytes."""

    def make(name: str = "photo.png", data: bytes = PNG) -> Attachment:
        return attachment(name, data, "image/png", FileKind.IMAGE)

    return make


@pytest.fixture
def client(backend: ScriptedBackend, session: aiohttp.ClientSession) -> ApiClient:
    return client_of(session, backend.base_url)


def encoded(data: bytes, media: str) -> str:
    return f"data:{media};base64,{base64.b64encode(data).decode()}"


def said_with(*files: AttachedFile) -> UserSaid:
    return UserSaid("Look", files)


def kept_picture(key: str, name: str = "old.png") -> AttachedFile:
    return AttachedFile(name, "image/png", FileKind.IMAGE, key=key)


@pytest.mark.parametrize(
    "media",
    ["text/plain", "text/csv", "text/html", "application/json", "application/xml", "application/x-sh"],
)
async def test_a_file_of_text_is_read(attachment: SendFile, media: str) -> None:
    thread = RememberingThread()
    files = MessageFiles(thread, longest=100)

    (taken,) = await files.take([attachment("ä.txt", "Grüße 世界".encode(), media)])

    assert taken == AttachedFile("ä.txt", media, FileKind.ANY, text="Grüße 世界")
    assert await files.keep(said_with(taken)) == said_with(taken)
    assert await files.encoded(taken) is None
    assert thread.files == {}
    assert as_text(taken) == "Attached file “ä.txt”:\n\nGrüße 世界"


@pytest.mark.parametrize(("data", "text"), [(b"\xef\xbb\xbfa", "a"), (b"a\xff", "a\ufffd"), (b"", "")])
async def test_text_is_read_whatever_its_bytes_are(attachment: SendFile, data: bytes, text: str) -> None:
    (taken,) = await MessageFiles(RememberingThread(), longest=10).take([attachment(data=data)])

    assert taken.text == text


async def test_a_text_that_is_too_long_is_refused(attachment: SendFile) -> None:
    files = MessageFiles(RememberingThread(), longest=5)

    assert (await files.take([attachment(data="世界世界世".encode())]))[0].text == "世界世界世"
    with pytest.raises(ChatError) as raised:
        await files.take([attachment("long.txt", b"123456")])
    assert raised.value.problem.status == 413
    assert '"long.txt"' in raised.value.problem.sentence
    assert "5 characters" in raised.value.problem.sentence


@pytest.mark.parametrize(
    ("media", "kind"),
    [
        ("application/zip", FileKind.ANY),
        ("video/mp4", FileKind.ANY),
        ("font/woff2", FileKind.ANY),
    ],
)
async def test_a_file_that_no_model_can_read_is_refused(
    attachment: SendFile, media: str, kind: FileKind
) -> None:
    files = MessageFiles(RememberingThread(), longest=100)

    with pytest.raises(ChatError) as raised:
        await files.take([attachment(), attachment("some.file", PNG, media, kind)])
    assert (raised.value.problem.status, raised.value.problem.code) == (415, "file_not_taken")
    assert '"some.file"' in raised.value.problem.sentence


def test_documents_are_taken_and_archives_are_not() -> None:
    office = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

    assert all(map(is_document, ("application/pdf", office)))
    assert not any(map(is_document, ("application/zip", "image/png", "text/plain", "")))
    assert not any(map(is_text, ("application/pdf", "image/svg+xml", "")))


async def test_a_copy_of_each_new_file_is_kept_once_the_message_is_remembered(
    attachment: SendFile, picture: SendFile
) -> None:
    thread = RememberingThread()
    files = MessageFiles(thread, longest=100)
    taken = await files.take([attachment(), picture()])

    assert thread.files == {}
    kept = await files.keep(said_with(*taken))

    (key,) = thread.files
    assert thread.files == {key: PNG}
    assert kept == said_with(taken[0], kept_picture(key, "photo.png"))
    assert await files.encoded(kept.files[1]) == base64.b64encode(PNG).decode()
    assert await MessageFiles(thread, longest=100).encoded(kept.files[1]) == base64.b64encode(PNG).decode()


async def test_a_file_that_had_to_make_room_is_named() -> None:
    files = MessageFiles(RememberingThread(), longest=100)

    assert await files.encoded(kept_picture("gone")) is None
    assert as_text(kept_picture("gone")) == "(Attached: old.png)"


async def test_files_of_earlier_messages_are_sent_again_up_to_a_bound_for_each_request() -> None:
    thread = RememberingThread()
    thread.files = {"a": b"x" * 5 * MIB, "b": b"x" * 4 * MIB, "c": b"x" * 3 * MIB}
    files = MessageFiles(thread, longest=100)
    entries = [said_with(kept_picture(key)) for key in "ccba"]

    for _ in range(2):
        contents: list[Any] = [item["content"] for item in await items(entries, files)]
        kinds = [part["type"] for _, part in contents]
        assert kinds == ["input_text", "input_image", "input_text", "input_image"]


async def chat_messages(backend: ScriptedBackend, client: ApiClient, *files: Attachment, **given: Any) -> Any:
    """What a completion was asked that is to answer "Look" with these files."""
    backend.on(chat.NEW, HI)
    answer = await say(chat.dialect_of(client), "Look", *files, **given)
    assert answer.outcome == ("Hi!", Completed())
    return chat.sent(backend)[-1]


async def test_files_are_parts_of_a_message_to_a_chat_server(
    backend: ScriptedBackend, client: ApiClient, attachment: SendFile, picture: SendFile
) -> None:
    sent = [
        picture(),
        attachment(),
        attachment("a.pdf", b"%PDF", "application/pdf"),
        attachment("a.wav", b"RIFF", "audio/wav", FileKind.AUDIO),
    ]

    (message,) = await chat_messages(backend, client, *sent)

    assert message["content"] == [
        {"type": "text", "text": "Look"},
        {"type": "image_url", "image_url": {"url": encoded(PNG, "image/png")}},
        {"type": "text", "text": "Attached file “notes.txt”:\n\nSome notes."},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": encoded(b"%PDF", "application/pdf")}},
        {
            "type": "input_audio",
            "input_audio": {"data": base64.b64encode(b"RIFF").decode(), "format": "wav"},
        },
    ]
    assert not any([await asyncio.to_thread(file.path.exists) for file in sent])


async def test_text_alone_stays_one_string(
    backend: ScriptedBackend, client: ApiClient, attachment: SendFile
) -> None:
    (message,) = await chat_messages(backend, client, attachment(), attachment("b.txt"))

    assert message["content"] == (
        "Look\n\nAttached file “notes.txt”:\n\nSome notes.\n\nAttached file “b.txt”:\n\nSome notes."
    )


async def test_files_are_parts_of_a_message_to_a_responses_server(
    backend: ScriptedBackend, client: ApiClient, attachment: SendFile, picture: SendFile
) -> None:
    backend.on(scenes.NEW, scenes.streams(*rec.answer("Hi!")))
    sent = [picture(), attachment(), attachment("a.pdf", b"%PDF", "application/pdf")]

    answer = await say(scenes.dialect_of(client), "", *sent)

    assert answer.outcome == ("Hi!", Completed())
    ((message,),) = scenes.inputs(backend)
    (text, *parts) = message["content"]
    assert text["type"] == "input_text"
    assert text["text"]
    assert parts == [
        {"type": "input_image", "image_url": encoded(PNG, "image/png")},
        {"type": "input_text", "text": "Attached file “notes.txt”:\n\nSome notes."},
        {"type": "input_file", "filename": "a.pdf", "file_data": encoded(b"%PDF", "application/pdf")},
    ]


async def test_a_refused_file_is_not_sent_and_nothing_is_left_of_it(
    backend: ScriptedBackend, client: ApiClient, attachment: SendFile
) -> None:
    thread = RememberingThread()
    files = [attachment("a.zip", PNG, "application/zip") for _ in range(2)]
    for dialect in (chat.dialect_of(client), scenes.dialect_of(client)):
        answer = await say(dialect, "Look", files.pop(), thread=thread)

        assert answer.problem is not None
        assert answer.problem.status == 415
    assert (backend.lines, thread.entries, thread.files) == ([], [], {})


@pytest.fixture
def _little_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of earlier messages 8 bytes are sent again, where it would be as many MiB."""
    monkeypatch.setattr("deep_chat_proxy.upstream.attachments._MOST_AGAIN", 8)


@pytest.mark.usefixtures("_little_again")
async def test_the_newest_files_are_sent_again_and_older_ones_are_named(
    backend: ScriptedBackend, client: ApiClient
) -> None:
    thread = RememberingThread(*(said_with(kept_picture(key, f"{key}.png")) for key in "abc"))
    thread.files = {key: key.encode() * 3 for key in "abc"}

    messages = await chat_messages(backend, client, thread=thread)

    contents = [message["content"] for message in messages if message["role"] == "user"]
    again = [
        {"type": "image_url", "image_url": {"url": encoded(key * 3, "image/png")}} for key in (b"b", b"c")
    ]
    assert contents == [
        "Look\n\n(Attached: a.png)",
        *([{"type": "text", "text": "Look"}, part] for part in again),
        "Look",
    ]


@pytest.mark.usefixtures("_little_again")
async def test_a_file_of_the_message_itself_goes_along_with_every_request_of_its_turn(
    backend: ScriptedBackend, client: ApiClient, picture: SendFile
) -> None:
    backend.on(chat.NEW, chat.streams(*chat.called(chat.PARIS)), HI)

    answer = await say(chat.dialect_of(client), "Look", picture())

    assert answer.outcome == ("Hi!", Completed())
    first, second = (messages[0]["content"] for messages in chat.sent(backend))
    assert first[1]["image_url"]["url"] == encoded(PNG, "image/png")
    assert second == first


async def test_a_large_file_can_be_sent_along(
    backend: ScriptedBackend, client: ApiClient, picture: SendFile
) -> None:
    (message,) = await chat_messages(backend, client, picture(data=b"x" * 2 * MIB))

    assert message["content"][1]["image_url"]["url"] == encoded(b"x" * 2 * MIB, "image/png")


@pytest.mark.parametrize("status", [400, 415, 422])
async def test_old_pictures_are_only_named_where_a_model_cannot_take_them(
    backend: ScriptedBackend, client: ApiClient, status: int
) -> None:
    thread = RememberingThread(said_with(kept_picture("a")), AssistantSaid("Nice."))
    thread.files = {"a": PNG}
    refusal = Json(chat.refused("This model cannot see."), status)
    backend.on(scenes.NEW, refusal, scenes.streams(*rec.answer("Hi!")))
    backend.on(chat.NEW, refusal, HI)

    for dialect in (chat.dialect_of(client), scenes.dialect_of(client)):
        assert (await say(dialect, thread=thread)).outcome == ("Hi!", Completed())

    asked = [*chat.sent(backend), *scenes.inputs(backend)]
    seen = [str(messages[0]["content"]).count("base64") for messages in asked]
    assert seen == [1, 0, 1, 0]
    assert "(Attached: old.png)" in str(asked[1][0]["content"])
    assert "(Attached: old.png)" in str(asked[3][0]["content"])


async def test_a_file_is_kept_for_the_next_message_of_its_thread(
    backend: ScriptedBackend, client: ApiClient, picture: SendFile
) -> None:
    thread = RememberingThread()

    await chat_messages(backend, client, picture(), thread=thread)
    messages = await chat_messages(backend, client, thread=thread)

    assert list(thread.files.values()) == [PNG]
    assert messages[0]["content"][1] == {
        "type": "image_url",
        "image_url": {"url": encoded(PNG, "image/png")},
    }


async def test_a_message_that_is_refused_keeps_no_copy(
    backend: ScriptedBackend, client: ApiClient, picture: SendFile
) -> None:
    backend.on(chat.NEW, Json(chat.refused("Invalid image."), 400))
    thread = RememberingThread()

    answer = await say(chat.dialect_of(client), "Look", picture(), thread=thread)

    assert answer.problem is not None
    assert (thread.files, thread.entries) == ({}, [])

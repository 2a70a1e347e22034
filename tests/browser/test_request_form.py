"""Form data: files and fields in any order, damaged in any way."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from captured import post
from request_reader import BOUNDARY, PNG, form, form_body, part, request_reader

FILE = part("files", PNG, "a.png")


def message(number: int, **fields: Any) -> bytes:
    return part(f"message{number}", json.dumps(fields).encode())


async def test_messages_are_ordered_by_number_and_not_by_arrival(tmp_path: Path) -> None:
    parts = [
        message(10, role="user", text="new"),
        message(9, role="ai", text="x"),
        message(2, role="user", text="old"),
    ]
    async with request_reader(tmp_path) as reader:
        answer = await reader.ask(form(*parts, FILE))

        assert answer.content["text"] == "new"


async def test_a_last_message_of_the_assistant_means_files_without_text(tmp_path: Path) -> None:
    async with request_reader(tmp_path) as reader:
        answer = await reader.ask(
            form(FILE, message(1, role="user", text="old"), message(2, role="ai", text="x"))
        )

        assert (answer.status, answer.content["text"], len(answer.content["files"])) == (200, "", 1)


async def test_a_last_message_that_still_has_files_is_an_old_one(tmp_path: Path) -> None:
    old = message(1, role="user", text="old", files=[{"name": "b.pdf", "type": "any", "ref": {}}])
    async with request_reader(tmp_path) as reader:
        answer = await reader.ask(form(FILE, old))

        assert (answer.content["text"], [file["name"] for file in answer.content["files"]]) == ("", ["a.png"])


async def test_files_after_a_text_that_failed_are_taken_with_that_text(tmp_path: Path) -> None:
    """Deep Chat sends the same bytes for this as for text with files."""
    async with request_reader(tmp_path) as reader:
        answer = await reader.ask(form(FILE, message(1, role="user", text="failed before")))

        assert answer.content["text"] == "failed before"


async def test_a_form_without_files_is_read_like_json(tmp_path: Path) -> None:
    async with request_reader(tmp_path) as reader:
        with_text = await reader.ask(form(message(1, role="user", text="t")))
        of_the_assistant = await reader.ask(form(message(1, role="ai", text="t")))
        without_bytes = await reader.ask(form(message(1, role="user", files=[{"name": "a", "ref": {}}])))

        assert with_text.content["text"] == "t"
        assert [of_the_assistant.status, without_bytes.status] == [400, 400]


async def test_every_part_with_a_file_name_is_a_file(tmp_path: Path) -> None:
    async with request_reader(tmp_path) as reader:
        answer = await reader.ask(form(part("images", PNG, "1.png"), part("message1", b"text", "2.txt")))

        assert [file["name"] for file in answer.content["files"]] == ["1.png", "2.txt"]


async def test_fields_that_deep_chat_does_not_write_are_ignored(tmp_path: Path) -> None:
    names = [
        "model",
        "nested",
        "message",
        "message1x",
        "messages",
        "xmessage1",
        "",
        "message-1",
        "message1234567890",
    ]
    async with request_reader(tmp_path) as reader:
        answer = await reader.ask(form(FILE, *(part(name, b"[object Object]") for name in names)))

        assert (answer.status, answer.content["text"]) == (200, "")


async def test_a_new_message_that_is_not_json_is_refused(tmp_path: Path) -> None:
    async with request_reader(tmp_path) as reader:
        answer = await reader.ask(form(FILE, part("message1", b"[object Object]")))

        assert answer.status == 400
        assert reader.left_over() == []


async def test_an_empty_file_is_refused_by_name(tmp_path: Path) -> None:
    async with request_reader(tmp_path) as reader:
        answer = await reader.ask(form(FILE, part("files", b"", "empty.txt")))

        assert (answer.status, '"empty.txt" is empty' in answer.content["error"]) == (400, True)
        assert reader.left_over() == []


@pytest.mark.parametrize(
    ("content", "name"),
    [(b"MZ\x90\x00\x03", "setup.exe"), (b"\x7fELF\x02\x01\x01\x00", "photo.png"), (b"\x00\x01\x02", "a.csv")],
)
async def test_a_file_of_another_kind_is_refused_with_what_can_be_sent(
    content: bytes, name: str, tmp_path: Path
) -> None:
    async with request_reader(tmp_path) as reader:
        answer = await reader.ask(form(FILE, part("files", content, name)))

        assert answer.status == 415
        assert name in answer.content["error"]
        assert "PDF" in answer.content["error"]
        assert reader.left_over() == []


@pytest.mark.parametrize(
    ("content", "name", "media_type"),
    [
        (PNG, "report.pdf", "image/png"),
        (b"%PDF-1.7\n", "photo.png", "application/pdf"),
        (b"<svg onload=alert(1)>", "picture.png", "text/xml"),
        (b"\x1aE\xdf\xa3\x9fB\x82\x84webm A_OPUS", "audio-10-11-12.mp3", "audio/webm"),
    ],
)
async def test_a_file_is_what_it_holds_and_not_what_it_is_called(
    content: bytes, name: str, media_type: str, tmp_path: Path
) -> None:
    async with request_reader(tmp_path) as reader:
        answer = await reader.ask(form(part("files", content, name)))

        assert [(file["name"], file["media_type"]) for file in answer.content["files"]] == [
            (name, media_type)
        ]


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ('a "b".txt', 'a "b".txt'),
        ("a\r\nX-Evil: 1.txt", "a X-Evil 1.txt".replace("Evil", "Evil:")),
        ("\u202efdp.exe.txt", "fdp.exe.txt"),
        ("日本語 ä.txt", "日本語 ä.txt"),
        ("x" * 300 + ".txt", "x" * 116 + ".txt"),
        ("", "file"),
        ("..", "file"),
        ("100%.txt", "100%.txt"),
    ],
)
async def test_a_name_is_safe_to_show(sent: str, shown: str, tmp_path: Path) -> None:
    async with request_reader(tmp_path) as reader:
        answer = await reader.ask(form(part("files", b"text", sent)))

        assert [file["name"] for file in answer.content["files"]] == [shown]


async def test_a_file_that_contains_boundary_like_lines_arrives_whole(tmp_path: Path) -> None:
    content = f"--{BOUNDARY}\r\n\r\n--{BOUNDARY[:-1]}\r\n\r--\n".encode() * 5_000
    async with request_reader(tmp_path) as reader:
        answer = await reader.ask(form(part("files", content, "a.txt")))

        assert answer.content["files"][0]["sha256"] == hashlib.sha256(content).hexdigest()


DAMAGED = {
    "no boundary anywhere": post(b"Content-Disposition: x", "Content-Type: multipart/form-data"),
    "another boundary": post(form_body(FILE), "Content-Type: multipart/form-data; boundary=other"),
    "empty": form().replace(f"--{BOUNDARY}--".encode(), b" " * (len(BOUNDARY) + 4)),
    "no parts": form(),
    "cut off": post(form_body(FILE)[:-20], f"Content-Type: multipart/form-data; boundary={BOUNDARY}"),
    "cut in a header": post(FILE[:70], f"Content-Type: multipart/form-data; boundary={BOUNDARY}"),
    "no disposition": form(f"--{BOUNDARY}\r\nContent-Type: text/plain\r\n\r\nx\r\n".encode()),
    "another disposition": form(f"--{BOUNDARY}\r\nContent-Disposition: inline\r\n\r\nx\r\n".encode()),
    "a header without a colon": form(f"--{BOUNDARY}\r\nnonsense\r\n\r\nx\r\n".encode()),
    "a name that is not UTF-8": form(part("files", PNG, "a.png").replace(b"a.png", b"\xff.png")),
    "bare line feeds": form(FILE.replace(b"\r\n", b"\n")),
    "a lying length": form(
        part("files", PNG, "a.png").replace(b"\r\n\r\n", b"\r\nContent-Length: 3\r\n\r\n", 1)
    ),
}


@pytest.mark.parametrize("what", DAMAGED)
async def test_a_damaged_form_is_refused_and_leaves_no_file(what: str, tmp_path: Path) -> None:
    async with request_reader(tmp_path) as reader:
        answer = await reader.ask(DAMAGED[what])

        assert answer.status == 400
        assert answer.content["error"].endswith(".")
        assert reader.left_over() == []


PART = st.builds(
    part,
    st.sampled_from(["files", "message1", "message2", "thread_id", "model"]),
    st.binary(max_size=60) | st.sampled_from([PNG, b"text", b'{"role":"user","text":"t"}', b'"t"', b"null"]),
    st.none() | st.text(st.characters(codec="utf-8"), max_size=20),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(PART, max_size=5), data=st.data())
async def test_no_form_makes_the_reader_fail(parts: list[bytes], data: st.DataObject, tmp_path: Path) -> None:
    body = bytearray(form_body(*parts))
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=4))
    split = data.draw(st.integers(0, len(body)))
    raw = post(bytes(body), f"Content-Type: multipart/form-data; boundary={BOUNDARY}")
    async with request_reader(tmp_path) as reader:
        answer = await reader.send([raw[: len(raw) - split], raw[len(raw) - split :]])

        assert answer.status in {200, 400, 413, 415}
        assert reader.left_over() == []

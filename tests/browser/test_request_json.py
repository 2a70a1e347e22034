"""JSON requests: which message counts, what is taken from it, and what is refused with a sentence."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from captured import Answer
from request_reader import PNG, RequestReader, json_post, request_reader


def data_url(content: bytes, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


async def ask(reader: RequestReader, *messages: Any) -> Answer:
    return await reader.ask(json_post(json.dumps({"messages": messages})))


async def refusal(folder: Path, *messages: Any) -> tuple[int, str]:
    async with request_reader(folder) as reader:
        answer = await ask(reader, *messages)
        assert reader.left_over() == []
        return answer.status, answer.content["error"]


async def test_old_messages_of_any_shape_do_not_matter(tmp_path: Path) -> None:
    odd: list[Any] = [
        None,
        5,
        [],
        {"role": 7, "text": {}, "files": "x"},
        {"role": "bob", "files": [{"ref": {}}, 3]},
        "x",
        {},
    ]
    async with request_reader(tmp_path) as reader:
        answer = await ask(reader, *odd, {"role": "user", "text": "new"})

        assert (answer.status, answer.content["text"]) == (200, "new")


async def test_old_images_are_not_taken_as_uploads(tmp_path: Path) -> None:
    old = {"role": "user", "files": [{"src": data_url(PNG), "name": "old.png", "type": "image"}]}
    async with request_reader(tmp_path) as reader:
        answer = await ask(reader, old, {"role": "ai", "text": "ok"}, {"role": "user", "text": "new"})

        assert (answer.content["text"], answer.content["files"]) == ("new", [])


async def test_an_image_inside_the_new_message_is_an_upload(tmp_path: Path) -> None:
    files = [{"src": data_url(PNG), "name": "a.png", "type": "image", "ref": {}}]
    async with request_reader(tmp_path) as reader:
        answer = await ask(reader, {"role": "user", "files": files})

        assert answer.content["text"] == ""
        assert answer.content["files"] == [
            {
                "name": "a.png",
                "media_type": "image/png",
                "kind": "image",
                "size": len(PNG),
                "sha256": hashlib.sha256(PNG).hexdigest(),
                "on_disk": len(PNG),
            }
        ]
        assert reader.left_over() == []


async def test_a_large_inline_file_arrives_whole(tmp_path: Path) -> None:
    content = b"0123456789abcde\n" * 20_000 + b"end"
    async with request_reader(tmp_path) as reader:
        answer = await ask(reader, {"role": "user", "files": [{"src": data_url(content, "text/plain")}]})

        assert answer.content["files"][0]["sha256"] == hashlib.sha256(content).hexdigest()
        assert answer.content["files"][0]["name"] == "file"


@pytest.mark.parametrize(
    "src",
    [
        "http://127.0.0.1:9/a.png",
        "https://example.com/a.png",
        "/static/a.png",
        "blob:x",
        "file:///etc/passwd",
        5,
    ],
)
async def test_a_file_that_is_only_a_link_is_neither_fetched_nor_an_upload(src: Any, tmp_path: Path) -> None:
    async with request_reader(tmp_path) as reader:
        answer = await ask(
            reader, {"role": "user", "text": "t", "files": [{"src": src}, {"name": "b", "ref": {}}, 7]}
        )

        assert (answer.status, answer.content["files"]) == (200, [])


@pytest.mark.parametrize(
    "files", [[{"name": "data.csv", "type": "any", "ref": {}}], [{"src": "/a.png"}], [], "x"]
)
async def test_files_that_brought_no_bytes_make_no_message(files: Any, tmp_path: Path) -> None:
    status, sentence = await refusal(tmp_path, {"role": "user", "files": files})

    assert status == 400
    assert "attach them again" in sentence


@pytest.mark.parametrize(
    "src",
    [
        "data:image/png,plain",
        "data:image/png;base64",
        "data:image/png;base64,a",
        "data:image/png;base64,????",
        "data:image/png;base64,\xe9\xe9\xe9\xe9",
        "data:image/png;base64,iVBORw==iVBORw==",
        "data:image/png;base64," + "A" * 65_532 + "AA==" + "AAAA",
    ],
)
async def test_a_broken_data_url_is_refused(src: str, tmp_path: Path) -> None:
    status, sentence = await refusal(tmp_path, {"role": "user", "text": "t", "files": [{"src": src}]})

    assert status == 400
    assert "base64" in sentence


async def test_an_empty_data_url_is_an_empty_file(tmp_path: Path) -> None:
    files = [{"src": "data:text/plain;base64,", "name": "a.txt"}]
    status, sentence = await refusal(tmp_path, {"role": "user", "files": files})

    assert status == 400
    assert '"a.txt" is empty' in sentence


@pytest.mark.parametrize("role", ["ai", "assistant", "tool", "User", "", None, 5])
async def test_a_last_message_that_is_not_the_users_is_refused(role: Any, tmp_path: Path) -> None:
    status, sentence = await refusal(tmp_path, {"role": "user", "text": "old"}, {"role": role, "text": "t"})

    assert status == 400
    assert "not from the user" in sentence


@pytest.mark.parametrize(
    "message", [{"role": "user"}, {"role": "user", "text": ""}, {"role": "user", "text": " \n"}]
)
async def test_a_message_without_text_and_files_is_refused(message: Any, tmp_path: Path) -> None:
    status, sentence = await refusal(tmp_path, message)

    assert status == 400
    assert "empty" in sentence


async def test_a_message_in_html_alone_is_refused(tmp_path: Path) -> None:
    status, sentence = await refusal(tmp_path, {"role": "user", "html": "<b>x</b>"})

    assert status == 400
    assert "HTML" in sentence


@pytest.mark.parametrize("text", [5, True, {}, ["a"]])
async def test_text_that_is_no_string_is_refused(text: Any, tmp_path: Path) -> None:
    status, sentence = await refusal(tmp_path, {"role": "user", "text": text})

    assert status == 400
    assert "text" in sentence


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (r"a\ud83d", "a\ufffd"),
        (r"\ude00b", "\ufffdb"),
        (r"\ud83d\ude00", "\U0001f600"),
        (r"\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
        (r"\\ud83d", r"\ud83d"),
        (r"a\u0000b", "a\ufffdb"),
        ("\U0001f469\u200d\U0001f4bb שלום \u202e", "\U0001f469\u200d\U0001f4bb שלום \u202e"),
    ],
)
async def test_text_is_kept_as_far_as_it_is_unicode(sent: str, read: str, tmp_path: Path) -> None:
    async with request_reader(tmp_path) as reader:
        answer = await reader.ask(json_post(f'{{"messages":[{{"role":"user","text":"{sent}"}}]}}'))

        assert (answer.status, answer.content["text"]) == (200, read)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b"undefined",
        b"[object Object]",
        b'{"messages":null}',
        b'{"messages":{}}',
        b'{"messages":[]}',
        b'{"messages":[null]}',
        b'{"messages":["text"]}',
        b'{"messages":[{"role":"user","text":"\xff"}]}',
        b'{"messages":[{"role":"user","text":"\xed\xa0\x80"}]}',
        b'{"messages":[{"role":"user","text":"a\x00b"}]}',
        b'{"messages":[{"role":"user","text":"t"}]} x',
        b'{"messages":[{"role":"user","text":"t"}',
        b'{"messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"messages":[{"role":"user","text":"t"}],"a":' + b'{"a":' * 100_000,
        b"\x00\x01\x02",
        b"messages=hi",
    ],
)
async def test_a_body_that_is_no_request_is_refused_with_a_sentence(body: bytes, tmp_path: Path) -> None:
    async with request_reader(tmp_path) as reader:
        answer = await reader.ask(json_post(body))

        assert answer.status == 400
        assert answer.content["error"].endswith(".")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
MESSAGE = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(["user", "ai"]) | JSON,
        "text": st.text(st.characters()) | JSON,
        "files": st.lists(
            st.fixed_dictionaries({}, optional={"src": JSON | st.just("data:;base64,QQ=="), "name": JSON})
        ),
        "html": JSON,
        "_sessionId": JSON,
    },
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(messages=st.lists(MESSAGE | JSON, max_size=3) | JSON, thread_id=JSON)
async def test_no_json_makes_the_reader_fail(messages: Any, thread_id: Any, tmp_path: Path) -> None:
    async with request_reader(tmp_path) as reader:
        answer = await reader.ask(json_post(json.dumps({"messages": messages, "thread_id": thread_id})))

        assert answer.status in {200, 400, 415}
        assert reader.left_over() == []


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1).filter(str.strip))
async def test_every_text_arrives_as_it_was_written(text: str, tmp_path: Path) -> None:
    async with request_reader(tmp_path) as reader:
        answer = await ask(reader, {"role": "user", "text": text})

        assert answer.content["text"] == text

"""What Deep Chat really sends is understood, whatever a page did to it on the way."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from captured import Answer, capture, capture_names, post
from request_reader import BOUNDARY, PNG, form, form_body, json_post, part, request_reader

CSV = ("data.csv", "text/csv", "any")
PDF = ("report.pdf", "application/pdf", "any")
DOT = ("dot.png", "image/png", "image")

# capture -> text, files, thread id, session ids, stream
EXPECTED: dict[str, tuple[str, list[tuple[str, str, str]], str | None, list[str], bool]] = {
    "a1-first-text": ("Hello there", [], None, [], False),
    "a3-additionalBodyProps": ("hi", [], None, [], False),
    "a5-submitUserMessage-custom": ("prog", [], None, [], False),
    "b1-second-default-1": ("first message", [], None, [], False),
    "b1-second-default-2": ("second message", [], None, [], False),
    "b2-second-maxMessages0-1": ("first message", [], None, [], False),
    "b2-second-maxMessages0-2": ("second message", [], None, [], False),
    "b3-second-maxMessages2-1": ("first message", [], None, [], False),
    "b3-second-maxMessages2-2": ("second message", [], None, [], False),
    "b4-history-prop-max0": ("hi", [], None, [], False),
    "b7-max0-custom-in-answer-1": ("first message", [], None, [], False),
    "b7-max0-custom-in-answer-2": ("second message", [], None, ["sess_1"], False),
    "c1-text-1image": ("what is this", [DOT], None, [], False),
    "c12-stream-files": ("stream files", [CSV], None, [], True),
    "c14-programmatic-files": ("prog", [("p.txt", "text/plain", "any")], None, [], False),
    "c2-text-2mixed": ("read these", [PDF, CSV], None, [], False),
    "c3-file-only": ("", [CSV], None, [], False),
    "c4-files-then-text-max0-1": ("with files", [DOT, CSV], None, [], False),
    "c4-files-then-text-max0-2": ("then text", [], None, [], False),
    "c4-files-then-text-max0-3": ("again files", [PDF], None, [], False),
    "c4-files-then-text-max0-4": ("", [CSV], None, [], False),
    "c5-files-additionalBodyProps": ("props", [CSV], None, [], False),
    "c7-gif-audio": (
        "media",
        [DOT, ("anim.gif", "image/gif", "image"), ("beep.wav", "audio/wav", "audio")],
        None,
        [],
        False,
    ),
    "d1-seed-json-1": ("one", [], None, [], False),
    "d1-seed-json-2": ("two", [], "thread_abc", [], False),
    "d1-seed-json-3": ("three", [CSV], "thread_abc", [], False),
    "d12-seed-stream-multipart-1": ("one", [], None, [], True),
    "d12-seed-stream-multipart-2": ("two", [CSV, PDF], 'thread_"abc', [], True),
    "d2-seed-stream-firstevent-1": ("first message", [], None, [], True),
    "d2-seed-stream-firstevent-2": ("second message", [], None, [], True),
    "d3-seed-stream-everyevent-1": ("first message", [], None, [], True),
    "d3-seed-stream-everyevent-2": ("second message", [], "thread_abc", [], True),
    "d3-seed-stream-everyevent-3": ("third with file", [CSV], "thread_abc", [], True),
    "e1-cors-include-json-2": ("hi", [], None, [], False),
    "e2-cors-include-multipart": ("f", [CSV], None, [], False),
    "e3-cors-include-stream-headers-2": ("hi", [], None, [], True),
    "e8-cors-samesite-setcookie-2": ("first message", [], None, [], False),
    "e8-cors-samesite-setcookie-3": ("second message", [], None, [], False),
    "f1-happy": ("stream me", [], None, [], True),
    "f17d-sessionid-1": ("first message", [], None, [], True),
    "f17d-sessionid-2": ("second message", [], None, ["sess_9"], True),
    "f9-stop-1": ("go", [], None, [], True),
    "f9-stop-2": ("again", [], None, [], True),
    "g1-sim-json": ("x", [], None, [], False),
    "j1-loadHistory-2": ("new", [], None, ["S"], False),
}


def understood(answer: Answer) -> tuple[Any, ...]:
    content = answer.content
    assert answer.status == 200, content
    files = [(file["name"], file["media_type"], file["kind"]) for file in content["files"]]
    return content["text"], files, content["thread_id"], content["session_ids"], content["stream"]


def test_every_captured_post_has_an_expectation() -> None:
    posts = {name for name in capture_names() if capture(name).method == "POST"}

    assert set(EXPECTED) == posts


@pytest.mark.parametrize("name", EXPECTED)
async def test_a_captured_request_is_read_as_expected(name: str, tmp_path: Path) -> None:
    async with request_reader(tmp_path) as reader:
        answer = await reader.ask(capture(name).raw)

        assert understood(answer) == EXPECTED[name]
        assert reader.left_over() == []


@pytest.mark.parametrize("name", ["d1-seed-json-2", "d1-seed-json-3"])
async def test_a_request_is_read_the_same_wherever_its_body_is_split(name: str, tmp_path: Path) -> None:
    recorded = capture(name)
    head = recorded.raw[: -len(recorded.body)]
    async with request_reader(tmp_path) as reader:
        for at in range(len(recorded.body)):
            answer = await reader.send([head + recorded.body[:at], recorded.body[at:]])

            assert understood(answer) == EXPECTED[name], at


async def test_a_form_that_arrives_byte_by_byte_is_read(tmp_path: Path) -> None:
    raw = capture("d1-seed-json-3").raw
    async with request_reader(tmp_path) as reader:
        answer = await reader.send(raw[at : at + 1] for at in range(len(raw)))

        assert understood(answer) == EXPECTED["d1-seed-json-3"]


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "text/plain;charset=UTF-8",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "\xe4;=",
    ],
)
async def test_a_form_is_known_by_its_first_line_when_the_page_forced_another_type(
    content_type: str, tmp_path: Path
) -> None:
    raw = form(
        part("files", PNG, "a.png"),
        part("message1", b'{"role":"user","text":"t"}'),
        content_type=content_type,
    )
    async with request_reader(tmp_path) as reader:
        answer = await reader.ask(raw)

        assert understood(answer) == ("t", [("a.png", "image/png", "image")], None, [], False)


@pytest.mark.parametrize(
    "content_type", ["text/plain;charset=UTF-8", "multipart/form-data", "", "a/b", "application/JSON"]
)
async def test_json_is_read_whatever_its_declared_type(content_type: str, tmp_path: Path) -> None:
    body = b'{"messages":[{"role":"user","text":"t"}]}'
    async with request_reader(tmp_path) as reader:
        answer = await reader.ask(post(body, f"Content-Type: {content_type}"))

        assert understood(answer) == ("t", [], None, [], False)


async def test_json_without_a_declared_type_or_length_is_read(tmp_path: Path) -> None:
    body = b'{"messages":[{"role":"user","text":"t"}]}'
    raw = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with request_reader(tmp_path) as reader:
        answer = await reader.ask(raw + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))

        assert answer.content["text"] == "t"


@pytest.mark.parametrize("accept", ["Text/Event-Stream", "application/json, text/event-stream;q=0.5"])
async def test_a_page_that_accepts_an_event_stream_gets_one(accept: str, tmp_path: Path) -> None:
    async with request_reader(tmp_path) as reader:
        answer = await reader.ask(json_post('{"messages":[{"role":"user","text":"t"}]}', f"Accept: {accept}"))

        assert answer.content["stream"] is True


@pytest.mark.parametrize("value", ["null", '""', '"undefined"', '"null"', '" "'])
async def test_an_unguarded_interceptor_names_no_thread_in_json(value: str, tmp_path: Path) -> None:
    body = f'{{"messages":[{{"role":"user","text":"t"}}],"thread_id":{value}}}'
    async with request_reader(tmp_path) as reader:
        answer = await reader.ask(json_post(body))

        assert (answer.status, answer.content["thread_id"]) == (200, None)


@pytest.mark.parametrize("value", ["null", "", "undefined", '"undefined"', '""', '"null"', "\r\n"])
async def test_an_unguarded_interceptor_names_no_thread_in_a_form(value: str, tmp_path: Path) -> None:
    async with request_reader(tmp_path) as reader:
        answer = await reader.ask(form(part("files", PNG, "a.png"), part("thread_id", value.encode())))

        assert (answer.status, answer.content["thread_id"]) == (200, None)


@pytest.mark.parametrize(
    ("value", "thread_id"), [("t1", "t1"), ('"t1"', "t1"), ("123", "123"), ('"t', '"t'), ("1e5", "1e5")]
)
async def test_a_thread_id_is_taken_from_a_form_with_and_without_quotes(
    value: str, thread_id: str, tmp_path: Path
) -> None:
    async with request_reader(tmp_path) as reader:
        answer = await reader.ask(form(part("files", PNG, "a.png"), part("thread_id", value.encode())))

        assert answer.content["thread_id"] == thread_id


@pytest.mark.parametrize("value", ["5", "true", "{}", '["t"]', '"' + "t" * 300 + '"'])
async def test_a_thread_id_that_is_no_string_is_refused_in_json(value: str, tmp_path: Path) -> None:
    body = f'{{"messages":[{{"role":"user","text":"t"}}],"thread_id":{value}}}'
    async with request_reader(tmp_path) as reader:
        answer = await reader.ask(json_post(body))

        assert answer.status == 400
        assert "conversation" in answer.content["error"]


@pytest.mark.parametrize("value", [b'{"id":1}', b"[object Object]", b"\xff", b"t" * 300])
async def test_a_thread_id_that_is_no_string_is_refused_in_a_form(value: bytes, tmp_path: Path) -> None:
    async with request_reader(tmp_path) as reader:
        answer = await reader.ask(form(part("files", PNG, "a.png"), part("thread_id", value)))

        assert answer.status == 400
        assert reader.left_over() == []


async def test_the_thread_id_that_an_interceptor_appended_counts(tmp_path: Path) -> None:
    parts = [
        part("files", PNG, "a.png"),
        part("thread_id", b"of the props"),
        part("thread_id", b'"appended"'),
    ]
    async with request_reader(tmp_path) as reader:
        answer = await reader.ask(form(*parts))

        assert answer.content["thread_id"] == "appended"


async def test_session_ids_come_newest_first_and_once_each(tmp_path: Path) -> None:
    ids: list[Any] = ["s1", "s2", "s3", "s2", "", None, 5, []]
    messages = [{"role": "ai", "text": "a", "_sessionId": session_id} for session_id in ids]
    body = json.dumps({"messages": [*messages, {"role": "user", "text": "t"}]})
    async with request_reader(tmp_path) as reader:
        answer = await reader.ask(json_post(body))

        assert answer.content["session_ids"] == ["s2", "s3", "s1"]


async def test_requests_at_the_same_time_do_not_touch_each_others_files(tmp_path: Path) -> None:
    async with request_reader(tmp_path) as reader:
        one, two = await asyncio.gather(
            reader.ask(form(part("files", PNG, "1.png"))), reader.ask(form(part("files", b"text", "2.txt")))
        )

    assert [file["size"] for file in one.content["files"]] == [len(PNG)]
    assert [file["name"] for file in two.content["files"]] == ["2.txt"]


async def test_a_boundary_may_have_any_form_that_the_standard_allows(tmp_path: Path) -> None:
    boundary = "a b'()+_,-./:=?" + "x" * 55
    body = form_body(part("files", PNG, "a.png")).replace(BOUNDARY.encode(), boundary.encode())
    async with request_reader(tmp_path) as reader:
        declared = await reader.ask(post(body, f'Content-Type: multipart/form-data; boundary="{boundary}"'))
        sniffed = await reader.ask(post(body, "Content-Type: application/json"))

        assert (declared.status, sniffed.status) == (200, 200)

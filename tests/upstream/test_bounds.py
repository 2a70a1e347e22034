"""What a back end can make of one turn is bounded, also where it never comes to an end."""

import asyncio
import base64
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from deep_chat_proxy.errors import TOO_MANY_ROUNDS, ChatError
from deep_chat_proxy.tasks import Tasks
from deep_chat_proxy.turn.events import Cited, FileMade, TextReplaced
from deep_chat_proxy.upstream.chat_completions.translate import Translator as ChatTranslator
from deep_chat_proxy.upstream.responses.made_files import MadeFiles, Picture
from deep_chat_proxy.upstream.responses.translate import Translator as ResponsesTranslator
from deep_chat_proxy.upstream.responses.wire import Response
from deep_chat_proxy.upstream.said import Said
from deep_chat_proxy.upstream.sse import ServerEvent


def event(data: Any) -> ServerEvent:
    return ServerEvent("", msgspec.json.encode(data))


def item(number: int, **fields: Any) -> ServerEvent:
    return event({"type": "response.output_item.done", "item": {"id": f"i_{number}", **fields}})


def call(number: int, arguments: str = "{}") -> ServerEvent:
    return item(number, type="function_call", call_id=f"call_{number}", name="f", arguments=arguments)


def approval(number: int) -> ServerEvent:
    return item(number, type="mcp_approval_request", name="f")


def piece(number: int, arguments: str = "{}") -> ServerEvent:
    function = {"name": "f", "arguments": arguments}
    return event({"choices": [{"delta": {"tool_calls": [{"index": number, "function": function}]}}]})


@pytest.mark.parametrize("kind", [call, approval])
def test_a_response_with_endless_calls_is_given_up(kind: Callable[[int], ServerEvent]) -> None:
    translator = ResponsesTranslator()
    translator.begin()
    translator.take([kind(number) for number in range(128)], [])

    with pytest.raises(ChatError) as raised:
        translator.take([kind(128)], [])
    assert raised.value.problem is TOO_MANY_ROUNDS


def test_a_completion_with_endless_calls_is_given_up() -> None:
    translator = ChatTranslator()
    translator.begin()
    translator.take([piece(number) for number in range(128)], [])

    with pytest.raises(ChatError) as raised:
        translator.take([piece(128)], [])
    assert raised.value.problem is TOO_MANY_ROUNDS


def test_endless_arguments_are_given_up_in_both_dialects() -> None:
    chat, responses = ChatTranslator(), ResponsesTranslator()
    chat.begin()
    responses.begin()

    with pytest.raises(ChatError):
        chat.take([piece(0, "x" * 1_000_000)] * 5, [])
    with pytest.raises(ChatError):
        responses.take([call(number, "x" * 1_000_000) for number in range(5)], [])


def test_endless_sources_are_listed_up_to_a_bound() -> None:
    translator = ResponsesTranslator()
    translator.begin()
    out: list[Any] = []
    for number in range(2_000):
        annotation = {"type": "url_citation", "url": f"https://example.com/{number}", "title": "x"}
        told = {"type": "response.output_text.annotation.added", "annotation": annotation}
        translator.take([event(told)], out)
    translator.take_response(Response("resp_1", "completed"), out)

    assert sum(isinstance(each, Cited) for each in out) == 1_000


def test_a_text_that_turns_out_to_be_another_again_and_again_is_said_anew_a_few_times_only() -> None:
    said = Said()
    out: list[Any] = []
    for number in range(1_000):
        said.say(number, "x", out)
    out.clear()
    for number in range(1_000):
        said.settle(number, "y", out)

    assert len(out) == 1
    assert out[0].text.count("y") == 50

    apart: list[list[Any]] = [[] for _ in range(1_000)]
    for number, batch in enumerate(apart):
        said.settle(number, "z", batch)
    assert [batch for batch in apart if any(isinstance(each, TextReplaced) for each in batch)] == []


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where files are written until a keeper takes them."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def picture(size: int) -> Picture:
    return Picture(base64.b64encode(b"x" * size).decode(), "png")


async def test_a_turn_brings_no_more_files_than_it_may(spool: Path) -> None:
    made = MadeFiles(None, 100)  # type: ignore[arg-type]
    kept = [len(await made.fetched([picture(size)])) for size in (101, 100, 100, 100, 60, 60, 40, 1)]
    many = MadeFiles(None, 100)  # type: ignore[arg-type]
    found = await many.fetched([picture(1)] * 40)

    assert kept == [0, 1, 1, 1, 1, 0, 1, 0]
    assert sum(isinstance(each, FileMade) for each in found) == 30
    await made.discard()
    await many.discard()
    assert await asyncio.to_thread(lambda: list(spool.iterdir())) == []


async def test_a_stop_while_a_file_is_written_leaves_none(spool: Path) -> None:
    for turns in range(30):
        made = MadeFiles(None, 10**7)  # type: ignore[arg-type]
        tasks = Tasks()
        fetching = tasks.start(made.fetched([picture(1_000_000)]), name="a turn that is stopped")
        for _ in range(turns):
            await asyncio.sleep(0)
        fetching.cancel()
        await asyncio.wait([fetching])
        await made.discard()

        assert await asyncio.to_thread(lambda: list(spool.iterdir())) == []


@pytest.mark.parametrize(
    "error", [{"message": {"content": "\ud800"}}, {"code": {"delta": "\ud800"}}, {"message": None, "code": 5}]
)
def test_an_error_of_any_shape_is_an_error(error: Any) -> None:
    import json

    translator = ResponsesTranslator()
    translator.begin()
    failed = {"type": "response.failed", "response": {"id": "r", "status": "failed", "error": error}}
    translator.take([ServerEvent("", json.dumps(failed).encode())], [])

    assert translator.failed


def test_arguments_of_any_depth_are_calls() -> None:
    deep = b'{"type":"response.output_item.done","item":{"type":"function_call","call_id":"c","name":"f","arguments":'
    translator = ResponsesTranslator()
    translator.begin()
    for depth in (10, 500, 900):
        try:
            translator.take([ServerEvent("", deep + b"[" * depth + b"]" * depth + b"}}")], [])
        except ChatError:
            continue

"""Titles that a model makes, and what is deleted when nobody holds it any longer."""

from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from deep_chat_proxy.errors import ChatError
from deep_chat_proxy.turn.held import Held, HeldKind
from deep_chat_proxy.upstream.assistants.dialect import AssistantsDialect
from deep_chat_proxy.upstream.chat_completions.dialect import ChatDialect
from deep_chat_proxy.upstream.chat_completions.options import ChatOptions
from deep_chat_proxy.upstream.client import ApiClient
from deep_chat_proxy.upstream.responses.dialect import ResponsesDialect
from deep_chat_proxy.upstream.responses.options import ResponsesOptions
from deep_chat_proxy.upstream.titles import by_completion, by_response
from upstream.backend import Json, ScriptedBackend, client_of

Make = Callable[[ApiClient, str, str], Awaitable[str | None]]
COMPLETIONS, RESPONSES = "POST /chat/completions", "POST /responses"


def completion(content: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": content}}]}


def response(content: Any) -> dict[str, Any]:
    return {"id": "resp_1", "output": [{"type": "reasoning"}, {"type": "message", "content": content}]}


def parts(text: str) -> list[dict[str, Any]]:
    return [{"type": "output_text", "text": text, "annotations": []}]


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ("Weather in Paris", "Weather in Paris"),
        ('  "Weather\n in Paris."  ', "Weather in Paris"),
        ("“Wetter”", "Wetter"),
        ("# 天気", "天気"),
        ("x" * 81, None),
        (' "" ', None),
        (None, None),
        (5, None),
    ],
)
async def test_a_title_is_the_models_words_where_they_are_one(
    backend: ScriptedBackend, session: aiohttp.ClientSession, said: Any, title: str | None
) -> None:
    backend.on(COMPLETIONS, Json(completion(said)))

    assert await by_completion(client_of(session, backend.base_url), "small-1", "Hello") == title


@pytest.mark.parametrize("content", ["Greeting", parts("Greeting"), [*parts("Gree"), *parts("ting")]])
async def test_a_response_may_say_its_title_in_any_shape(
    backend: ScriptedBackend, session: aiohttp.ClientSession, content: Any
) -> None:
    backend.on(RESPONSES, Json(response(content)))

    assert await by_response(client_of(session, backend.base_url), "small-1", "Hello") == "Greeting"
    (seen,) = backend.requests
    assert (seen.json["model"], seen.json["store"], seen.json["input"]) == ("small-1", False, "Hello")


@pytest.mark.parametrize("make", [by_completion, by_response])
@pytest.mark.parametrize("body", [{}, {"choices": [], "output": []}, {"output": [{"type": "message"}]}])
async def test_an_answer_without_words_makes_no_title(
    backend: ScriptedBackend, session: aiohttp.ClientSession, make: Make, body: dict[str, Any]
) -> None:
    for route in (COMPLETIONS, RESPONSES):
        backend.on(route, Json(body))

    assert await make(client_of(session, backend.base_url), "small-1", "Hello") is None


async def test_of_a_long_message_the_beginning_is_enough(
    backend: ScriptedBackend, session: aiohttp.ClientSession
) -> None:
    backend.on(COMPLETIONS, Json(completion("Long")))
    await by_completion(client_of(session, backend.base_url), "small-1", "x" * 100_000)

    (seen,) = backend.requests
    assert len(seen.body) < 4_000


async def test_assistants_make_no_titles(dialect: AssistantsDialect) -> None:
    assert await dialect.title("small-1", "Hello") is None


CONVERSATION = Held(HeldKind.CONVERSATION, "conv_1")
RESPONSE = Held(HeldKind.RESPONSE, "resp_1")
THREAD = Held(HeldKind.THREAD, "thread_1")
FILE = Held(HeldKind.FILE, "file-1")
EVERYTHING = (CONVERSATION, RESPONSE, THREAD, FILE)


@pytest.mark.parametrize("status", [200, 404, 405, 410, 501])
@pytest.mark.usefixtures("sleeps")
async def test_each_dialect_deletes_what_its_protocol_has(
    backend: ScriptedBackend, session: aiohttp.ClientSession, dialect: AssistantsDialect, status: int
) -> None:
    client = client_of(session, backend.base_url)
    responses = ResponsesDialect(client, ResponsesOptions(model="model-1"), ())
    chat = ChatDialect(client, ChatOptions(model="model-1"), ())
    paths = ("conversations/conv_1", "responses/resp_1", "threads/thread_1", "files/file-1")
    for path in paths:
        backend.on(f"DELETE /{path}", Json({"deleted": True}, status))
    deleted = []
    for each in (responses, dialect, chat):
        backend.requests.clear()
        for held in EVERYTHING:
            await each.delete(held)
        # A server that fails is asked again.
        deleted.append(list(dict.fromkeys(seen.target.removeprefix("/") for seen in backend.requests)))

    assert deleted == [
        ["conversations/conv_1", "responses/resp_1", "files/file-1"],
        ["threads/thread_1", "files/file-1"],
        ["files/file-1"],
    ]


@pytest.mark.parametrize("status", [401, 403, 429, 500])
@pytest.mark.usefixtures("sleeps")
async def test_what_cannot_be_deleted_now_is_said_to_be_there(
    backend: ScriptedBackend, dialect: AssistantsDialect, status: int
) -> None:
    backend.on("DELETE /threads/thread_1", Json({"error": {"message": "Not now."}}, status))

    with pytest.raises(ChatError):
        await dialect.delete(THREAD)

"""Finding out how a back end keeps threads: what it is asked, and what its answers mean."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from aioresponses import CallbackResult
from aioresponses import aioresponses as mocked_api
from yarl import URL

from deep_chat_proxy.errors import (
    FAILED,
    INVALID_KEY,
    OVERLOADED,
    RATE_LIMITED,
    UNREACHABLE,
    ChatError,
    Problem,
)
from deep_chat_proxy.upstream.responses.abilities import Abilities
from deep_chat_proxy.upstream.responses.api import ResponsesApi
from deep_chat_proxy.upstream.responses.options import Way
from upstream.backend import client_of
from upstream.responses_scenes import dialect_of

BASE = "http://backend/v1"
OPEN = f"{BASE}/conversations"
ANY_RESPONSE = re.compile(rf"{BASE}/responses/resp_\w+")
# What servers say of a path that they do not know.
NO_ROUTE: dict[str, tuple[int, str]] = {
    "fastapi": (404, '{"detail":"Not Found"}'),
    "ollama": (404, "404 page not found"),
    "llama.cpp": (404, '{"error":{"code":404,"message":"File Not Found","type":"not_found_error"}}'),
    "one that names the path": (404, '{"error":{"message":"Invalid URL (GET {path})"}}'),
    "one that has another method there": (405, '{"detail":"Method Not Allowed"}'),
    "one that has not made it yet": (501, ""),
    "a gateway": (403, "<html>Forbidden</html>"),
    # It tells of every path with a status of 200.
    "lm studio": (200, '{"error":"Unexpected endpoint or method. (GET {path})"}'),
}


@pytest.fixture(autouse=True)
def slept(sleeps: list[float]) -> list[float]:
    """No test of this file sleeps."""
    return sleeps


@pytest.fixture
def asked(session: aiohttp.ClientSession) -> ResponsesApi:
    return ResponsesApi(client_of(session, BASE))


@pytest.fixture
def abilities(asked: ResponsesApi) -> Abilities:
    return Abilities(asked, None)


def lines(api: mocked_api) -> list[str]:
    """The calls so far, by route; the id of a response that never was as `?`."""
    return [
        f"{method} {ANY_RESPONSE.sub('/responses/?', str(url)).removeprefix(BASE)}"
        for (method, url), calls in api.requests.items()
        for _ in calls
    ]


def has_conversations(api: mocked_api) -> None:
    api.post(OPEN, payload={"id": "conv/1", "object": "conversation"})
    api.delete(URL(f"{OPEN}/conv%2F1", encoded=True), payload={"id": "conv/1", "deleted": True})


def without_route(server: str) -> Callable[..., CallbackResult]:
    """What this server says of a path that it does not know."""
    status, body = NO_ROUTE[server]

    def answer(url: URL, **_: Any) -> CallbackResult:
        return CallbackResult(status=status, body=body.replace("{path}", url.path))

    return answer


def knows_responses(message: str, status: int = 404) -> Callable[..., CallbackResult]:
    def answer(url: URL, **_: Any) -> CallbackResult:
        error = {"message": message.format(url.path.rpartition("/")[2]), "type": "invalid_request_error"}
        return CallbackResult(status=status, payload={"error": error})

    return answer


async def test_conversations_are_found_by_making_one_which_is_deleted_again(
    api: mocked_api, abilities: Abilities
) -> None:
    has_conversations(api)

    assert await abilities.way() is Way.CONVERSATION
    assert lines(api) == ["POST /conversations", "DELETE /conversations/conv%2F1"]


@pytest.mark.parametrize("refusal", [{"status": 404}, {"status": 500}, {"exception": aiohttp.ClientError()}])
async def test_a_conversation_that_cannot_be_deleted_is_one_all_the_same(
    api: mocked_api, abilities: Abilities, refusal: dict[str, Any]
) -> None:
    api.post(OPEN, payload={"id": "conv_1"})
    api.delete(f"{OPEN}/conv_1", repeat=True, **refusal)

    assert await abilities.way() is Way.CONVERSATION


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ("Response with id '{}' not found.", 404),
        ("No response {} here", 400),
        ("{}", 410),
    ],
)
@pytest.mark.parametrize("server", NO_ROUTE)
async def test_a_server_that_tells_an_unknown_response_by_name_keeps_its_responses(
    api: mocked_api, abilities: Abilities, message: str, status: int, server: str
) -> None:
    api.post(OPEN, callback=without_route(server), repeat=True)
    api.get(ANY_RESPONSE, callback=knows_responses(message, status))

    assert await abilities.way() is Way.CHAIN
    assert set(lines(api)) == {"POST /conversations", "GET /responses/?"}


@pytest.mark.parametrize("server", NO_ROUTE)
async def test_a_server_that_knows_neither_path_keeps_nothing(
    api: mocked_api, abilities: Abilities, server: str
) -> None:
    api.post(OPEN, callback=without_route(server), repeat=True)
    api.get(ANY_RESPONSE, callback=without_route(server), repeat=True)

    assert await abilities.way() is Way.HISTORY


async def test_every_server_is_asked_for_a_response_of_another_name(
    api: mocked_api, asked: ResponsesApi
) -> None:
    api.post(OPEN, status=404, repeat=True)
    api.get(ANY_RESPONSE, status=404, repeat=True)

    for _ in range(2):
        assert await Abilities(asked, None).way() is Way.HISTORY

    assert len({url for method, url in api.requests if method == "GET"}) == 2


FAULTS: list[tuple[dict[str, Any], Problem]] = [
    ({"status": 401, "payload": {"error": {"code": "invalid_api_key"}}}, INVALID_KEY),
    ({"status": 500}, FAILED),
    ({"status": 503}, OVERLOADED),
    ({"status": 429}, RATE_LIMITED),
    ({"exception": aiohttp.ClientConnectionError()}, UNREACHABLE),
]


@pytest.mark.parametrize(("fault", "problem"), FAULTS)
@pytest.mark.parametrize("asked_for", ["conversations", "responses"])
async def test_a_server_that_does_not_say_is_asked_again_the_next_time(
    api: mocked_api, abilities: Abilities, fault: dict[str, Any], problem: Problem, asked_for: str
) -> None:
    # A call that may be repeated is tried three times.
    tries = 1 if problem is INVALID_KEY else 3
    if asked_for == "responses":
        api.post(OPEN, status=404)
    for _ in range(tries):
        if asked_for == "conversations":
            api.post(OPEN, **fault)
        else:
            api.get(ANY_RESPONSE, **fault)

    with pytest.raises(ChatError) as raised:
        await abilities.way()
    assert raised.value.problem == problem
    assert len(lines(api)) == tries + (asked_for == "responses")

    if asked_for == "conversations":
        has_conversations(api)
    else:
        api.post(OPEN, status=404)
        api.get(ANY_RESPONSE, callback=knows_responses("no {}"))
    assert await abilities.way() is (Way.CONVERSATION if asked_for == "conversations" else Way.CHAIN)


async def test_a_way_that_was_found_once_is_remembered(api: mocked_api, abilities: Abilities) -> None:
    has_conversations(api)

    for _ in range(3):
        assert await abilities.way() is Way.CONVERSATION

    assert len(lines(api)) == 2


async def test_turns_that_begin_together_ask_once(api: mocked_api, abilities: Abilities) -> None:
    has_conversations(api)

    assert await asyncio.gather(*(abilities.way() for _ in range(5))) == [Way.CONVERSATION] * 5
    assert len(lines(api)) == 2


@pytest.mark.parametrize("way", Way)
async def test_a_way_that_was_chosen_is_not_asked_for(
    api: mocked_api, session: aiohttp.ClientSession, way: Way
) -> None:
    dialect = dialect_of(client_of(session, BASE), way=way)

    await dialect.prepare()

    assert lines(api) == []


async def test_a_server_is_asked_before_the_first_turn(
    api: mocked_api, session: aiohttp.ClientSession
) -> None:
    dialect = dialect_of(client_of(session, BASE), way=None)
    has_conversations(api)

    await dialect.prepare()

    assert lines(api) == ["POST /conversations", "DELETE /conversations/conv%2F1"]


async def test_a_response_that_is_forgotten_at_once_means_that_none_is_kept(asked: ResponsesApi) -> None:
    abilities = Abilities(asked, Way.CHAIN)
    abilities.made("resp_1")

    assert abilities.forgot("resp_0") is Way.CHAIN
    assert await abilities.way() is Way.CHAIN
    assert abilities.forgot("resp_1") is Way.HISTORY
    assert await abilities.way() is Way.HISTORY


async def test_a_refused_background_is_remembered(asked: ResponsesApi) -> None:
    abilities = Abilities(asked, Way.HISTORY)
    assert abilities.background

    abilities.refused_background()

    assert not abilities.background

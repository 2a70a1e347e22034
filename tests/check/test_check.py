"""`deep-chat-proxy check`: what it says of back ends of all kinds, and that it sends nothing that is billed."""

from typing import Any

import pytest
from aiohttp import web

from deep_chat_proxy.check import check
from deep_chat_proxy.local_openai import LocalOptions
from deep_chat_proxy.local_openai.state import LocalState
from deep_chat_proxy.settings import Settings
from deep_chat_proxy.tools import Registry
from deep_chat_proxy.tools.weather import get_weather
from flows.server import KEY, back_end, serving

RESPONSES: dict[str, Any] = {"upstream": "responses", "model": "local-1"}
CHAT: dict[str, Any] = {"upstream": "chat", "model": "local-1"}
ASSISTANTS: dict[str, Any] = {"upstream": "assistants", "assistant_id": "asst_local"}
WORKS = "The chat works with it."
DOES_NOT = "The chat does not work with it yet."


class Checked:
    """What was printed, and whether the command said it was good."""

    def __init__(self, lines: list[str], *, good: bool) -> None:
        self.lines = lines
        self.good = good

    def level(self, beginning: str) -> str:
        """Of the one finding whose sentence begins so."""
        (line,) = [line for line in self.lines if line[11:].startswith(beginning)]
        return line.split()[0]

    def setting(self, beginning: str) -> str:
        (line,) = [line for line in self.lines if line[11:].startswith(beginning)]
        return line.partition("→ ")[2]


class Checks:
    """Checks back ends that are made for it; `state` is what the last one held."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.state: LocalState

    async def __call__(self, given: dict[str, Any], *, send: bool = False, **options: Any) -> Checked:
        async with back_end(LocalOptions(token_delay=0, **options)) as (base_url, state):
            self.state = state
            settings = Settings(**{"openai_base_url": base_url, "openai_api_key": KEY, **given})
            good = await check(settings, Registry([get_weather]), send=send)
        out = self._capsys.readouterr().out
        assert KEY not in out
        return Checked(out.splitlines(), good=good)

    def answers_made(self) -> int:
        """How many answers a model was asked for."""
        runs = sum(len(thread.runs) for thread in self.state.threads.values())
        return len(self.state.responses) + len(self.state.chats) + runs


@pytest.fixture
def checked(capsys: pytest.CaptureFixture[str]) -> Checks:
    return Checks(capsys)


@pytest.mark.parametrize("given", [RESPONSES, CHAT, ASSISTANTS], ids=lambda given: str(given["upstream"]))
async def test_a_back_end_that_has_all_is_good_and_nothing_is_billed(
    checked: Checks, given: dict[str, Any]
) -> None:
    found = await checked(given)

    assert found.good
    assert found.lines[-1] == WORKS
    assert found.level("The back end answers") == "works"
    assert found.level("No message was sent") == "note"
    assert checked.answers_made() == 0
    assert len(checked.state.conversations) == 0


@pytest.mark.parametrize("given", [RESPONSES, CHAT, ASSISTANTS], ids=lambda given: str(given["upstream"]))
async def test_one_message_is_sent_where_that_is_asked_for(checked: Checks, given: dict[str, Any]) -> None:
    found = await checked(given, send=True)

    assert found.good
    assert found.level("A message was answered in") == "works"
    assert checked.answers_made() == 1


async def test_the_local_back_end_can_be_checked_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert await check(Settings(), Registry(), send=True)

    assert capsys.readouterr().out.startswith("Back end: the local OpenAI\n")


@pytest.mark.parametrize(
    ("options", "way"),
    [
        ({}, "It has conversations"),
        ({"conversations": False}, "It has no conversations but keeps its responses"),
    ],
)
async def test_who_keeps_the_threads_is_said(checked: Checks, options: dict[str, Any], way: str) -> None:
    found = await checked(RESPONSES, **options)

    assert found.level(way) == "works"
    assert found.setting(way) == "DEEP_CHAT_THREAD_STATE"


async def test_a_thread_state_that_the_back_end_cannot_hold_is_missing(checked: Checks) -> None:
    found = await checked(RESPONSES | {"thread_state": "conversation"}, conversations=False)

    assert not found.good
    assert found.lines[-1] == DOES_NOT
    assert found.level("It has no conversations") == "missing"
    assert found.setting("It has no conversations") == "DEEP_CHAT_THREAD_STATE=chain, or auto"


async def test_a_thread_state_that_asks_for_less_than_there_is_works(checked: Checks) -> None:
    found = await checked(RESPONSES | {"thread_state": "history"})

    assert found.good
    assert found.level("Set is history, which works. It could keep the threads itself, in conv") == "works"


@pytest.mark.parametrize(
    ("given", "off", "advice"),
    [
        (RESPONSES, {"responses": False}, "DEEP_CHAT_UPSTREAM=chat"),
        (CHAT, {"chat": False}, "DEEP_CHAT_UPSTREAM=responses"),
        (ASSISTANTS, {"assistants": False}, "DEEP_CHAT_UPSTREAM=responses"),
    ],
)
async def test_a_protocol_that_is_not_spoken_is_missing_and_another_is_named(
    checked: Checks, given: dict[str, Any], off: dict[str, Any], advice: str
) -> None:
    found = await checked(given, **off)

    assert not found.good
    assert found.level("It does not speak") == "missing"
    assert found.setting("It does not speak").startswith(advice)


async def test_an_address_where_nothing_is_spoken_is_taken_for_wrong(checked: Checks) -> None:
    found = await checked(CHAT, chat=False, responses=False, assistants=False)

    assert not found.good
    assert found.setting("Something answers there") == "OPENAI_BASE_URL (it usually ends in /v1)"


async def test_settings_that_the_protocol_has_no_use_for_are_named(checked: Checks) -> None:
    found = await checked(CHAT | {"hosted_tools": ("web_search",), "thread_state": "chain"})

    assert found.good
    assert found.level("DEEP_CHAT_HOSTED_TOOLS does nothing") == "note"
    assert found.level("DEEP_CHAT_THREAD_STATE does nothing") == "note"


async def test_nothing_is_sent_where_something_is_missing(checked: Checks) -> None:
    found = await checked(RESPONSES | {"vector_stores": ("vs_1",)}, send=True)

    assert found.level("No message was sent, since something is missing") == "note"
    assert checked.answers_made() == 0


async def test_a_key_that_is_missing_is_said_to_be(checked: Checks) -> None:
    found = await checked(RESPONSES | {"openai_api_key": ""})

    assert found.setting("The back end wants a key, and none is set") == "OPENAI_API_KEY"


async def test_a_key_that_is_refused_is_named_by_its_setting(checked: Checks) -> None:
    found = await checked(RESPONSES | {"openai_api_key": "invalid"})

    assert not found.good
    assert found.setting("The back end refuses the key").startswith("OPENAI_API_KEY")


async def test_a_back_end_that_is_not_there_is_named_by_its_setting(checked: Checks) -> None:
    found = await checked(RESPONSES | {"openai_base_url": "http://127.0.0.1:9/v1"})

    assert not found.good
    assert found.setting("The back end does not answer") == "OPENAI_BASE_URL"


async def test_a_model_that_is_not_there_is_missing_and_those_that_are_are_listed(checked: Checks) -> None:
    found = await checked(CHAT | {"model": "gpt-0"})

    assert not found.good
    assert "There are: local-1." in "\n".join(found.lines)
    assert found.setting("The model gpt-0 is not among") == "DEEP_CHAT_MODEL"


async def test_an_assistant_that_is_not_there_is_missing(checked: Checks) -> None:
    found = await checked(ASSISTANTS | {"assistant_id": "asst_nobody"})

    assert not found.good
    assert found.setting("There is no assistant asst_nobody") == "DEEP_CHAT_ASSISTANT_ID"


async def test_vector_stores_that_are_not_there_are_missing(checked: Checks) -> None:
    found = await checked(RESPONSES | {"vector_stores": ("vs_1",)})

    assert not found.good
    assert found.setting("There is no vector store vs_1") == "DEEP_CHAT_VECTOR_STORES"


async def test_a_message_that_fails_makes_the_check_fail(
    checked: Checks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deep_chat_proxy.check.sending.MESSAGE", "http 400")
    found = await checked(CHAT, send=True)

    assert not found.good
    assert found.level("A message was not answered: rejected") == "missing"


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (302, "", {"Location": "http://127.0.0.1:9/"}),
        (204, "", {}),
        (200, "<html>hello</html>", {}),
        (200, '{"error": "Unexpected endpoint or method."}', {}),
        (503, "down", {}),
        (500, "[" * 10_000, {"x-request-id": KEY}),
    ],
)
async def test_a_server_that_is_no_back_end_does_not_pass_for_one(
    capsys: pytest.CaptureFixture[str], status: int, body: str, headers: dict[str, str]
) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, text=body, headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", answer)
    async with serving(app) as port:
        for given in (RESPONSES, CHAT):
            settings = Settings(openai_base_url=f"http://127.0.0.1:{port}/v1", openai_api_key=KEY, **given)
            assert not await check(settings, Registry(), send=False)

    assert KEY not in capsys.readouterr().out


async def test_what_a_back_end_calls_its_models_cannot_write_on_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def models(_request: web.Request) -> web.Response:
        names = [f"\x1b[2J{KEY}", "a\n  works    It is fine.", "x" * 100_000]
        return web.json_response({"data": [{"id": name} for name in names]})

    async def refuse(_request: web.Request) -> web.Response:
        return web.json_response({"error": {"message": "model is required"}}, status=400)

    app = web.Application()
    app.router.add_get("/v1/models", models)
    app.router.add_post("/v1/chat/completions", refuse)
    async with serving(app) as port:
        settings = Settings(openai_base_url=f"http://127.0.0.1:{port}/v1", openai_api_key=KEY, **CHAT)
        assert not await check(settings, Registry(), send=False)
    out = capsys.readouterr().out

    assert KEY not in out
    assert "\x1b" not in out
    assert len(out) < 5_000
    assert not any(line.startswith("  works    It is fine.") for line in out.splitlines())


async def test_a_vector_store_that_cannot_be_asked_for_is_no_traceback(checked: Checks) -> None:
    found = await checked(RESPONSES | {"vector_stores": ("..",)})

    assert found.level("Whether there is a vector store ..") == "note"

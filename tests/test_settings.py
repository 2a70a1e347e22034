"""What the server can be told to do, and what it refuses to be told."""

from typing import Any
from unittest.mock import patch

import msgspec
import pytest

from deep_chat_proxy.settings import Settings

REMOTE: dict[str, Any] = {
    "upstream": "assistants",
    "openai_base_url": "https://azure.example/openai/v1",
    "openai_api_key": "sk-canary",
    "assistant_id": "asst_1",
}


def test_the_defaults_need_nothing_and_talk_to_the_local_back_end() -> None:
    assert Settings().back_end == "local"


def test_with_nothing_but_a_key_openai_is_asked_in_the_protocol_that_it_speaks() -> None:
    settings = Settings(openai_api_key="sk-canary")

    assert settings.back_end == "responses"
    assert settings.base_url == "https://api.openai.com/v1"
    assert settings.at_openai


def test_an_address_is_enough_to_be_no_longer_local() -> None:
    assert Settings(openai_base_url="http://127.0.0.1:11434/v1/", model="llama").back_end == "responses"
    assert Settings(openai_base_url="http://127.0.0.1:11434/v1/", model="llama").base_url == (
        "http://127.0.0.1:11434/v1"
    )


def test_local_is_local_with_a_key_too() -> None:
    assert Settings(openai_api_key="sk-canary", upstream="local").back_end == "local"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"upstream": "responses"}, "OPENAI_API_KEY is missing"),
        ({"upstream": "chat"}, "OPENAI_API_KEY is missing"),
        ({"upstream": "chat", "openai_base_url": "http://a/v1"}, "DEEP_CHAT_MODEL is missing"),
        ({"openai_base_url": "http://a/v1"}, "DEEP_CHAT_MODEL is missing"),
        ({"openai_base_url": "a/v1", "model": "m"}, "OPENAI_BASE_URL must be http"),
        ({"upstream": "assistants", "openai_api_key": "sk-1"}, "leave DEEP_CHAT_UPSTREAM out"),
        ({"mcp_servers": {"dice": {"url": "https://a"}}}, "DEEP_CHAT_MCP_SERVERS: dice has no server_url"),
        ({"mcp_servers": {"dice": {"server_url": None}}}, "DEEP_CHAT_MCP_SERVERS: dice has no server_url"),
        ({"openai_base_url": "http://a..b/v1", "model": "m"}, "OPENAI_BASE_URL must be http"),
        ({"openai_base_url": "http://a:99999/v1", "model": "m"}, "OPENAI_BASE_URL must be http"),
        ({"openai_base_url": "http://[::1/v1", "model": "m"}, "OPENAI_BASE_URL must be http"),
        ({"store": "sqlite:~nosuchuser/store.sqlite3"}, "DEEP_CHAT_STORE must be"),
    ],
)
def test_what_is_missing_for_a_protocol_is_named(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Settings(**given)


def test_a_server_that_speaks_assistants_is_taken() -> None:
    assert Settings(**REMOTE).assistant_id == "asst_1"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"openai_base_url": ""}, "OPENAI_BASE_URL is missing"),
        ({"openai_base_url": "azure.example"}, "OPENAI_BASE_URL must be http"),
        ({"openai_base_url": "http://"}, "OPENAI_BASE_URL must be http"),
        ({"openai_base_url": "http://host/v1?api-version=1"}, "DEEP_CHAT_UPSTREAM_QUERY"),
        ({"openai_api_key": "sk-1\n"}, "OPENAI_API_KEY holds a character"),
        ({"upstream_headers": {"a b": "c"}}, "DEEP_CHAT_UPSTREAM_HEADERS"),
        ({"upstream_headers": {"a": "b\r\nc: d"}}, "DEEP_CHAT_UPSTREAM_HEADERS"),
        (
            {"openai_base_url": "https://api.openai.com/v1"},
            "OpenAI switched its Assistants API off on 2026-08-26",
        ),
        ({"assistant_id": ""}, "DEEP_CHAT_ASSISTANT_ID is missing"),
    ],
)
def test_a_back_end_that_cannot_work_is_refused_with_the_reason(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Settings(**REMOTE | changes)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"same_site": "none", "secure_cookie": "never"}, "DEEP_CHAT_SAME_SITE"),
        ({"secret": "a" * 16 + ",short"}, "DEEP_CHAT_SECRET"),
        ({"store": "/tmp/store.sqlite3"}, "DEEP_CHAT_STORE"),  # noqa: S108 - never opened
        ({"store": "sqlite:"}, "DEEP_CHAT_STORE"),
        ({"store": "sqlite:folder/"}, "DEEP_CHAT_STORE"),
        ({"store": "sqlite:.."}, "DEEP_CHAT_STORE"),
        ({"store": "redis://x"}, "DEEP_CHAT_STORE"),
        ({"allowed_origins": ("https://a.example/",)}, "DEEP_CHAT_ALLOWED_ORIGINS"),
        ({"allowed_origins": ("*",)}, "DEEP_CHAT_ALLOWED_ORIGINS=\\* needs DEEP_CHAT_VISITORS=handle"),
        ({"allowed_origins": ("*", "https://a.example"), "visitors": "handle"}, "DEEP_CHAT_ALLOWED_ORIGINS"),
        ({"partitioned_cookie": "yes"}, "DEEP_CHAT_PARTITIONED_COOKIE=yes needs DEEP_CHAT_SAME_SITE=none"),
        (
            {"partitioned_cookie": "yes", "same_site": "none", "secure_cookie": "never"},
            "needs DEEP_CHAT_SECURE_COOKIE",
        ),
        *(
            ({"allowed_hosts": ("chat.example", wrong)}, "DEEP_CHAT_ALLOWED_HOSTS")
            for wrong in (
                *("", "*", "https://chat.example", "chat.example:8080", "chat.example/", "::1", "[::1]:80"),
                *("a..b", "*.*.example", "chat.*", "bücher.example", "a b", "chat.example\n"),
            )
        ),
        ({"allowed_origins": ("a.example",)}, "DEEP_CHAT_ALLOWED_ORIGINS"),
        ({"workers": 2, "store": "sqlite::memory:"}, "DEEP_CHAT_WORKERS=2 needs a DEEP_CHAT_STORE in a file"),
    ],
)
def test_what_cannot_work_together_is_refused_by_the_name_of_the_variable(
    changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        Settings(**changes)


def test_origins_are_taken_as_browsers_write_them() -> None:
    origins = ("https://a.example", "http://localhost:3000", "http://[::1]:8080")

    assert Settings(allowed_origins=origins).allowed_origins == origins


def test_without_cookies_every_origin_can_be_allowed() -> None:
    assert Settings(allowed_origins=("*",), visitors="handle").allowed_origins == ("*",)


def test_hosts_are_taken_as_browsers_write_them() -> None:
    hosts = ("chat.example", "*.chat.example", "localhost", "10.0.0.7", "[::1]", "Chat.Example.", "deep_chat")

    assert Settings(allowed_hosts=hosts).allowed_hosts == hosts


def test_secrets_are_not_shown() -> None:
    shown = repr(Settings(**REMOTE, secret="canary-canary-canary", upstream_headers={"X-Key": "canary"}))

    assert "canary" not in shown
    assert "assistants" in shown


def test_the_cookie_keys_are_read_newest_first() -> None:
    assert Settings(secret=" newest-newest-newest , older-older-older ,").secrets == [
        "newest-newest-newest",
        "older-older-older",
    ]


def test_the_bounds_of_turns_are_settings() -> None:
    settings = Settings(
        turn_timeout=1,
        grace=2,
        busy_wait=3,
        resend=4,
        readable=5,
        max_turns=6,
        tool_rounds=7,
        log_events=16,
        max_answer=8,
    )

    assert msgspec.structs.astuple(settings.turn_limits) == (1, 2, 3, 4, 5, 6, 7, 16, 8)


@pytest.mark.parametrize(
    ("answer", "first", "silence", "longest"), [(1, 2, 3, 3), (1, 3, 2, 3), (3, 1, 2, 3), (1, 1, 1, 1)]
)
def test_a_turn_that_is_well_is_silent_for_as_long_as_any_of_its_calls_may_be(
    answer: float, first: float, silence: float, longest: float
) -> None:
    settings = Settings(answer_timeout=answer, first_event_timeout=first, silence_timeout=silence)

    assert settings.longest_silence == longest


@pytest.mark.parametrize(("shutdown", "clearing"), [(1.0, 0.5), (4.0, 2.0), (8.0, 3.0), (86_400.0, 3.0)])
def test_little_of_the_time_for_a_shutdown_is_for_clearing_up(shutdown: float, clearing: float) -> None:
    assert Settings(shutdown=shutdown).clearing == clearing


def test_settings_that_are_for_another_protocol_are_known_to_do_nothing() -> None:
    chat = Settings(
        upstream="chat",
        openai_api_key="sk-1",
        hosted_tools=("web_search",),
        assistant_id="a",
        history_tokens=500,
    )

    assert chat.unused == ["hosted_tools", "assistant_id"]
    assert Settings().unused == []
    assert Settings(hosted_tools=("web_search",), openai_api_key="sk-1").unused == []


def test_workers_need_a_system_where_they_can_share_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("socket.SO_REUSEPORT")

    assert Settings(workers=1).workers == 1
    with pytest.raises(ValueError, match="DEEP_CHAT_WORKERS: on this system"):
        Settings(workers=2)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"loop": "uvloop"}, r"DEEP_CHAT_LOOP=uvloop needs uvloop, .*deep-chat-proxy\[fast\]"),
        ({"metrics": "on"}, r"DEEP_CHAT_METRICS=on needs prometheus-client, .*deep-chat-proxy\[metrics\]"),
    ],
)
def test_what_needs_a_package_that_is_not_installed_is_refused_by_name(
    given: dict[str, Any], says: str
) -> None:
    with (
        patch("deep_chat_proxy.settings_rules.find_spec", lambda _: None),
        pytest.raises(ValueError, match=says),
    ):
        Settings(**given)

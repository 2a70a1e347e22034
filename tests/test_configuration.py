"""Where settings come from: flags, the environment, a file; a wrong one is refused by its name."""

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deep_chat_proxy.configuration import SettingsError, load_settings, read_env_file, variable
from deep_chat_proxy.settings import Settings

REMOTE = {
    "OPENAI_BASE_URL": "https://azure.example/v1",
    "DEEP_CHAT_ASSISTANT_ID": "asst_1",
    "DEEP_CHAT_MODEL": "some-model",
}
# A value for each setting that is not its default, as the environment holds it.
OTHER: dict[str, tuple[str, Any]] = {
    "upstream": ("assistants", "assistants"),
    "openai_api_key": ("sk-1", "sk-1"),
    "openai_base_url": ("https://azure.example/v2", "https://azure.example/v2"),
    "api_key_header": ("api-key", "api-key"),
    "upstream_headers": ('{"X-A": "1"}', {"X-A": "1"}),
    "upstream_query": ('{"api-version": "v1"}', {"api-version": "v1"}),
    "assistant_id": ("asst_2", "asst_2"),
    "model": ("gpt-5", "gpt-5"),
    "instructions": ("Be kind, be brief.", "Be kind, be brief."),
    "follow": ("poll", "poll"),
    "thread_state": ("history", "history"),
    "hosted_tools": ("web_search, code_interpreter", ("web_search", "code_interpreter")),
    "vector_stores": ("vs_1,vs_2", ("vs_1", "vs_2")),
    "mcp_servers": (
        '{"dice": {"server_url": "https://a.example"}}',
        {"dice": {"server_url": "https://a.example"}},
    ),
    "reasoning_effort": ("low", "low"),
    "reasoning_summary": ("auto", "auto"),
    "upload_files": ("never", "never"),
    "history_tokens": ("117", 117),
    "longest_frame": ("0.5", 0.5),
    "file_tool": ("code_interpreter", "code_interpreter"),
    "tools": ("tools.py", "tools.py"),
    "store": ("sqlite::memory:", "sqlite::memory:"),
    "secret": ("0123456789abcdef", "0123456789abcdef"),
    "secure_cookie": ("always", "always"),
    "same_site": ("strict", "strict"),
    "allowed_origins": ("https://a.example, https://b.example", ("https://a.example", "https://b.example")),
    "partitioned_cookie": ("yes", "yes"),
    "visitors": ("handle", "handle"),
    "allowed_hosts": ("chat.example.com, localhost", ("chat.example.com", "localhost")),
    "file_kinds": ("images, pdf", ("images", "pdf")),
    "audio": ("refuse", "refuse"),
    "transcription_model": ("whisper-1", "whisper-1"),
    "title_model": ("small-1", "small-1"),
    "host": ("0.0.0.0", "0.0.0.0"),  # noqa: S104 - never bound
    "loop": ("asyncio", "asyncio"),
    "metrics": ("on", "on"),
    "log_level": ("debug", "debug"),
    "tool_output": ("117", 117),
}
# What some need of others.
TOGETHER = {"partitioned_cookie": {"DEEP_CHAT_SAME_SITE": "none"}}
NUMBERS = sorted({"tool_output", "history_tokens"} | set(Settings.__struct_fields__) - set(OTHER))


@pytest.mark.parametrize("name", Settings.__struct_fields__)
def test_every_setting_can_be_set_by_its_variable(name: str) -> None:
    text, value = OTHER.get(name, ("17", 17))
    assert getattr(Settings(), name) != value

    settings = load_settings(REMOTE | TOGETHER.get(name, {}) | {variable(name): text})

    assert getattr(settings, name) == value


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("text", ["-1", "many", "1e999", "inf", "nan"])
def test_a_number_that_is_none_is_refused_by_the_name_of_its_variable(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable(name)}: "):
        load_settings({variable(name): text})


@pytest.mark.parametrize(
    "name",
    [
        "upstream",
        "api_key_header",
        "thread_state",
        "follow",
        "file_tool",
        "secure_cookie",
        "same_site",
        "partitioned_cookie",
        "visitors",
        "audio",
        "log_level",
    ],
)
def test_a_choice_that_is_none_is_refused_by_the_name_of_its_variable(name: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable(name)}: "):
        load_settings({variable(name): "nonsense"})


@pytest.mark.parametrize("text", ["no json", "[]", '{"a": 1}', '"x"'])
def test_a_table_that_is_none_is_refused_by_the_name_of_its_variable(text: str) -> None:
    with pytest.raises(SettingsError, match=r"^DEEP_CHAT_UPSTREAM_HEADERS"):
        load_settings({"DEEP_CHAT_UPSTREAM_HEADERS": text})


@pytest.mark.parametrize(("text", "taken"), [("0", True), ("65535", True), ("65536", False), ("80.5", False)])
def test_the_ends_of_a_range_are_within_it(text: str, taken: bool) -> None:
    if taken:
        assert load_settings({"DEEP_CHAT_PORT": text}).port == int(text)
    else:
        with pytest.raises(SettingsError, match=r"^DEEP_CHAT_PORT: "):
            load_settings({"DEEP_CHAT_PORT": text})


def test_what_does_not_work_together_is_told_in_one_sentence() -> None:
    with pytest.raises(SettingsError) as raised:
        load_settings({"DEEP_CHAT_UPSTREAM": "assistants", "OPENAI_BASE_URL": "https://api.openai.com/v1"})

    assert str(raised.value).startswith(
        "OPENAI_BASE_URL: OpenAI switched its Assistants API off on 2026-08-26"
    )
    assert "$" not in str(raised.value)


def test_a_variable_that_is_no_setting_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(SettingsError) as raised:
        load_settings({"DEEP_CHAT_TOOL": "x.py"})

    assert str(raised.value) == "DEEP_CHAT_TOOL is no setting; did you mean DEEP_CHAT_TOOLS?"


def test_a_variable_that_is_like_no_setting_is_refused_too() -> None:
    with pytest.raises(SettingsError, match=r"^DEEP_CHAT_ZZZZZZZZZZZZ is no setting$"):
        load_settings({"DEEP_CHAT_ZZZZZZZZZZZZ": "1"})


def test_variables_of_others_are_let_alone() -> None:
    assert load_settings({"PATH": "/bin", "PORT": "x", "OPENAI_ORG_ID": "o"}) == Settings()


def test_an_empty_variable_is_one_that_is_not_set() -> None:
    assert load_settings(dict.fromkeys(map(variable, Settings.__struct_fields__), "")) == Settings()


def test_flags_go_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("DEEP_CHAT_PORT=1\nDEEP_CHAT_HOST=file\nDEEP_CHAT_MODEL=file\n", encoding="utf-8")
    environ = {"DEEP_CHAT_PORT": "2", "DEEP_CHAT_HOST": "environment"}

    settings = load_settings(environ, {"port": 3, "host": None}, file)

    assert (settings.port, settings.host, settings.model) == (3, "environment", "file")


def test_a_file_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    assert load_settings({}, None, tmp_path / ".env") == Settings()


def read(tmp_path: Path, content: str | bytes) -> dict[str, str]:
    file = tmp_path / ".env"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_env_file(file)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=1", "1"),
        ("export A=1", "1"),
        ("  A = 1  ", "1"),
        ("A=", ""),
        ('A="two words"', "two words"),
        ("A='it is # no comment'", "it is # no comment"),
        ("A=value # comment", "value"),
        ("A= # comment", ""),
        ('A="quoted" # comment', "quoted"),
        ("A=a#b", "a#b"),
        ('A={"name": "value"}', '{"name": "value"}'),
        ("A=b=c", "b=c"),
        ('A="', '"'),
        ("A=ü", "ü"),
        ("A=1\r", "1"),
    ],
)
def test_a_line_of_a_file_is_a_name_and_a_value(tmp_path: Path, line: str, value: str) -> None:
    assert read(tmp_path, f"# comment\n\n{line}\n") == {"A": value}


@pytest.mark.parametrize("line", ["A", "=1", "1A=2", "A B=1", "A: 1"])
def test_any_other_line_is_refused_by_its_number(tmp_path: Path, line: str) -> None:
    with pytest.raises(SettingsError, match=r"\.env, line 2: expected NAME=value"):
        read(tmp_path, f"A=1\n{line}\n")


def test_a_file_of_another_encoding_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"\.env is not written in UTF-8"):
        read(tmp_path, b"A=\xff\xfe\n")


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbfA=1\n") == {"A": "1"}


@given(st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"), exclude_characters='"')))
def test_any_value_in_quotes_is_read_as_it_is(value: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert read(Path(folder), f'A="{value}"\n') == {"A": value}


@given(
    st.dictionaries(
        st.sampled_from([variable(name) for name in Settings.__struct_fields__]), st.text(), max_size=4
    )
)
def test_no_text_makes_anything_but_settings_or_a_refusal(environ: dict[str, str]) -> None:
    with suppress(SettingsError):
        assert isinstance(load_settings(environ), Settings)


def test_a_choice_may_be_written_in_capitals_and_a_wrong_one_is_told_the_right_ones() -> None:
    assert load_settings({"DEEP_CHAT_LOG_LEVEL": "INFO"}).log_level == "info"
    with pytest.raises(SettingsError, match=r"takes auto, responses, chat, assistants, local, not 'openai'"):
        load_settings({"DEEP_CHAT_UPSTREAM": "openai"})


def test_a_time_with_a_unit_is_told_to_be_a_number() -> None:
    with pytest.raises(
        SettingsError, match=r"^DEEP_CHAT_TURN_TIMEOUT: must be a number above 0 to 86400, not '15m'"
    ):
        load_settings({"DEEP_CHAT_TURN_TIMEOUT": "15m"})


def test_no_setting_is_suggested_for_a_name_that_resembles_none() -> None:
    with pytest.raises(SettingsError, match=r"^DEEP_CHAT_NIX is no setting$"):
        load_settings({"DEEP_CHAT_NIX": "1"})


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"DEEP_CHAT_INSTRUCTIONS": "caf\udce9"}, "DEEP_CHAT_INSTRUCTIONS is not written in UTF-8"),
        (
            {"DEEP_CHAT_MCP_SERVERS": '{"a": {"server_url": "\\ud800"}}'},
            "DEEP_CHAT_MCP_SERVERS must be JSON such as",
        ),
        ({"DEEP_CHAT_MCP_SERVERS": "[" * 60_000}, "DEEP_CHAT_MCP_SERVERS must be JSON such as"),
        ({"DEEP_CHAT_MCP_SERVERS": '{"a": "b"}'}, "DEEP_CHAT_MCP_SERVERS: must be JSON such as"),
        ({"DEEP_CHAT_HOSTED_TOOLS": "magic"}, "DEEP_CHAT_HOSTED_TOOLS: takes a list of web_search, code_"),
    ],
)
def test_a_value_that_nobody_could_use_is_refused_by_the_name_of_its_variable(
    variables: dict[str, str], says: str
) -> None:
    with pytest.raises(SettingsError, match=says):
        load_settings(REMOTE | variables)

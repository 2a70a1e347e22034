"""Nothing that is sent to Responses, Conversations or Chat Completions brings the server down."""

import asyncio
import json
import logging
import os
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deep_chat_proxy.local_openai import data_urls
from deep_chat_proxy.local_openai.bounded import Bounded
from deep_chat_proxy.local_openai.obfuscation import padding
from local_openai.responses_wire import ALL_TOOLS, CODE, EVERYTHING, MCP, WEATHER, create
from local_openai.samples import NOTES_URL, PNG_URL
from local_openai.test_protocol import JSON
from local_openai.wire import FAST, WEATHER_TOOL, Local

CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{"}
CHAT_CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{"}}
PARTS = st.sampled_from([
    {"type": "input_text", "text": "weather in Oslo"}, {"type": "input_image", "image_url": PNG_URL},
    {"type": "input_file", "file_data": NOTES_URL}, {"type": "input_file", "file_url": "https://example.org/"},
])  # fmt: skip
CHAT_PARTS = st.sampled_from([
    {"type": "text", "text": "draw a chart"}, {"type": "image_url", "image_url": {"url": PNG_URL}},
    {"type": "file", "file": {"file_data": NOTES_URL}}, {"type": "image_url", "image_url": {"url": "https://x"}},
])  # fmt: skip
ANSWERED = [CALL, {"type": "function_call_output", "call_id": "c", "output": "x"}]
CHAT_ANSWERED = [
    {"role": "assistant", "tool_calls": [CHAT_CALL]},
    {"role": "tool", "tool_call_id": "c", "content": "x"},
]
APPROVED = [
    {"type": "mcp_approval_request", "id": "m"},
    {"type": "mcp_approval_response", "approval_request_id": "m", "approve": True},
]
TEXTS = st.sampled_from([
    "hello", "weather in Paris and Rome", "make a csv", "stop short", "fail", "search the web for x", "call f",
    "think hard, then draw a chart", "cut the connection", "use the mcp server", "what is in the file?", "refuse",
])  # fmt: skip
ODD_ITEMS = st.sampled_from([
    CALL, {"type": "reasoning", "summary": []}, {"type": "web_search_call"}, {"type": "web_search_call", "action": {}},
    {"type": "code_interpreter_call"}, {"type": "mcp_list_tools"}, {"type": "mcp_list_tools", "server_label": []},
    {"type": "file_search_call"}, {"type": "mcp_approval_request", "id": {}}, {"type": "item_reference", "id": "x"},
    {"role": "assistant", "content": [{"type": "output_text", "text": "x"}]}, {"role": "system", "content": "x"},
])  # fmt: skip
ODD_MESSAGES = st.sampled_from([
    CHAT_ANSWERED[0], {"role": "assistant", "tool_calls": []}, {"role": "system", "content": "x"},
    {"role": "assistant", "content": [{"type": "refusal", "refusal": "x"}]}, {"role": "developer", "content": []},
])  # fmt: skip


def asked_by_user(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    content = TEXTS | st.lists(parts, min_size=1, max_size=2) | st.lists(JSON, max_size=2)
    return st.builds(lambda said: {"role": "user", "content": said}, content)


def rows(*ones: st.SearchStrategy[Any], groups: list[Any]) -> st.SearchStrategy[Any]:
    """Rows of single items and of items that belong together."""
    single = st.one_of(*ones).map(lambda one: [one])
    return st.lists(single | st.sampled_from(groups), max_size=4).map(
        lambda found: [one for group in found for one in group]
    )


ITEMS = rows(ODD_ITEMS, asked_by_user(PARTS), groups=[ANSWERED, APPROVED])
MESSAGES = rows(ODD_MESSAGES, asked_by_user(CHAT_PARTS), groups=[CHAT_ANSWERED])
FLAGS = st.booleans() | st.none()
TOOLS = st.lists(
    st.sampled_from([
        *ALL_TOOLS, {**MCP, "server_url": None}, {**CODE, "container": "cntr_x"},
        {**WEATHER, "parameters": {"type": "object", "properties": {"a": 1}}}, {"type": "mcp"},
        {"type": "function", "name": "f", "parameters": {"properties": 3, "required": [1]}},
    ]),
    max_size=3,
)  # fmt: skip
CHAT_TOOLS = st.lists(
    st.sampled_from(
        [
            WEATHER_TOOL,
            {"type": "function", "function": {"name": "f", "parameters": {"properties": 3, "required": [1]}}},
        ]
    ),
    max_size=2,
)
CHOICES = st.sampled_from([
    "required", "none", "auto", {"type": "function", "name": "get_weather"}, {"type": "code_interpreter"},
    {"type": "allowed_tools", "mode": "required", "tools": [{"name": []}]}, {"type": "mcp", "server_label": "x"},
])  # fmt: skip
METADATA = st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2)
RESPONSE = {
    "model": st.just("local-1"),
    "input": TEXTS | ITEMS,
    "conversation": st.sampled_from(["{c}", {"id": "{c}"}]),
    "previous_response_id": st.sampled_from(["{r}", None]),
    "instructions": TEXTS,
    "store": FLAGS,
    "stream": FLAGS,
    "background": FLAGS,
    "tools": TOOLS,
    "tool_choice": CHOICES,
    "include": st.lists(st.sampled_from([*EVERYTHING, "x"]), max_size=3),
    "text": st.sampled_from([{}, {"format": {"type": "json_object"}}]),
    "metadata": METADATA,
}
COMPLETION = {
    "model": st.just("local-1"),
    "messages": MESSAGES,
    "stream": FLAGS,
    "stream_options": st.sampled_from([None, {"include_usage": True}]),
    "tools": CHAT_TOOLS,
    "tool_choice": st.sampled_from(["none", None, {"type": "function", "function": {"name": "f"}}]),
    "web_search_options": st.sampled_from([{}, None]),
}
CONVERSATION = {"items": ITEMS, "metadata": METADATA}


def bodies(path: str, fields: dict[str, Any]) -> st.SearchStrategy[tuple[str, Any]]:
    """Bodies that are mostly right, with at most one field that is anything at all, or one that is nothing known."""
    optional = {name: values for name, values in fields.items() if name not in {"model", "input", "messages"}}
    right = st.fixed_dictionaries(
        {name: values for name, values in fields.items() if name not in optional}, optional=optional
    )
    wrong = st.dictionaries(st.sampled_from([*fields, "nonsense"]), JSON, max_size=1)
    whole = st.builds(lambda one, other: one | other, right, wrong | st.just({}))
    return st.tuples(st.just(path), right | right | whole | JSON)


REQUESTS = (
    bodies("/responses", RESPONSE)
    | bodies("/chat/completions", COMPLETION)
    | bodies("/conversations", CONVERSATION)
    | bodies("/conversations/{c}/items", CONVERSATION)
    | bodies("/conversations/{c}", CONVERSATION)
    | bodies("/responses/{r}/cancel", {})
)


class Broken(logging.Handler):
    """Notes what is logged as a fault of the server itself."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(self.format(record))


@settings(
    max_examples=int(os.environ.get("BODY_EXAMPLES", "150")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(requests=st.lists(REQUESTS, min_size=1, max_size=8))
def test_no_request_body_gives_a_server_error(requests: list[tuple[str, Any]]) -> None:
    broken = Broken()
    logger = logging.getLogger("deep_chat_proxy.local_openai")
    logger.addHandler(broken)
    try:
        asyncio.run(_all_answered(requests))
    finally:
        logger.removeHandler(broken)

    assert broken.records == []


async def _all_answered(requests: list[tuple[str, Any]]) -> None:
    async with Local.running(FAST) as local:
        made = await create(local, "Hello")
        _, conversation = await local.call("POST", "/conversations", {})

        def named(text: str) -> str:
            return text.replace("{r}", made["id"]).replace("{c}", conversation["id"])

        for path, body in requests:
            try:
                async with (
                    asyncio.timeout(10),
                    local.http.post(
                        local.base_url + named(path),
                        data=named(json.dumps(body)),
                        headers={"Content-Type": "application/json"},
                    ) as response,
                ):
                    await response.read()
            except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError):
                assert "cut the connection" in json.dumps(body)
                continue
            assert response.status < 500 or "fail" in json.dumps(body), body
        await local.call("GET", named("/conversations/{c}/items?limit=100"))
        for kept in local.state.responses:
            status, _ = await local.call("GET", f"/responses/{kept.response.id}/input_items")
            assert status == 200


@given(st.binary(max_size=100), st.text(max_size=20))
def test_a_data_url_is_read_back_as_it_was_written(data: bytes, other: str) -> None:
    assert data_urls.decode(data_urls.encode(data, "text/plain")) == data
    assert data_urls.decode(other) is None or other.startswith("data:")


@given(st.text(alphabet="abc=,;:/data64 \u20ac", max_size=40))
def test_any_text_can_be_read_as_a_data_url(text: str) -> None:
    assert isinstance(data_urls.decode("data:" + text), bytes | None)


@given(st.text(max_size=50))
def test_padding_brings_a_text_to_a_round_length(text: str) -> None:
    assert (len(text) + len(padding(text))) % 16 == 0


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 9)), max_size=30))
def test_what_is_kept_never_takes_more_room_than_there_is(puts: list[tuple[str, int]]) -> None:
    dropped: list[int] = []
    kept: Bounded[int] = Bounded(most=3, most_bytes=12, dropped=dropped.append)
    for number, (its_id, size) in enumerate(puts):
        kept.put(its_id, number, size)
        assert list(kept)[-1] == number
        assert kept.get(its_id) == number

        assert len(kept) <= 3
        assert sum(kept.size(one) for one in "abcdef") <= 12


@pytest.mark.parametrize("size", [12, 13])
def test_the_newest_stays_even_where_it_is_too_large(size: int) -> None:
    kept: Bounded[str] = Bounded(most=3, most_bytes=12)
    kept.put("a", "old", 1)
    kept.put("b", "new", size - 1)
    kept.grow("b", 1)
    kept.grow("x", 1)

    assert list(kept) == ["new"]

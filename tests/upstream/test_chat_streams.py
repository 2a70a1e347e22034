"""Following completions by their streams, over real sockets and in every form that servers send them."""

from collections.abc import Callable
from typing import Any

import aiohttp
import msgspec
import pytest

from deep_chat_proxy.turn.events import Accepted, Completed, Cut, TextDelta, ToolCall, Usage
from deep_chat_proxy.upstream.chat_completions.dialect import ChatDialect
from upstream import chat_recording as rec
from upstream.backend import Body, Json, ScriptedBackend, client_of
from upstream.chat_recording import NEW, PARIS, ROME, assert_whole, dialect_of, sent, streams, tool, user
from upstream.saying import WEATHER, say


@pytest.fixture
def dialect(backend: ScriptedBackend, session: aiohttp.ClientSession) -> ChatDialect:
    """The dialect in front of the scripted back end."""
    return dialect_of(client_of(session, backend.base_url))


async def test_a_completion_becomes_the_events_of_a_turn(
    backend: ScriptedBackend, dialect: ChatDialect
) -> None:
    backend.on(NEW, streams(*rec.text_answer()))

    answer = await say(dialect)

    assert answer.events == [
        Accepted(),
        TextDelta("Grüße, 世界 🌍!\nBye."),
        Usage(11, 7),
        Completed(),
    ]
    assert backend.lines == [NEW]


async def test_a_stream_may_be_split_at_every_byte(backend: ScriptedBackend, dialect: ChatDialect) -> None:
    chunks: rec.Chunks = [
        *({"choices": [{"delta": {"content": piece}}]} for piece in ("Grüße, ", "世界 🌍")),
        {"choices": [{"finish_reason": "stop"}]},
    ]
    whole = rec.stream(chunks) + rec.DONE
    for at in range(1, len(whole)):
        backend.on(NEW, Body((whole[:at], whole[at:])))
        answer = await say(dialect)
        assert (at, *answer.outcome) == (at, "Grüße, 世界 🌍", Completed())
    assert set(backend.lines) == {NEW}


async def test_a_stream_may_come_byte_by_byte(backend: ScriptedBackend, dialect: ChatDialect) -> None:
    whole = rec.stream(rec.text_answer()) + rec.DONE
    backend.on(NEW, Body([whole[at : at + 1] for at in range(len(whole))]))

    assert_whole(await say(dialect))


async def test_one_connection_serves_turn_after_turn(backend: ScriptedBackend, dialect: ChatDialect) -> None:
    backend.on(NEW, Body([*map(rec.frame, rec.text_answer()), rec.DONE]))

    for _ in range(3):
        assert_whole(await say(dialect))

    assert len(backend.connections) == 1


async def test_nothing_that_follows_the_end_of_a_stream_is_said(
    backend: ScriptedBackend, dialect: ChatDialect
) -> None:
    late = rec.stream([rec.chunk({"content": "late"}), {"error": {"message": "late"}}])
    backend.on(NEW, Body((rec.stream(rec.text_answer()) + rec.DONE + late,)))

    assert_whole(await say(dialect))


def _without_usage(chunks: rec.Chunks) -> bytes:
    return rec.stream(chunks[:-1]) + rec.DONE


def _without_done(chunks: rec.Chunks) -> bytes:
    return rec.stream(chunks)


def _without_a_reason(chunks: rec.Chunks) -> bytes:
    return rec.stream(chunks[:-2]) + rec.DONE


def _with_only_a_reason(chunks: rec.Chunks) -> bytes:
    return rec.stream(chunks[:-1])


def _with_comments(chunks: rec.Chunks) -> bytes:
    return b"".join(b": keep-alive\n\n:\n\ndata:\n\n" + rec.frame(each) for each in chunks) + rec.DONE


def _with_crlf(chunks: rec.Chunks) -> bytes:
    return (rec.stream(chunks) + rec.DONE).replace(b"\n", b"\r\n")


def _with_a_prelude(chunks: rec.Chunks) -> bytes:
    # Azure tells first what its content filter made of the prompt.
    prelude = rec.chunk(choices=[], prompt_filter_results=[{"prompt_index": 0}], id="", model="")
    return rec.stream([prelude, *chunks]) + rec.DONE


def _with_nulls(chunks: rec.Chunks) -> bytes:
    nulls = dict.fromkeys(("error", "usage", "system_fingerprint", "service_tier"))
    fields = dict.fromkeys(
        ("content", "refusal", "tool_calls", "function_call", "reasoning", "audio", "annotations")
    )

    def filled(choice: Any) -> Any:
        return {**choice, "message": None, "delta": {**fields, **choice["delta"]}}

    changed = [
        {**nulls, **each, "choices": [filled(choice) for choice in each["choices"]]} for each in chunks
    ]
    return rec.stream([*changed, {**nulls, "choices": None}, {"choices": [{"delta": None}]}]) + rec.DONE


def _with_content_in_parts(chunks: rec.Chunks) -> bytes:
    def parts(delta: Any) -> Any:
        if not delta.get("content"):
            return delta
        thought = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
        return {**delta, "content": [thought, {"type": "text", "text": delta["content"]}]}

    changed = [
        {**each, "choices": [{**choice, "delta": parts(choice["delta"])} for choice in each["choices"]]}
        for each in chunks
    ]
    return rec.stream(changed) + rec.DONE


def _with_unknown_fields(chunks: rec.Chunks) -> bytes:
    extra = {"obfuscation": "aX9", "x_groq": {"id": "req_1"}, "timings": {"n": 1.5}, "nonce": 5}
    return rec.stream([{**extra, **each} for each in chunks]) + rec.DONE


FORMS = [
    _without_usage,
    _without_done,
    _without_a_reason,
    _with_only_a_reason,
    _with_comments,
    _with_crlf,
    _with_a_prelude,
    _with_nulls,
    _with_content_in_parts,
    _with_unknown_fields,
]


@pytest.mark.parametrize("form", FORMS)
async def test_a_stream_of_any_form_is_understood(
    backend: ScriptedBackend, dialect: ChatDialect, form: Callable[[rec.Chunks], bytes]
) -> None:
    backend.on(NEW, Body((form(rec.text_answer()),)))

    assert_whole(await say(dialect))
    assert backend.lines == [NEW]


@pytest.mark.parametrize("form", FORMS)
async def test_calls_in_a_stream_of_any_form_are_understood(
    backend: ScriptedBackend, dialect: ChatDialect, form: Callable[[rec.Chunks], bytes]
) -> None:
    backend.on(NEW, Body((form(rec.called(PARIS, ROME)),)), streams(*rec.said("Sunny")))

    answer = await say(dialect)

    assert answer.outcome == ("Sunny", Completed())
    assert answer.tools.calls == [ToolCall(*PARIS), ToolCall(*ROME)]


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
async def test_what_the_model_thinks_is_one_status_and_no_text(
    backend: ScriptedBackend, dialect: ChatDialect, field: str
) -> None:
    thoughts = [rec.chunk({field: piece, "content": None}) for piece in ("I look", " at the clouds.")]
    backend.on(
        NEW,
        streams(*thoughts, *rec.called(PARIS)),
        streams(*thoughts, *rec.said("Sunny")),
    )

    answer = await say(dialect)

    assert answer.outcome == ("Sunny", Completed())
    assert answer.statuses == ["Thinking…"]


async def test_a_refusal_is_text(backend: ScriptedBackend, dialect: ChatDialect) -> None:
    pieces = [rec.chunk({"content": None, "refusal": piece}) for piece in ("I cannot ", "help with that.")]
    backend.on(NEW, streams(*pieces, rec.chunk(finish="stop")))

    assert (await say(dialect)).outcome == ("I cannot help with that.", Completed())


@pytest.mark.parametrize(
    ("reason", "cut"),
    [
        ("stop", None),
        ("length", Cut.LENGTH),
        ("content_filter", Cut.CONTENT_FILTER),
        ("eos", None),
    ],
)
async def test_the_reason_of_an_end_says_whether_the_answer_is_whole(
    backend: ScriptedBackend, dialect: ChatDialect, reason: str, cut: Cut | None
) -> None:
    backend.on(NEW, streams(rec.chunk({"content": "The beg"}), rec.chunk(finish=reason)))

    assert (await say(dialect)).outcome == ("The beg", Completed(cut))


@pytest.mark.parametrize("reason", ["tool_calls", "stop", "function_call"])
async def test_calls_are_run_whatever_the_reason_of_the_end(
    backend: ScriptedBackend, dialect: ChatDialect, reason: str
) -> None:
    chunks = rec.called(PARIS)[:-2]
    backend.on(NEW, streams(*chunks, rec.chunk(finish=reason)), streams(*rec.said("Sunny")))

    assert (await say(dialect)).tools.calls == [ToolCall(*PARIS)]


@pytest.mark.parametrize("reason", ["length", "content_filter"])
async def test_calls_that_were_cut_short_are_not_run(
    backend: ScriptedBackend, dialect: ChatDialect, reason: str
) -> None:
    chunks = rec.called(PARIS, before="Let me see.")[:-3]
    backend.on(NEW, streams(*chunks, rec.chunk(finish=reason)))

    answer = await say(dialect)

    assert answer.outcome == ("Let me see.", Completed(Cut(reason)))
    assert answer.tools.calls == []
    assert backend.lines == [NEW]


async def test_outputs_are_sent_with_all_that_led_to_them(
    backend: ScriptedBackend, session: aiohttp.ClientSession
) -> None:
    dialect = dialect_of(
        client_of(session, backend.base_url),
        functions=[WEATHER],
        instructions="Be nice.",
        reasoning_effort="low",
    )
    backend.on(NEW, streams(*rec.called(PARIS, ROME, before="Let me see.")), streams(*rec.said("Sunny.")))

    assert (await say(dialect)).outcome == ("Let me see.\n\nSunny.", Completed())

    first, second = (seen.json for seen in backend.requests)
    every = {
        "model": "model-1",
        "stream": True,
        "stream_options": {"include_usage": True},
        "tools": [{"type": "function", "function": WEATHER}],
        "reasoning_effort": "low",
    }
    before = [{"role": "system", "content": "Be nice."}, user("Hello")]
    calls = {**rec.assistant("Let me see."), "tool_calls": [rec.call(*PARIS), rec.call(*ROME)]}
    outputs = [tool(call_id, f"{name} {arguments}") for call_id, name, arguments in (PARIS, ROME)]
    assert first == {**every, "messages": before}
    assert second == {**every, "messages": [*before, calls, *outputs]}


async def test_calls_without_a_word_before_them_have_no_content(
    backend: ScriptedBackend, dialect: ChatDialect
) -> None:
    backend.on(NEW, streams(*rec.called(PARIS)), streams(*rec.said("Sunny.")))

    await say(dialect)

    assert sent(backend)[1][1]["content"] is None


async def test_the_sources_of_an_answer_stand_at_its_end_each_once(
    backend: ScriptedBackend, dialect: ChatDialect
) -> None:
    cited = {"type": "url_citation", "url_citation": {"url": "https://example.com/a", "title": "A page"}}
    useless = [{"type": "url_citation", "url_citation": None}, {"type": "file"}]
    backend.on(
        NEW,
        streams(
            *rec.said("See ", "here.")[:-1], *[rec.chunk({"annotations": [cited, *useless]}, "stop")] * 2
        ),
    )

    assert (await say(dialect)).text == "See here.\n\n**Sources**\n\n1. [A page](https://example.com/a)"


WHOLE_ANSWERS = [
    rec.whole(rec.message(rec.TEXT)),
    rec.whole(rec.message(rec.TEXT), None),
    rec.whole(rec.message([{"type": "text", "text": piece} for piece in rec.PIECES])),
    {"choices": [{"message": {"content": rec.TEXT}}]},
    msgspec.json.decode(
        msgspec.json.encode(
            {"error": None, "usage": None, **rec.whole(rec.message(rec.TEXT, tool_calls=None))}
        )
    ),
]


@pytest.mark.parametrize("body", WHOLE_ANSWERS)
@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_may_come_all_at_once(
    backend: ScriptedBackend, session: aiohttp.ClientSession, body: Any, stream: bool
) -> None:
    dialect = dialect_of(client_of(session, backend.base_url), stream=stream)
    backend.on(NEW, Json(body))

    assert_whole(await say(dialect))
    assert backend.requests[0].json["stream"] is stream
    assert ("stream_options" in backend.requests[0].json) is stream


async def test_calls_may_come_all_at_once(backend: ScriptedBackend, dialect: ChatDialect) -> None:
    calls = [rec.call(*PARIS), rec.call("call_2", "get_weather", {"location": "Rome"})]
    backend.on(
        NEW,
        Json(rec.whole(rec.message("Let me see.", tool_calls=calls), "tool_calls")),
        Json(rec.whole(rec.message("Sunny."))),
    )

    answer = await say(dialect)

    assert answer.outcome == ("Let me see.\n\nSunny.", Completed())
    assert answer.tools.calls == [ToolCall(*PARIS), ToolCall(*ROME)]

"""Following responses by their event streams, over real sockets and in every form that servers send them."""

from collections.abc import Callable
from typing import Any

import aiohttp
import msgspec
import pytest

from deep_chat_proxy.turn.events import Accepted, Completed, TextDelta, ToolCall, Usage
from deep_chat_proxy.upstream.responses.dialect import ResponsesDialect
from deep_chat_proxy.upstream.responses.options import Way
from upstream import responses_recording as rec
from upstream.backend import Body, Json, ScriptedBackend, client_of
from upstream.responses_scenes import (
    NEW,
    OPEN,
    PARIS,
    ROME,
    assert_whole,
    dialect_of,
    opens_conversations,
    output,
    streams,
)
from upstream.saying import say


@pytest.fixture
def dialect(backend: ScriptedBackend, session: aiohttp.ClientSession) -> ResponsesDialect:
    """The dialect in front of the scripted back end, as it keeps the history."""
    return dialect_of(client_of(session, backend.base_url))


async def test_a_response_becomes_the_events_of_a_turn(
    backend: ScriptedBackend, dialect: ResponsesDialect
) -> None:
    backend.on(NEW, streams(*rec.text_response()))

    answer = await say(dialect)

    assert answer.events == [
        Accepted(),
        TextDelta("Grüße, 世界 🌍!\nBye."),
        Usage(11, 7),
        Completed(),
    ]
    assert backend.lines == [NEW]


async def test_a_stream_may_be_split_at_every_byte(
    backend: ScriptedBackend, dialect: ResponsesDialect
) -> None:
    events: rec.Events = [
        *({"type": "response.output_text.delta", "delta": piece} for piece in ("Grüße, ", "世界 🌍")),
        {"type": "response.completed", "response": {"id": "r"}},
    ]
    whole = b"".join(map(rec.frame, events))
    for at in range(1, len(whole)):
        backend.on(NEW, Body((whole[:at], whole[at:])))
        answer = await say(dialect)
        assert (at, *answer.outcome) == (at, "Grüße, 世界 🌍", Completed())
    assert set(backend.lines) == {NEW}


async def test_a_stream_may_come_byte_by_byte(backend: ScriptedBackend, dialect: ResponsesDialect) -> None:
    whole = rec.stream(rec.text_response())
    backend.on(NEW, Body([whole[at : at + 1] for at in range(len(whole))]))

    assert_whole(await say(dialect))


async def test_one_connection_serves_turn_after_turn(
    backend: ScriptedBackend, dialect: ResponsesDialect
) -> None:
    backend.on(NEW, Body([*map(rec.frame, rec.text_response()), rec.DONE]))

    for _ in range(3):
        assert_whole(await say(dialect))

    assert len(backend.connections) == 1


async def test_nothing_that_follows_the_end_of_a_response_is_said(
    backend: ScriptedBackend, dialect: ResponsesDialect
) -> None:
    backend.on(NEW, streams(*rec.text_response(), rec.delta("late"), rec.state("failed")))

    assert_whole(await say(dialect))


def _without_event_lines(events: rec.Events) -> bytes:
    return b"".join(map(rec.bare, rec.numbered(events)))


def _without_numbers(events: rec.Events) -> bytes:
    return b"".join(map(rec.frame, events))


def _as_litellm(events: rec.Events) -> bytes:
    return b"".join(rec.bare({**event, "model": "model-1"}) for event in events) + rec.DONE


def _typed_by_event_lines_only(events: rec.Events) -> bytes:
    untyped = [(event["type"], {**event, "type": ""}) for event in events]
    return b"".join(b"event: %s\n" % name.encode() + rec.bare(data) for name, data in untyped)


def _with_crlf(events: rec.Events) -> bytes:
    return rec.stream(events).replace(b"\n", b"\r\n")


def _with_comments(events: rec.Events) -> bytes:
    return b"".join(b": ping\n\n:\n\ndata:\n\n" + rec.frame(event) for event in events) + rec.DONE


def _without_done_events(events: rec.Events) -> bytes:
    return rec.stream([event for event in events if not event["type"].endswith(".done")])


def _only_the_done_events(events: rec.Events) -> bytes:
    return rec.stream([event for event in events if not event["type"].endswith((".delta", ".added"))])


def _only_its_end(events: rec.Events) -> bytes:
    return rec.stream(events[-1:])


def _with_nothing_in_its_end(events: rec.Events) -> bytes:
    return rec.stream([*events[:-1], rec.state("completed")])


def _with_nulls(events: rec.Events) -> bytes:
    extra = dict.fromkeys(
        ("response", "item", "item_id", "output_index", "content_index", "delta", "text", "annotation")
    )
    *others, end = events
    nulls = dict.fromkeys(("output", "error", "incomplete_details", "usage"))
    last = {**end, "response": {**end["response"], **nulls}}
    return rec.stream([{**extra, **event} for event in [*others, last]])


def _with_numbers_for_ids(events: rec.Events) -> bytes:
    changed = msgspec.json.encode(rec.numbered(events)).replace(b'"resp_1"', b"7").replace(b'"msg_1"', b"8")
    return b"".join(map(rec.frame, msgspec.json.decode(changed)))


def _with_reasoning_first(events: rec.Events) -> bytes:
    thought = {"id": "rs_1", "type": "reasoning", "summary": [], "content": [rec.text_part("Hm.")]}
    moved = [{**event, "output_index": 1} if "output_index" in event else event for event in events]
    moved[-1] = rec.state("completed", thought, *events[-1]["response"]["output"])
    first = [rec.item("added", thought), rec.item("done", thought)]
    return rec.stream([*moved[:2], *first, *moved[2:]])


def _with_unknown_events(events: rec.Events) -> bytes:
    unknown: list[dict[str, Any]] = [
        {"type": "keepalive", "sequence_number": 3},
        {"type": "response.rated", "response": "five stars", "item": 5},
        {"type": "response.content_part.added", "part": "text", "output_index": "none"},
        {"type": "response.audio.delta", "delta": {"pcm": "AAAA"}},
        {"type": "response.output_item.added", "item": {"type": "hologram", "id": 5, "result": None}},
        {"type": "response.output_item.done", "item": {"type": "custom_tool_call", "call_id": "x"}},
        {"stars": 5},
        {},
    ]
    strange = b"".join(map(rec.bare, unknown)) + b"event: ping\ndata: {}\n\n"
    return b"".join(strange + rec.frame(event) for event in events)


FORMS = [
    _without_event_lines,
    _without_numbers,
    _as_litellm,
    _typed_by_event_lines_only,
    _with_crlf,
    _with_comments,
    _without_done_events,
    _only_the_done_events,
    _only_its_end,
    _with_nothing_in_its_end,
    _with_nulls,
    _with_numbers_for_ids,
    _with_reasoning_first,
    _with_unknown_events,
]
CALL_FORMS = [form for form in FORMS if form not in {_with_reasoning_first, _with_numbers_for_ids}]


@pytest.mark.parametrize("form", FORMS)
async def test_a_stream_of_any_form_is_understood(
    backend: ScriptedBackend, dialect: ResponsesDialect, form: Callable[[rec.Events], bytes]
) -> None:
    backend.on(NEW, Body((form(rec.text_response()),)))

    assert_whole(await say(dialect))
    assert backend.lines == [NEW]


@pytest.mark.parametrize("form", CALL_FORMS)
async def test_calls_in_a_stream_of_any_form_are_understood(
    backend: ScriptedBackend, dialect: ResponsesDialect, form: Callable[[rec.Events], bytes]
) -> None:
    backend.on(NEW, Body((form(rec.calls_response(PARIS, ROME)),)), streams(*rec.answer("Sunny")))

    answer = await say(dialect)

    assert answer.outcome == ("Sunny", Completed())
    assert answer.tools.calls == [ToolCall(*PARIS), ToolCall(*ROME)]


async def test_a_call_may_have_an_object_for_its_arguments_and_any_id(
    backend: ScriptedBackend, dialect: ResponsesDialect
) -> None:
    call = rec.call("call/1 é\n", "f", {"a": [1, None]})
    backend.on(NEW, streams(*rec.beginning(), rec.state("completed", call)), streams(*rec.answer("Done")))

    answer = await say(dialect)

    assert answer.tools.calls == [ToolCall("call/1 é\n", "f", '{"a":[1,null]}')]
    assert backend.requests[1].json["input"][-1] == output("call/1 é\n", 'f {"a":[1,null]}')


@pytest.mark.parametrize("response_id", [7, "resp/1 ?#é世", "a%2Fb", "+", "0", "resp_1\n"])
async def test_a_response_may_have_any_id(
    backend: ScriptedBackend, session: aiohttp.ClientSession, response_id: Any
) -> None:
    dialect = dialect_of(client_of(session, backend.base_url), way=Way.CHAIN)
    backend.on(
        NEW,
        streams(*rec.calls_response(PARIS, response_id=response_id)),
        streams(*rec.beginning(response_id=response_id), rec.delta("Sun")),
    )
    backend.on("GET /responses/[^/?#]+", Json(rec.response("completed", rec.message("Sunny"))))

    answer = await say(dialect)

    assert answer.outcome == ("Sunny", Completed())
    assert backend.requests[1].json["previous_response_id"] == str(response_id)


def _numbered_as_they_stand(event: rec.Event) -> rec.Event:
    return event


def _named_by_their_ids(event: rec.Event) -> rec.Event:
    return {name: value for name, value in event.items() if name != "output_index"}


def _counted_with_what_is_not_shown(event: rec.Event) -> rec.Event:
    return {**event, "output_index": event["output_index"] + 1}


NUMBERINGS = [_numbered_as_they_stand, _named_by_their_ids, _counted_with_what_is_not_shown]


@pytest.mark.parametrize("numbering", NUMBERINGS)
async def test_deltas_that_were_lost_are_made_good_by_the_whole_response(
    backend: ScriptedBackend, dialect: ResponsesDialect, numbering: Callable[[rec.Event], rec.Event]
) -> None:
    deltas = [numbering(rec.delta(piece)) for piece in ("Grüße", "!\n")]
    backend.on(NEW, streams(*rec.beginning(), *deltas, rec.state("completed", rec.message(rec.TEXT))))

    answer = await say(dialect)

    assert (answer.outcome, answer.said_anew) == ((rec.TEXT, Completed()), True)


@pytest.mark.parametrize("numbering", NUMBERINGS)
async def test_two_messages_are_two_paragraphs_however_they_are_numbered(
    backend: ScriptedBackend, dialect: ResponsesDialect, numbering: Callable[[rec.Event], rec.Event]
) -> None:
    deltas = [
        *(rec.delta(piece) for piece in ("Let me", " see.")),
        *(rec.delta(piece, 1, item_id="msg_2") for piece in ("It is ", "sunny.")),
    ]
    spoken = [rec.message("Let me see."), rec.message("It is sunny.", item_id="msg_2")]
    backend.on(NEW, streams(*rec.beginning(), *map(numbering, deltas), rec.state("completed", *spoken)))

    answer = await say(dialect)

    assert answer.outcome == ("Let me see.\n\nIt is sunny.", Completed())
    assert not answer.said_anew


async def test_a_server_that_knows_no_streams_answers_all_at_once(
    backend: ScriptedBackend, dialect: ResponsesDialect
) -> None:
    backend.on(
        NEW,
        Json(rec.response("completed", rec.message("Let me see."), rec.call(*PARIS))),
        Json(rec.response("completed", rec.message("Sunny."))),
    )

    answer = await say(dialect)

    assert answer.outcome == ("Let me see.\n\nSunny.", Completed())
    assert answer.tools.calls == [ToolCall(*PARIS)]


async def test_what_every_request_holds_is_sent_with_outputs_too(
    backend: ScriptedBackend, session: aiohttp.ClientSession
) -> None:
    weather = {"name": "get_weather", "description": "The weather.", "parameters": {"type": "object"}}
    dialect = dialect_of(
        client_of(session, backend.base_url),
        functions=[weather],
        way=Way.CONVERSATION,
        instructions="Be nice.",
        hosted=({"type": "web_search"},),
        reasoning={"effort": "low"},
    )
    opens_conversations(backend)
    backend.on(NEW, streams(*rec.calls_response(PARIS, ROME)), streams(*rec.answer("Sunny")))

    assert (await say(dialect)).outcome == ("Sunny", Completed())

    opened, first, second = (seen.json for seen in backend.requests)
    every = {
        "model": "model-1",
        "instructions": "Be nice.",
        "tools": [{"type": "function", **weather, "strict": False}, {"type": "web_search"}],
        "reasoning": {"effort": "low"},
        "conversation": rec.CONVERSATION,
        "stream": True,
    }
    outputs = [output(call_id, f"{name} {arguments}") for call_id, name, arguments in (PARIS, ROME)]
    assert (backend.lines, opened) == ([OPEN, NEW, NEW], {})
    assert first == {**every, "input": [{"role": "user", "content": "Hello"}]}
    assert second == {**every, "input": outputs}


@pytest.mark.parametrize(
    ("way", "place"),
    [
        (Way.CONVERSATION, {"conversation": rec.CONVERSATION}),
        (Way.CHAIN, {"previous_response_id": rec.RESPONSE}),
        (Way.HISTORY, {"store": False}),
    ],
)
async def test_all_outputs_of_a_round_go_back_in_one_request_where_their_calls_are(
    backend: ScriptedBackend, session: aiohttp.ClientSession, way: Way, place: dict[str, Any]
) -> None:
    dialect = dialect_of(client_of(session, backend.base_url), way=way)
    opens_conversations(backend)
    backend.on(
        NEW, streams(*rec.calls_response(PARIS, ROME, before="Let me see.")), streams(*rec.answer("Sunny."))
    )

    assert (await say(dialect)).outcome == ("Let me see.\n\nSunny.", Completed())

    _, second = (seen.json for seen in backend.requests if seen.line == NEW)
    shown = {name: second.get(name) for name in ("conversation", "previous_response_id", "store")}
    assert {name: value for name, value in shown.items() if value is not None} == place
    outputs = [output(call_id, f"{name} {arguments}") for call_id, name, arguments in (PARIS, ROME)]
    before = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Let me see."},
        *(
            {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}
            for call_id, name, arguments in (PARIS, ROME)
        ),
    ]
    assert second["input"] == [*(before if way is Way.HISTORY else []), *outputs]

"""The Responses dialect in front of the scripted back end, and what that is asked for."""

from collections.abc import Sequence
from typing import Any

from deep_chat_proxy.turn.events import Completed
from deep_chat_proxy.upstream.client import ApiClient
from deep_chat_proxy.upstream.responses.dialect import ResponsesDialect
from deep_chat_proxy.upstream.responses.options import ResponsesOptions, Way
from upstream import responses_recording as rec
from upstream.backend import Body, Json, ScriptedBackend
from upstream.playing import QUICK
from upstream.saying import Answer

NEW = "POST /responses"
OPEN = "POST /conversations"
GET = f"GET /responses/{rec.RESPONSE}"
ITEMS = rf"GET /conversations/{rec.CONVERSATION}/items\?.*"
PARIS = ("call_1", "get_weather", '{"location":"Paris"}')
ROME = ("call_2", "get_weather", '{"location":"Rome"}')
GONE = Json(rec.refused(f"Response with id '{rec.RESPONSE}' not found."), 404)


def dialect_of(
    client: ApiClient,
    *,
    functions: Sequence[dict[str, Any]] = (),
    way: Way | None = Way.HISTORY,
    **options: Any,
) -> ResponsesDialect:
    """The dialect for `model-1`; `options` set fields of ResponsesOptions."""
    given = {"model": "model-1", "way": way, "pace": QUICK, **options}
    return ResponsesDialect(client, ResponsesOptions(**given), functions)


def streams(*events: rec.Event, end: str = "close") -> Body:
    return Body((rec.stream(events),), end=end)


def opens_conversations(backend: ScriptedBackend, *ids: str) -> None:
    """A conversation can be made, each under the next of these ids, and deleted."""
    made = ids or (rec.CONVERSATION,)
    backend.on(OPEN, *(Json({"id": each, "object": "conversation"}) for each in made))
    backend.on("DELETE /conversations/[^/]+", Json({"deleted": True}))


def inputs(backend: ScriptedBackend) -> list[Any]:
    """What the responses that were asked for were to answer."""
    return [seen.json["input"] for seen in backend.requests if seen.line == NEW]


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def output(call_id: str, value: str) -> dict[str, str]:
    return {"type": "function_call_output", "call_id": call_id, "output": value}


def assert_whole(answer: Answer) -> None:
    """TEXT was said, once and to its end."""
    assert answer.error is None
    assert answer.outcome == (rec.TEXT, Completed())
    assert not answer.said_anew

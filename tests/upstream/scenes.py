"""What the scripted back end is asked for in tests of whole turns, and the turns that come out right."""

from typing import Any

from deep_chat_proxy.turn.events import Completed
from upstream import recording as rec
from upstream.backend import Body, Json, ScriptedBackend
from upstream.playing import Played

NEW_THREAD = "POST /threads"
DELETE_THREAD = f"DELETE /threads/{rec.THREAD}"
OUTPUTS = f"POST /threads/{rec.THREAD}/runs/{rec.RUN}/submit_tool_outputs"
RUN = f"GET /threads/{rec.THREAD}/runs/{rec.RUN}"
RUNS = rf"GET /threads/{rec.THREAD}/runs\?.*"
CANCEL = f"POST /threads/{rec.THREAD}/runs/{rec.RUN}/cancel"
MESSAGES = rf"GET /threads/{rec.THREAD}/messages\?limit=100&.*"
NEWEST = f"GET /threads/{rec.THREAD}/messages\\?limit=(?:1|20)&order=desc"
ADD = f"POST /threads/{rec.THREAD}/messages"
START = f"POST /threads/{rec.THREAD}/runs"
TAKEN_BACK = f"DELETE /threads/{rec.THREAD}/messages/{rec.SAID}"
FIRST = [NEW_THREAD, START]
"""What is asked for the first message of a thread, up to its run."""
PARIS = ("call_1", "get_weather", '{"location":"Paris"}')
ROME = ("call_2", "get_weather", '{"location":"Rome"}')
OSLO = ("call_3", "get_weather", '{"location":"Oslo"}')


def streams(*pieces: bytes, end: str = "close") -> Body:
    return Body(pieces, end=end)


def threads_can_be_written(backend: ScriptedBackend) -> None:
    """Threads can be made and take messages, whatever their ids are."""
    backend.on(NEW_THREAD, Json({"id": rec.THREAD, "object": "thread"}))
    backend.on("POST /threads/[^/?#]+/messages", Json(rec.said_by_visitor("Hello")))


def messages_brought(backend: ScriptedBackend) -> list[Any]:
    """The messages that came onto a thread, those that it was opened with and those that were posted later."""
    found: list[Any] = []
    for seen in backend.requests:
        if seen.line == NEW_THREAD:
            found += seen.json["messages"]
        elif seen.line == ADD:
            found.append(seen.json)
    return found


def can_be_asked(backend: ScriptedBackend, run: Any, *messages: Any) -> None:
    """The run and what it said can be had without a stream, too; it can be cancelled."""
    backend.on(RUN, Json(run))
    backend.on(MESSAGES, Json(rec.listed(*messages)))
    backend.on(CANCEL, Json(rec.run("cancelling")))


def whole_run_can_be_asked(backend: ScriptedBackend) -> None:
    can_be_asked(backend, rec.run("completed"), rec.message(rec.TEXT))


def assert_whole(played: Played) -> None:
    assert played.error is None
    assert played.text == rec.TEXT
    assert not played.said_anew
    assert played.end == Completed()

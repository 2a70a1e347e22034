"""What the scripted back end is asked for in tests of whole turns, and the turns that come out right."""

from typing import Any

from deep_chat_proxy.turn.events import Completed
from upstream import recording as rec
from upstream.backend import Body, Json, ScriptedBackend
from upstream.playing import Played

NEW = "POST /threads/runs"
OUTPUTS = f"POST /threads/{rec.THREAD}/runs/{rec.RUN}/submit_tool_outputs"
RUN = f"GET /threads/{rec.THREAD}/runs/{rec.RUN}"
RUNS = rf"GET /threads/{rec.THREAD}/runs\?.*"
CANCEL = f"POST /threads/{rec.THREAD}/runs/{rec.RUN}/cancel"
MESSAGES = rf"GET /threads/{rec.THREAD}/messages\?.*"
ADD = f"POST /threads/{rec.THREAD}/messages"
START = f"POST /threads/{rec.THREAD}/runs"
PARIS = ("call_1", "get_weather", '{"location":"Paris"}')
ROME = ("call_2", "get_weather", '{"location":"Rome"}')
OSLO = ("call_3", "get_weather", '{"location":"Oslo"}')


def streams(*pieces: bytes, end: str = "close") -> Body:
    return Body(pieces, end=end)


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

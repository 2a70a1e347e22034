"""From Assistants v2 events and objects to the events of a turn. No I/O.

A stream's `event:` name says what its data is; servers that leave the line out wrap the data as
{event, data} or rely on the object's own `object` field. Unknown events are passed over.
"""

import logging
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter

from deep_chat_proxy.errors import TIMED_OUT
from deep_chat_proxy.turn.context import current_turn
from deep_chat_proxy.turn.events import (
    Completed,
    Cut,
    Failed,
    Status,
    Stopped,
    TerminalEvent,
    ToolCall,
    ToolCallsRequested,
    UpstreamEvent,
    Usage,
)
from deep_chat_proxy.upstream.assistants.answer import Answer
from deep_chat_proxy.upstream.assistants.wire import (
    RUN_ENDED,
    Frame,
    Message,
    MessageDelta,
    Run,
    Step,
    Thread,
)
from deep_chat_proxy.upstream.client import decoded, decoded_all
from deep_chat_proxy.upstream.failures import ErrorBody, read_error, stream_failure
from deep_chat_proxy.upstream.sse import ServerEvent

logger = logging.getLogger("deep_chat_proxy.upstream")

_DELTA = "thread.message.delta"
_HOSTED_TOOLS = {"code_interpreter": "Running code…", "file_search": "Searching the files…"}
# What a stream's events are called where no `event:` line names them; "message" is the standard's own default.
_NAMELESS = frozenset({"", "message"})
_RUN_STATES = (
    "created",
    "queued",
    "in_progress",
    "requires_action",
    "completed",
    "incomplete",
    "failed",
    "cancelling",
    "cancelled",
    "expired",
)
_RUN_EVENTS = frozenset({"thread.run", *(f"thread.run.{state}" for state in _RUN_STATES)})


class Translator:
    """Follows one turn over all its streams and polls; knows which run is open and what was said."""

    def __init__(self) -> None:
        self.thread_id: str | None = None
        self.run_id: str | None = None
        self.paused = False
        """The run waits for tool outputs, or has ended: a stream says no more about it."""
        self.ended = False
        """The run has ended for good."""
        self.calls: tuple[ToolCall, ...] = ()
        """The calls that it asked for last."""
        self._answer = Answer()
        self._hosted: set[str] = set()

    def notice(self, text: str) -> list[UpstreamEvent]:
        """Words of our own before the answer."""
        return self._answer.said.notice(text)

    def take(self, events: Sequence[ServerEvent], out: list[UpstreamEvent]) -> None:
        """What a batch of stream events means. Raises ChatError for data that is not what its name says;
        `out` holds what came before it.
        """
        for name, run in groupby(events, key=attrgetter("name")):
            bodies = [event.data for event in run]
            if name == _DELTA and (deltas := decoded_all(bodies, MessageDelta)) is not None:
                if not self.paused:
                    self._answer.deltas(deltas, out)
                continue
            for data in bodies:
                if self.paused:
                    return
                if data not in {b"", b"[DONE]"}:
                    kind, body = (name, data) if name not in _NAMELESS else _unwrapped(data)
                    self._take(kind, body, out)

    def _take(self, name: str, data: bytes, out: list[UpstreamEvent]) -> None:
        if name == _DELTA:
            self._answer.deltas([decoded(data, MessageDelta)], out)
        elif name == "error":
            self._fail(read_error(data), out)
        elif name == "thread.created":
            self.thread_id = str(decoded(data, Thread).id)
        elif name in {"thread.message.completed", "thread.message.incomplete"}:
            self.take_message(decoded(data, Message), out)
        elif name.startswith("thread.run.step."):
            self._take_step(decoded(data, Step), out)
        elif name in _RUN_EVENTS:
            self.take_run(decoded(data, Run), out)

    def take_message(self, message: Message, out: list[UpstreamEvent], *, whole: bool = False) -> None:
        """A message as the back end keeps it: what of it was not told yet. `whole` as in TextDelta."""
        if message.role == "assistant":
            self._answer.settle(message, out, whole=whole)

    def note(self, run: Run) -> None:
        """Remember which run it is, on which thread; its state is asked for."""
        self.run_id = str(run.id)
        if run.thread_id is not None:
            self.thread_id = str(run.thread_id)

    def take_run(self, run: Run, out: list[UpstreamEvent]) -> None:
        """A run in whatever state it is."""
        self.note(run)
        self.ended = run.status in RUN_ENDED
        self.paused = self.ended or run.status == "requires_action"
        if run.status == "requires_action":
            self.calls = calls_of(run)
            out.append(ToolCallsRequested(self.calls))
        elif self.ended:
            if run.usage is not None:
                out.append(Usage(run.usage.prompt_tokens or 0, run.usage.completion_tokens or 0))
            self._end(run, out)

    def _end(self, run: Run, out: list[UpstreamEvent]) -> None:
        if run.status == "failed":
            fault = run.last_error
            self._fail(ErrorBody(fault.message or "", "", fault.code or "") if fault else ErrorBody(), out)
        else:
            out.append(self._ending(run))

    def _ending(self, run: Run) -> TerminalEvent:
        match run.status:
            case "cancelled":
                return Stopped()
            case "expired":
                return Failed(TIMED_OUT)
            case "incomplete":
                filtered = run.incomplete_details and run.incomplete_details.reason == Cut.CONTENT_FILTER
                return Completed(Cut.CONTENT_FILTER if filtered else self._answer.cut or Cut.LENGTH)
            case _:
                return Completed(self._answer.cut)

    def _fail(self, error: ErrorBody, out: list[UpstreamEvent]) -> None:
        fault = stream_failure(error)
        logger.warning("turn %s: %s", current_turn.get(), fault.cause)
        self.paused = True
        out.append(Failed(fault.problem))

    def _take_step(self, step: Step, out: list[UpstreamEvent]) -> None:
        details = step.delta.step_details if step.delta is not None else step.step_details
        for call in (details.tool_calls if details is not None else None) or ():
            if (label := _HOSTED_TOOLS.get(call.type)) is not None and call.type not in self._hosted:
                self._hosted.add(call.type)
                out.append(Status(label))


def calls_of(run: Run) -> tuple[ToolCall, ...]:
    """The calls whose outputs a run waits for."""
    action = run.required_action and run.required_action.submit_tool_outputs
    return tuple(
        ToolCall(str(call.id), call.function.name, call.function.arguments or "")
        for call in (action.tool_calls if action else ())
    )


def _unwrapped(data: bytes) -> tuple[str, bytes]:
    """The name and data of a frame that has no `event:` line."""
    frame = decoded(data, Frame)
    if frame.error is not None:
        return "error", data
    if frame.event is not None and (wrapped := bytes(frame.data)):
        return frame.event, wrapped
    return _NAMES.get(frame.object or "", ""), data


# A bare run says in its `status` where it is, so any name of its kind will do; a whole message comes in its
# first and last events, and only the last holds text, so that both may be taken as the last.
_NAMES = {
    "thread": "thread.created",
    "thread.run": "thread.run",
    "thread.run.step": "thread.run.step.",
    "thread.run.step.delta": "thread.run.step.",
    "thread.message": "thread.message.completed",
    "thread.message.delta": "thread.message.delta",
}

"""From the events and objects of Responses to the events of a turn. No I/O.

An event's `type` says what it is; the `event:` line only where that is missing. Numbers, `….done` events and a
last `[DONE]` may come or not. Four events end a response: completed, incomplete, failed and error.
"""

import logging
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter

import msgspec

from deep_chat_proxy.errors import ChatError
from deep_chat_proxy.turn.context import current_turn
from deep_chat_proxy.turn.events import (
    Completed,
    Cut,
    Failed,
    FileMade,
    Status,
    Stopped,
    TerminalEvent,
    ToolCall,
    ToolCallsRequested,
    UpstreamEvent,
    Usage,
)
from deep_chat_proxy.upstream.call_limits import check_calls, check_count
from deep_chat_proxy.upstream.citations import annotations_in
from deep_chat_proxy.upstream.client import decoded, decoded_all
from deep_chat_proxy.upstream.failures import ErrorBody, read_error, stream_failure
from deep_chat_proxy.upstream.responses.annotations import Annotations, Key, Named, meaning
from deep_chat_proxy.upstream.responses.made_files import InContainer, MadeFile, Picture
from deep_chat_proxy.upstream.responses.thought import Thought
from deep_chat_proxy.upstream.responses.wire import (
    ENDED,
    Annotation,
    Event,
    EventType,
    Fault,
    Item,
    Part,
    Response,
)
from deep_chat_proxy.upstream.said import Said
from deep_chat_proxy.upstream.sse import ServerEvent
from deep_chat_proxy.upstream.surrogates import joined, mended

logger = logging.getLogger("deep_chat_proxy.upstream")

Told = UpstreamEvent | MadeFile

_DELTA = "response.output_text.delta"
_AT_WORK = {
    "web_search_call": "Searching the web…",
    "file_search_call": "Searching the files…",
    "code_interpreter_call": "Running code…",
    "image_generation_call": "Drawing a picture…",
    "mcp_list_tools": "Looking at what tools there are…",
    "mcp_call": "Using a tool…",
}
# Of one response; more are no answer to anybody.
_MOST_ITEMS = 1_000
# Files and sources of one turn.
_MOST_NAMED = 1_000
# Events that a server may send in any form, as nothing here depends on them.
_NEEDED = ("response.output_text.", "response.refusal.", "response.output_item.", "error")
_ENDS = {f"response.{status}": status for status in ENDED}
_STATES = frozenset({"response.created", "response.queued", "response.in_progress"})


class Translator:
    """Follows one turn over all its responses; knows which of them is open and what was said."""

    def __init__(self) -> None:
        self.response_id: str | None = None
        """The response that is being followed, once the back end named it."""
        self.ended = False
        """It has ended."""
        self.failed = False
        """It ended without an answer that counts."""
        self.calls: tuple[ToolCall, ...] = ()
        """The calls that it ended with."""
        self.approvals: tuple[Item, ...] = ()
        """Requests for an approval that it ended with."""
        self.newest: str | None = None
        """The last item that a response has made."""
        self.said = Said()
        self._round = 0
        self._keys: dict[Key, None] = {}
        self._calls: dict[str, ToolCall] = {}
        self._approvals: dict[str, Item] = {}
        self._thought = Thought()
        self._at_work: set[str] = set()
        self._named: set[object] = set()
        self._annotations = Annotations()
        self._length: dict[Key, int] = {}

    def begin(self) -> None:
        """The next response begins."""
        self._round += 1
        self.response_id = None
        self.ended = self.failed = False
        self.calls = self.approvals = ()
        self._keys = {}
        self._calls = {}
        self._approvals = {}
        self._annotations = Annotations()
        self._length = {}

    def lose(self) -> None:
        """The response was lost in its middle; another comes in its place."""
        self.said.lose(self._keys)

    @property
    def text_in_view(self) -> str:
        """What is to be seen of this response, or of the one in whose place it came."""
        return self.said.in_view(self.text)

    @property
    def text(self) -> str:
        """What this response has said."""
        return "\n\n".join(text for key in self._keys if (text := self.said.text(key)))

    def take(self, events: Sequence[ServerEvent], out: list[Told]) -> None:
        """What a batch of stream events means. Raises ChatError for data that is not what its type says;
        `out` holds what came before it.
        """
        for name, run in groupby(events, key=attrgetter("name")):
            raws = list(run)
            read = decoded_all([raw.data for raw in raws], Event) if name == _DELTA else None
            for index, raw in enumerate(raws):
                if self.ended:
                    return
                if raw.data not in {b"", b"[DONE]"}:
                    self._take(raw, _read(raw) if read is None else read[index], out)

    def _take(self, raw: ServerEvent, event: Event, out: list[Told]) -> None:
        kind = event.type or raw.name
        if kind == _DELTA:
            self._say(event, event.delta or "", out)
        elif kind == "response.output_text.done":
            self._settle(self._key(event), event.text or "", out)
            self._cite(self._key(event), out, whole=True)
        elif kind == "response.refusal.delta":
            self._say(event, event.delta or "", out)
        elif kind == "response.refusal.done":
            self._settle(self._key(event), event.refusal or "", out)
        elif kind == "response.output_text.annotation.added" and event.annotation is not None:
            key = self._key(event)
            self._annotations.add(key, annotations_in([event.annotation], Annotation))
            self._cite(key, out)
        elif kind in {"response.output_item.added", "response.output_item.done"} and event.item is not None:
            self._take_item(event.item, out, done=kind.endswith("done"))
            if kind.endswith("done"):
                self._end_parts(event, event.item, out)
        elif kind == "response.reasoning_summary_text.delta":
            out.extend(self._thought.add(event.delta or ""))
        elif kind == "response.reasoning_summary_text.done":
            out.extend(self._thought.end(event.text or ""))
        else:
            self._take_state(kind, event, raw.data, out)

    def _take_state(self, kind: str, event: Event, data: bytes, out: list[Told]) -> None:
        if kind in _ENDS:
            if event.response is None:
                raise ChatError(stream_failure(ErrorBody()).problem, f"{kind} without its response")
            self.take_response(event.response, out, status=_ENDS[kind])
        elif kind in _STATES and event.response is not None:
            self.note(event.response)
        elif kind == "error" or (not kind and read_error(data).message):
            self._fail(read_error(data), out)

    def note(self, response: Response) -> None:
        """Remember which response it is."""
        self.response_id = str(response.id)

    def take_response(
        self, response: Response, out: list[Told], *, status: str | None = None, whole: bool = False
    ) -> None:
        """A response that has ended. `status` is what its event says, where the object itself does not say how it
        ended; `whole` as in TextDelta.
        """
        self.note(response)
        self._take_output((response.output or [])[:_MOST_ITEMS], out, whole=whole)
        self.said.caught_up(out)
        if (usage := response.usage) is not None:
            out.append(Usage(usage.input_tokens or 0, usage.output_tokens or 0))
        status = response.status if response.status in ENDED else status
        if status == "failed":
            self._fail(_error(response.error), out)
            return
        self.ended = True
        if status == "completed":
            self.calls = tuple(self._calls.values())
            self.approvals = tuple(self._approvals.values())
        if self.calls:
            out.append(ToolCallsRequested(self.calls))
        elif not self.approvals:
            out.append(_ending(status, response))

    def _take_output(self, output: Sequence[Item], out: list[Told], *, whole: bool) -> None:
        """Everything in the order in which it stands; a text that came in pieces is not told again."""
        full = "\n\n".join(text for item in output for part in _parts(item) if (text := _text(part)))
        told = self.text
        if told and full.startswith(told):
            # Servers number their items differently, so what was told is compared as a whole.
            last = next(reversed(self._keys))
            self._settle(last, (self.said.text(last) or "") + full[len(told) :], out, whole=whole)
            told = full
        elif told and full:
            first, *others = self._keys
            self.said.replace([first, *others], full, out)
            self._keys = {first: None}
            told = full
        for index, item in enumerate(output):
            self._take_item(item, out, done=True)
            for part_index, part in enumerate(_parts(item)):
                if full != told:
                    self._settle((self._round, str(index), part_index), _text(part), out, whole=whole)
                for annotation in annotations_in(part.annotations, Annotation):
                    self._name(meaning(annotation, _text(part), whole=True), out)
        for key in self._annotations.rest():
            self._cite(key, out, whole=True)

    def _key(self, event: Event, part: int | None = None) -> Key:
        place = event.output_index if event.output_index is not None else event.item_id
        if place is None and event.item is not None:
            place = event.item.id
        return (self._round, str(place), (event.content_index or 0) if part is None else part)

    def _say(self, event: Event, text: str, out: list[Told]) -> None:
        if text:
            key = self._key(event)
            self._keys[key] = None
            self.said.say(key, text, out)
            self._length[key] = self._length.get(key, 0) + len(text)
            if self._annotations.due(key, self._length[key]):
                self._cite(key, out)

    def _settle(self, key: Key, full: str, out: list[Told], *, whole: bool = False) -> None:
        if full:
            self._keys[key] = None
            self.said.settle(key, full, out, whole=whole)

    def _take_item(self, item: Item, out: list[Told], *, done: bool) -> None:
        if (label := _AT_WORK.get(item.type)) is not None and not done and label not in self._at_work:
            self._at_work.add(label)
            out.append(Status(label))
        if not done:
            return
        if item.id is not None:
            self.newest = str(item.id)
        if item.type == "function_call" and item.call_id is not None:
            call = ToolCall(item.call_id, item.name or "", _arguments(item.arguments))
            self._calls[item.call_id] = call
            check_calls(self._calls.values())
        elif item.type == "mcp_approval_request" and item.id is not None:
            self._approvals[str(item.id)] = item
            check_count(len(self._approvals))
        elif item.type == "image_generation_call" and item.result:
            self._name(Picture(item.result, item.output_format or "png", str(item.id or "")), out)

    def _cite(self, key: Key, out: list[Told], *, whole: bool = False) -> None:
        """Tell what the annotations of a part say, as far as that is known; all of it where the part is `whole`."""
        text = self.said.text(key) or (self.text if whole else "")
        for named in self._annotations.told(key, text, whole=whole):
            self._name(named, out)

    def _end_parts(self, event: Event, item: Item, out: list[Told]) -> None:
        """The parts of an item are whole; one whose text did not come is told with the response."""
        for index, part in enumerate(_parts(item)):
            key = self._key(event, index)
            if self.said.text(key):
                self._annotations.add(key, annotations_in(part.annotations, Annotation))
                self._cite(key, out, whole=True)

    def _name(self, told: Named | MadeFile | None, out: list[Told]) -> None:
        """Tell of a file or a citation once."""
        identity = _identity(told)
        if told is not None and identity not in self._named and len(self._named) < _MOST_NAMED:
            self._named.add(identity)
            out.append(told)

    def _fail(self, error: ErrorBody, out: list[Told]) -> None:
        fault = stream_failure(error)
        logger.warning("turn %s: %s", current_turn.get(), fault.cause)
        self.ended = self.failed = True
        out.append(Failed(fault.problem))


def _read(raw: ServerEvent) -> Event:
    """Raises ChatError for an event that matters and has another shape than it should."""
    try:
        return decoded(raw.data, Event)
    except ChatError:
        kind = decoded(raw.data, EventType).type or raw.name
        if kind in _ENDS or kind.startswith(_NEEDED):
            raise
        return Event(type=kind)


def _identity(told: Named | MadeFile | None) -> object:
    """What is the same of one that is named once more."""
    match told:
        case InContainer(_, file_id):
            return file_id
        case FileMade(file_id):
            return file_id
        case Picture(data, _, item_id):
            return item_id or data[:64]
        case _:
            return told


def _parts(item: Item) -> list[Part]:
    # Reasoning has parts of this kind, too.
    if item.type != "message" or not item.content:
        return []
    return [Part("output_text", item.content)] if isinstance(item.content, str) else item.content


def _text(part: Part) -> str:
    return part.text or part.refusal or ""


def _arguments(value: object) -> str:
    if isinstance(value, str):
        return joined(value)
    try:
        return "" if value is None else msgspec.json.encode(mended(value)).decode()
    except RecursionError:
        return ""


def _error(fault: Fault | None) -> ErrorBody:
    return (
        ErrorBody() if fault is None else read_error(msgspec.json.encode(mended(msgspec.to_builtins(fault))))
    )


def _ending(status: str | None, response: Response) -> TerminalEvent:
    if status == "cancelled":
        return Stopped()
    if status == "incomplete":
        reason = response.incomplete_details.reason if response.incomplete_details is not None else None
        return Completed(Cut.CONTENT_FILTER if reason == "content_filter" else Cut.LENGTH)
    return Completed()

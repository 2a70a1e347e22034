"""The vocabulary of a turn: what a back end reports, and what a visitor is shown.

Dialects yield `UpstreamEvent`s, the loop turns them into `TurnEvent`s, deliveries write those.
Those of the back end's ids that events must hold stand only in events that the loop consumes
(`ToolCallsRequested`, `FileMade`), so a log of turn events can be shown as it is. Turn events have tags, by which
another process, or a later one, can tell what they are.
"""

from collections.abc import Sequence
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from deep_chat_proxy.errors import Problem


class FileKind(StrEnum):
    """How Deep Chat shows a file (its `type` field)."""

    IMAGE = "image"
    AUDIO = "audio"
    ANY = "any"


class ToolCall(Struct, frozen=True):
    """One function call that the model asks for; `arguments` is the model's own JSON text, unchecked."""

    call_id: str
    name: str
    arguments: str


class ToolOutput(Struct, frozen=True):
    """What goes back to the model for one call; `ok` is False where the text tells of a failure."""

    call_id: str
    output: str
    ok: bool = True


class ChatFile(Struct, frozen=True):
    """A file of the thread under our own id, ready to be fetched by the visitor."""

    file_id: str
    name: str
    kind: FileKind


class Event(Struct, frozen=True):
    """Base of all events; never made itself."""


class Accepted(Event, frozen=True, tag="accepted"):
    """The back end took the message: from here on the turn is under way."""


class Status(Event, frozen=True, tag="status"):
    """A short sentence on what is going on, for a person; not part of the answer."""

    text: str


class TextDelta(Event, frozen=True, tag="text"):
    """More of the answer. `whole` marks text that came all at once and may be shown in pieces."""

    text: str
    whole: bool = False


class TextReplaced(Event, frozen=True, tag="text_replaced"):
    """The answer so far was wrong: this is the text from its beginning."""

    text: str


class PartStarted(Event, frozen=True):
    """A new text part or message begins; the loop puts a blank line before its first text."""


class ToolCallsRequested(Event, frozen=True):
    """The back end waits for the outputs of all these calls, together."""

    calls: tuple[ToolCall, ...]


class ToolStarted(Event, frozen=True, tag="tool_started"):
    """A tool runs; `label` is a sentence for a person."""

    call_id: str
    name: str
    label: str


class ToolEnded(Event, frozen=True, tag="tool_ended"):
    """A tool's output is known; `ok` is False where it failed, timed out or was called wrongly."""

    call_id: str
    name: str
    ok: bool


class FileMade(Event, frozen=True):
    """The assistant made a file; `upstream_id` is the back end's name for it. Where that will not be there for long,
    or there is none, `path` is the file itself, from here on the keeper's. `marker` is what stands for it in the text,
    such as `sandbox:/mnt/data/table.csv`.
    """

    upstream_id: str
    name: str | None
    kind: FileKind
    path: Path | None = None
    marker: str = ""


class Cited(Event, frozen=True):
    """The answer rests on this source: a page of the web, or a file where `url` is None, which `upstream_id` names.

    `marker` is what stands for it in the text, in the back end's own words. Where nothing does, `after` is the end of
    the text in front of the place that it belongs to; "" where it belongs to no place.
    """

    title: str
    url: str | None = None
    upstream_id: str = ""
    marker: str = ""
    after: str = ""


class Source(Struct, frozen=True):
    """What an answer rests on, under the number that stands for it in the text: a page of the web at `url`, or a file,
    which the visitor can fetch where it is a `file` of their thread.
    """

    number: int
    title: str
    url: str | None = None
    file: ChatFile | None = None


class SourcesListed(Event, frozen=True, tag="sources_listed"):
    """The end of the answer: its sources, and `text`, which lists them for whoever reads it."""

    text: str
    sources: tuple[Source, ...]


class FileReady(Event, frozen=True, tag="file_ready"):
    """A file the visitor can fetch now."""

    file: ChatFile


class Usage(Event, frozen=True, tag="usage"):
    """Tokens of one run or response, as the back end counted them."""

    input_tokens: int
    output_tokens: int


class Cut(StrEnum):
    """Why a completed answer is not whole."""

    LENGTH = "length"
    CONTENT_FILTER = "content_filter"


class Completed(Event, frozen=True, tag="completed"):
    """The answer ended; `cut` says why it is not whole, where it is not."""

    cut: Cut | None = None


class Stopped(Event, frozen=True, tag="stopped"):
    """The turn was stopped by the visitor, or the back end reports it cancelled."""


class Failed(Event, frozen=True, tag="failed"):
    """The turn ended without (the rest of) an answer; `retry_after` is the back end's wish, in seconds."""

    problem: Problem
    retry_after: float | None = None


TerminalEvent = Completed | Stopped | Failed
UpstreamEvent = (
    Accepted
    | Status
    | PartStarted
    | TextDelta
    | TextReplaced
    | ToolCallsRequested
    | FileMade
    | Cited
    | Usage
    | TerminalEvent
)
TurnEvent = (
    Accepted
    | Status
    | TextDelta
    | TextReplaced
    | SourcesListed
    | ToolStarted
    | ToolEnded
    | FileReady
    | Usage
    | TerminalEvent
)


E = TypeVar("E", bound=Event)


def joined(events: Sequence[E]) -> Sequence[E | TextDelta]:
    """The events with texts that follow each other as one, so that what is done with a text is done once."""
    if len(events) < 2:
        return events
    out: list[E | TextDelta] = []
    for whole, run in groupby(events, key=_joins):
        if whole is None:
            out += run
        else:
            out.append(TextDelta("".join(event.text for event in run if isinstance(event, TextDelta)), whole))
    return out


def _joins(event: Event) -> bool | None:
    """Of which kind a text is that can be joined with others of its kind; None for what is none."""
    return event.whole if isinstance(event, TextDelta) else None

"""The vocabulary of a turn: what a back end reports, and what a visitor is shown.

Dialects yield `UpstreamEvent`s, the loop turns them into `TurnEvent`s, deliveries write those.
Those of the back end's ids that events must hold stand only in events that the loop consumes
(`ToolCallsRequested`, `FileMade`), so a log of turn events can be shown as it is.
"""

from enum import StrEnum
from pathlib import Path

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


class Accepted(Event, frozen=True):
    """The back end took the message: from here on the turn is under way."""


class Status(Event, frozen=True):
    """A short sentence on what is going on, for a person; not part of the answer."""

    text: str


class TextDelta(Event, frozen=True):
    """More of the answer. `whole` marks text that came all at once and may be shown in pieces."""

    text: str
    whole: bool = False


class TextReplaced(Event, frozen=True):
    """The answer so far was wrong: this is the text from its beginning."""

    text: str


class PartStarted(Event, frozen=True):
    """A new text part or message begins; the loop puts a blank line before its first text."""


class ToolCallsRequested(Event, frozen=True):
    """The back end waits for the outputs of all these calls, together."""

    calls: tuple[ToolCall, ...]


class ToolStarted(Event, frozen=True):
    """A tool runs; `label` is a sentence for a person."""

    call_id: str
    name: str
    label: str


class ToolEnded(Event, frozen=True):
    """A tool's output is known; `ok` is False where it failed, timed out or was called wrongly."""

    call_id: str
    name: str
    ok: bool


class FileMade(Event, frozen=True):
    """The assistant made a file; `upstream_id` is the back end's name for it. Where that will not be there for long,
    or there is none, `path` is the file itself, from here on the keeper's.
    """

    upstream_id: str
    name: str | None
    kind: FileKind
    path: Path | None = None


class Cited(Event, frozen=True):
    """The answer rests on this source: a page of the web, or a file where `url` is None."""

    title: str
    url: str | None = None


class FileReady(Event, frozen=True):
    """A file the visitor can fetch now."""

    file: ChatFile


class Usage(Event, frozen=True):
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
    Accepted | Status | TextDelta | TextReplaced | ToolStarted | ToolEnded | FileReady | Usage | TerminalEvent
)

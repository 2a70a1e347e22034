"""What was said on a thread, as we keep it: for back ends that remember nothing, and for what they missed.

A thread's `Memory` is its anchor (what stands for it at the back end) and entries. Back ends differ in how much of
a conversation they keep, so `covered` says how many of the entries, oldest first, the anchor holds already; a
dialect sends the others along with the next message. What a turn that was cut has left is among them, which is
how a partial answer stays in the conversation and how a call without an output gets one.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from deep_chat_proxy.turn.events import FileKind, ToolCall, ToolOutput

INTERRUPTED = '{"error": "The call was interrupted, so its result is not known."}'
"""The output of a call whose own was never known."""

# No tokenizer fits all models. Four bytes of UTF-8 are about one token of English, and in scripts whose letters
# take three bytes a token is about a letter.
_BYTES_A_TOKEN = 4
# What roles and separators add to a message.
_TOKENS_AN_ENTRY = 8
# A picture as the models count it, about.
_TOKENS_A_FILE = 1_000


class AttachedFile(Struct, frozen=True):
    """A file that came with a message. What it holds is in one of three places, or gone with all of them: in
    `text`, at the back end under `upstream_id`, or with us under `key`.
    """

    name: str
    media_type: str
    kind: FileKind
    text: str | None = None
    upstream_id: str | None = None
    key: str | None = None


class UserSaid(Struct, frozen=True, tag="user"):
    """A visitor's message."""

    text: str
    files: tuple[AttachedFile, ...] = ()


class AssistantSaid(Struct, frozen=True, tag="assistant"):
    """An answer, or as much of it as there was."""

    text: str


class CallsMade(Struct, frozen=True, tag="calls"):
    """The calls of one round, and what the assistant said before it made them."""

    calls: tuple[ToolCall, ...]
    text: str = ""


class OutputsGiven(Struct, frozen=True, tag="outputs"):
    """The outputs of the calls before it."""

    outputs: tuple[ToolOutput, ...]


Entry = UserSaid | AssistantSaid | CallsMade | OutputsGiven

# What no function's name may hold, by OpenAI's rule, and how long it may be.
_NO_NAME = re.compile(r"[^a-zA-Z0-9_-]")
_LONGEST_NAME = 64

_NO_ANSWER = AssistantSaid("(No answer.)")


class AnchorKind(StrEnum):
    """What a back end can know a thread by."""

    THREAD = "thread"
    CONVERSATION = "conversation"
    RESPONSE = "response"


class Anchor(Struct, frozen=True):
    """What stands for a thread at the back end, under the back end's own id. `newest` is the last thing that it is
    known to hold, where things in it have ids.
    """

    kind: AnchorKind
    upstream_id: str
    newest: str | None = None


class Memory(Struct, frozen=True):
    """What is known of a thread where a turn begins, or where one is picked up that another process has begun.

    Of the latter, `own` are the entries that it has written already, `own_covered` of which the anchor holds, and
    `checkpoint` is the last one that its dialect has set; `entries` are those before it. `uploads` are the files of the
    thread that are stored at the back end, its ids by `Attachment.identity`.
    """

    anchor: Anchor | None = None
    entries: tuple[Entry, ...] = ()
    covered: int = 0
    own: tuple[Entry, ...] = ()
    own_covered: int = 0
    checkpoint: bytes | None = None
    uploads: Mapping[str, str] = {}

    @property
    def whole(self) -> bool:
        """Whether the entries are all that was said, so that any back end can go on from them."""
        return self.anchor is None or self.anchor.kind is AnchorKind.RESPONSE

    def anchored(self, kind: AnchorKind) -> str | None:
        """The back end's id, where the thread is anchored to a `kind`."""
        return self.anchor.upstream_id if self.anchor is not None and self.anchor.kind is kind else None

    @property
    def missing(self) -> tuple[Entry, ...]:
        """What the anchor does not hold, with an output for each call that it waits for."""
        return mended(self.entries, self.covered)[1]


def mended(entries: Sequence[Entry], covered: int = 0) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """The entries in two parts, the first `covered` ones and the others, so that behind every round of calls stand
    its outputs, all of them and no others.
    """
    parts: tuple[list[Entry], list[Entry]] = ([], [])
    waiting: dict[str, None] = {}
    for index, entry in enumerate(entries):
        part = parts[index >= covered]
        if isinstance(entry, OutputsGiven):
            known = tuple(output for output in entry.outputs if output.call_id in waiting)
            outputs = (*known, *_interrupted(waiting, {output.call_id for output in known}))
            waiting = {}
            if outputs:
                part.append(OutputsGiven(outputs))
            continue
        if waiting:
            part.append(OutputsGiven(_interrupted(waiting, set())))
            waiting = {}
        part.append(entry)
        if isinstance(entry, CallsMade):
            waiting = {call.call_id: None for call in entry.calls}
    if waiting:
        parts[1].append(OutputsGiven(_interrupted(waiting, set())))
    return tuple(parts[0]), tuple(parts[1])


def _interrupted(waiting: dict[str, None], known: set[str]) -> tuple[ToolOutput, ...]:
    return tuple(ToolOutput(call_id, INTERRUPTED, ok=False) for call_id in waiting if call_id not in known)


def newest(entries: Sequence[Entry], budget: int) -> tuple[Entry, ...]:
    """As many of the newest entries as fit into `budget` tokens, beginning with a message of the visitor.

    A round of calls and its outputs stay together, so give it what `mended` made.
    """
    kept: list[Entry] = []
    for unit in reversed(list(_units(entries))):
        budget -= sum(map(tokens_of, unit))
        if budget < 0:
            break
        kept[:0] = unit
    while kept and not isinstance(kept[0], UserSaid):
        kept.pop(0)
    return tuple(kept)


def _units(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    unit: list[Entry] = []
    for entry in entries:
        if unit and not isinstance(entry, OutputsGiven):
            yield unit
            unit = []
        unit.append(entry)
    if unit:
        yield unit


def sendable(call: ToolCall) -> ToolCall:
    """A call as every back end takes it back: under a name that a function can have, with an object as arguments.

    Models make up names and arguments, and a thread that holds such a call would be refused for ever after.
    """
    name = _NO_NAME.sub("_", call.name)[:_LONGEST_NAME] or "unknown"
    return ToolCall(call.call_id, name, _object(call.arguments))


def _object(arguments: str) -> str:
    try:
        is_object = isinstance(msgspec.json.decode(arguments), dict)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        is_object = False
    if is_object:
        return arguments
    return msgspec.json.encode({"unreadable": arguments}).decode() if arguments.strip() else "{}"


def alternating(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """The entries with something of the assistant's before every message of the visitor's but the first.

    A turn that was stopped may have none, and the templates of many models refuse two messages in a row.
    """
    found: list[Entry] = []
    for entry in entries:
        if isinstance(entry, UserSaid) and found and not isinstance(found[-1], AssistantSaid):
            found.append(_NO_ANSWER)
        found.append(entry)
    return tuple(found)


def without_files(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """The entries with the files in them named only, but for those that are text."""
    return tuple(
        replace(entry, files=tuple(replace(file, key=None, upstream_id=None) for file in entry.files))
        if isinstance(entry, UserSaid)
        else entry
        for entry in entries
    )


def tokens_of(entry: Entry) -> int:
    """About how many tokens an entry is."""
    match entry:
        case UserSaid(text, files):
            texts = [text, *(file.text for file in files if file.text is not None)]
            seen = sum(file.text is None for file in files) * _TOKENS_A_FILE
        case AssistantSaid(text):
            texts, seen = [text], 0
        case CallsMade(calls, text):
            texts, seen = [text, *(call.name + call.arguments for call in calls)], 0
        case OutputsGiven(outputs):
            texts, seen = [output.output for output in outputs], 0
    return _TOKENS_AN_ENTRY + seen + sum(len(text.encode()) // _BYTES_A_TOKEN for text in texts)

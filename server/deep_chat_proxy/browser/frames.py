"""Turn events as the server-sent events that Deep Chat shows, many of them in one piece of bytes.

Facts of Deep Chat 2.4.2 that decide the form: every event must carry `thread_id` (an unguarded interceptor
keeps what the last one had); its Stop button works only once something was shown, so a placeholder comes
first and the first text overwrites it; `{"text": ""}` shows nothing; a text and an `error` in one event lose
their order; anything after an `error` takes the error off the page again, so it comes last.
"""

from collections.abc import Callable, Sequence

import msgspec
from msgspec import structs

from deep_chat_proxy.browser.addresses import with_addresses
from deep_chat_proxy.turn.answer.own_files import OWN_FILE
from deep_chat_proxy.turn.events import (
    Accepted,
    ChatFile,
    Completed,
    Cut,
    Failed,
    FileReady,
    Source,
    SourcesListed,
    Status,
    Stopped,
    TerminalEvent,
    TextDelta,
    TextReplaced,
    ToolEnded,
    ToolStarted,
    TurnEvent,
)

_json = msgspec.json.Encoder().encode

PLACEHOLDER = "*Thinking…*"
CUT_NOTES = {
    Cut.LENGTH: "*The answer was cut short because it reached its longest length.*",
    Cut.CONTENT_FILTER: "*The answer was cut short by the assistant's content rules.*",
}
_NO_ANSWER = "*No answer.*"
_STOPPED = "*Stopped.*"
FILES_ONLY = "*Here it is:*"


def cut_note(text: str, cut: Cut) -> str:
    """What follows an answer that is not whole."""
    return f"\n\n{CUT_NOTES[cut]}" if text else CUT_NOTES[cut]


def stopped_note(text: str) -> str:
    """What follows an answer that was stopped."""
    return f"\n\n{_STOPPED}" if text else _STOPPED


def whole_text(text: str, end: TerminalEvent | None) -> str:
    """All that is shown of an answer which came to that end, where its text is `text`."""
    match end:
        case Completed(cut) if cut is not None:
            return text + cut_note(text, cut)
        case Completed():
            return text or FILES_ONLY
        case Stopped():
            return text + stopped_note(text)
        case _:
            return text


def shown_file(file: ChatFile, address: Callable[[ChatFile], str]) -> dict[str, str]:
    """A file as Deep Chat takes it; the type is named because it only guesses by the ending of `src`."""
    return {"src": address(file), "name": file.name, "type": file.kind.value}


def shown_sources(
    sources: Sequence[Source], address: Callable[[ChatFile], str]
) -> dict[str, list[dict[str, int | str]]]:
    """The sources of an answer as the `custom` of a message, which Deep Chat keeps with it."""
    return {"sources": [_shown_source(source, address) for source in sources]}


def _shown_source(source: Source, address: Callable[[ChatFile], str]) -> dict[str, int | str]:
    url = source.url if source.file is None else address(source.file)
    shown: dict[str, int | str] = {"number": source.number, "title": source.title}
    return shown if url is None else {**shown, "url": url}


class FrameWriter:
    """Writes the events of the turn `turn_id` for one connection to thread `thread_id`; their ids begin with `log_id`."""

    def __init__(self, thread_id: str, turn_id: str, log_id: str, address: Callable[[ChatFile], str]) -> None:
        self._address = address
        self._end = b',"thread_id":' + _json(thread_id) + b"}\n\n"
        # So that a page which comes back can tell this turn from one whose end it has seen.
        self._turn = b',"turn_id":' + _json(turn_id)
        # Echoed by pages that keep messages without an interceptor; one event of a bubble is enough.
        self._session = b',"_sessionId":' + _json(thread_id) + self._turn
        self._id = b"id: " + log_id.encode() + b"-%d\n"
        self._placeholder = False
        self._text = False

    def go_on(self, *, with_text: bool) -> None:
        """The connection has events before these: what stands in the bubble is a text of the answer that is whole so
        far, or else something that the first text that comes is to overwrite.
        """
        self._text, self._placeholder = with_text, not with_text

    def addressed(self, events: Sequence[TurnEvent]) -> list[TurnEvent]:
        """The events with their texts as this connection's page can follow the links in them."""
        return [
            structs.replace(event, text=with_addresses(event.text, self._address))
            if isinstance(event, TextDelta | TextReplaced | SourcesListed) and OWN_FILE in event.text
            else event
            for event in events
        ]

    def frames(self, events: Sequence[TurnEvent], last_id: int | None) -> bytes:
        """The events as bytes, texts that follow each other joined; b"" where nothing is to be sent.

        `last_id` is the id of the last of them, by which a connection that comes back says where it was; None
        where that event is still to come. Only the last frame carries it, or one that broke off in the middle
        would take the rest for seen.
        """
        out: list[bytes] = []
        texts: list[str] = []
        for event in self.addressed(events):
            if isinstance(event, TextDelta):
                if event.text:
                    texts.append(event.text)
                continue
            if texts:
                out.append(self._text_frame("".join(texts)))
                texts.clear()
            out.extend(self._event(event))
        if texts:
            out.append(self._text_frame("".join(texts)))
        if not out:
            return b""
        start = b"data: {"
        written = [start + body + self._end for body in out]
        if last_id is not None:
            written[-1] = self._id % last_id + written[-1]
        return b"".join(written)

    def _event(self, event: TurnEvent) -> list[bytes]:
        match event:
            case Accepted():
                return [] if self._text else [self._hold(PLACEHOLDER) + self._turn]
            case TextReplaced(text):
                return [self._overwrite(text)] if text else self._withdraw()
            case SourcesListed(text, sources):
                custom = _json(shown_sources(sources, self._address))
                # Deep Chat takes `custom` only where there is text beside it.
                return [self._text_frame(text) + b',"custom":' + custom]
            case Status(text):
                return self._status(text, b'{"text":' + _json(text) + b"}")
            case ToolStarted(_, name, label):
                return self._status(label, _json({"state": "started", "tool": name, "text": label}))
            case ToolEnded(_, name, ok):
                return [b'"status":' + _json({"state": "ended", "tool": name, "ok": ok})]
            case FileReady(file):
                return [b'"files":[' + _json(shown_file(file, self._address)) + b"]"]
            case _:
                return self._last(event)

    def _last(self, event: TurnEvent) -> list[bytes]:
        match event:
            case Completed(cut) if cut is not None:
                return [self._text_frame(cut_note("text" if self._text else "", cut))]
            case Completed():
                return self._settle(FILES_ONLY)
            case Stopped():
                if self._text:
                    return [self._text_frame(stopped_note("text"))]
                return self._settle(_STOPPED) if self._placeholder else [self._hold(_STOPPED)]
            case Failed(problem):
                return [*self._settle(_NO_ANSWER), b'"error":' + _json(problem.sentence) + self._turn]
            case _:
                return []

    def _text_frame(self, text: str) -> bytes:
        if self._placeholder:
            return self._overwrite(text)
        session = b"" if self._text else self._session
        self._text = True
        return b'"text":' + _json(text) + session

    def _overwrite(self, text: str) -> bytes:
        self._placeholder = False
        session = b"" if self._text else self._session
        self._text = True
        return b'"text":' + _json(text) + b',"overwrite":true' + session

    def _hold(self, text: str) -> bytes:
        """A text that the first real one is to overwrite."""
        overwrite = b',"overwrite":true' if self._placeholder else b""
        self._placeholder = True
        return b'"text":' + _json(text) + overwrite

    def _status(self, text: str, data: bytes) -> list[bytes]:
        """What is going on: in the bubble while no answer is there, beside it afterwards."""
        if self._text:
            return [b'"status":' + data]
        return [self._hold(f"*{text}*") + b',"status":' + data]

    def _withdraw(self) -> list[bytes]:
        """The answer so far was wrong, and nothing takes its place yet."""
        if not self._text:
            return []
        self._text, self._placeholder = False, True
        return [self._hold(PLACEHOLDER)]

    def _settle(self, text: str) -> list[bytes]:
        """The turn ends: nothing may be left standing that says it goes on."""
        return [self._overwrite(text)] if self._placeholder else []

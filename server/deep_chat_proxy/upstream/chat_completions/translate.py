"""From the chunks of Chat Completions to the events of a turn. No I/O.

A stream ends with a chunk that has a `finish_reason`, then perhaps one with the usage, then `[DONE]`; servers leave
one or the other out. One that ends with neither was cut off.
"""

import logging
from collections.abc import Sequence

from deep_chat_proxy.turn.context import current_turn
from deep_chat_proxy.turn.events import (
    Completed,
    Cut,
    Failed,
    Status,
    ToolCall,
    ToolCallsRequested,
    UpstreamEvent,
    Usage,
)
from deep_chat_proxy.upstream.chat_completions.citations import Citations
from deep_chat_proxy.upstream.chat_completions.tool_calls import CallGatherer
from deep_chat_proxy.upstream.chat_completions.wire import Annotation, Completion, Said
from deep_chat_proxy.upstream.chat_completions.wire import Usage as TokenUsage
from deep_chat_proxy.upstream.citations import annotations_in
from deep_chat_proxy.upstream.client import decoded, decoded_all
from deep_chat_proxy.upstream.failures import read_error, stream_failure
from deep_chat_proxy.upstream.said import Said as Answer
from deep_chat_proxy.upstream.sse import ServerEvent

logger = logging.getLogger("deep_chat_proxy.upstream")

_CUTS = {"length": Cut.LENGTH, "content_filter": Cut.CONTENT_FILTER}
_THINKING = Status("Thinking…")


class Translator:
    """Follows one turn over all its completions."""

    def __init__(self) -> None:
        self.ended = False
        """The completion has said how it ended."""
        self.over = False
        """Nothing more follows of it."""
        self.failed = False
        """It ended with an error."""
        self.calls: tuple[ToolCall, ...] = ()
        """The calls that it ended with."""
        self.said = Answer()
        self._round = 0
        self._reason = ""
        self._usage: TokenUsage | None = None
        self._gatherer = CallGatherer()
        self._citations = Citations()
        self._thinking = False

    def begin(self) -> None:
        """The next completion begins."""
        self._round += 1
        self.ended = self.over = self.failed = False
        self.calls = ()
        self._reason = ""
        self._usage = None
        self._gatherer = CallGatherer()
        self._citations.begin()

    def lose(self) -> None:
        """The completion was lost in its middle; another comes in its place."""
        self.said.lose([self._round])

    @property
    def text_in_view(self) -> str:
        """What is to be seen of this completion, or of the one in whose place it came."""
        return self.said.in_view(self.text)

    @property
    def text(self) -> str:
        """What this completion has said."""
        return self.said.text(self._round) or ""

    def take(self, events: Sequence[ServerEvent], out: list[UpstreamEvent]) -> None:
        """What a batch of stream events means. Raises ChatError for data that is no chunk; `out` holds what came
        before it.
        """
        chunks = decoded_all([event.data for event in events], Completion)
        for index, event in enumerate(events):
            if self.over:
                break
            if event.data == b"[DONE]":
                # Some say nothing else of the end.
                self.ended = self.ended or bool(self.text or self._gatherer)
                self.over = True
            elif event.name == "error":
                self._fail(event.data, out)
            elif event.data:
                chunk = decoded(event.data, Completion) if chunks is None else chunks[index]
                self._take(chunk, event.data, out)

    def take_whole(self, body: bytes, out: list[UpstreamEvent]) -> None:
        """An answer that came all at once. Raises ChatError for a body that is none."""
        self._take(decoded(body, Completion), body, out, whole=True)
        self.over = True
        # Whatever is not a stream cannot have been cut off.
        self.ended = True

    def _take(
        self, completion: Completion, data: bytes, out: list[UpstreamEvent], *, whole: bool = False
    ) -> None:
        if completion.error is not None:
            self._fail(data, out)
            return
        for choice in (completion.choices or ())[:1]:
            if (said := choice.delta or choice.message) is not None:
                self._hear(said, out, whole=whole)
            if choice.finish_reason:
                self._reason = choice.finish_reason
                self.ended = True
        self._citations.listed(completion)
        # Some servers count with every chunk.
        self._usage = completion.usage or self._usage

    def _hear(self, said: Said, out: list[UpstreamEvent], *, whole: bool) -> None:
        if text := _text(said):
            self.said.say(self._round, text, out, whole=whole)
        elif (said.reasoning_content or said.reasoning) and not self._thinking:
            self._thinking = True
            out.append(_THINKING)
        if said.tool_calls:
            self._gatherer.take(said.tool_calls)
        for annotation in annotations_in(said.annotations, Annotation):
            self._citations.add(annotation)
        if self._citations.due(len(text)):
            out.extend(self._citations.told(self.text))

    def finish(self, out: list[UpstreamEvent]) -> bool:
        """The answer is there; returns False where it was cut off before it had ended."""
        if self.failed:
            return True
        if not self.ended:
            return False
        self.said.caught_up(out)
        out.extend(self._citations.told(self.text, whole=True))
        if (usage := self._usage) is not None:
            out.append(Usage(usage.prompt_tokens or 0, usage.completion_tokens or 0))
        # A call that was cut short would be run with half of its arguments.
        if self._gatherer and self._reason not in _CUTS:
            self.calls = self._gatherer.gathered()
            out.append(ToolCallsRequested(self.calls))
        else:
            out.append(Completed(_CUTS.get(self._reason)))
        return True

    def _fail(self, data: bytes, out: list[UpstreamEvent]) -> None:
        fault = stream_failure(read_error(data))
        logger.warning("turn %s: %s", current_turn.get(), fault.cause)
        self.ended = self.over = self.failed = True
        out.append(Failed(fault.problem))


def _text(said: Said) -> str:
    if isinstance(said.content, list):
        # Parts of another type are what a model thinks.
        return "".join(part.text or "" for part in said.content if part.type in {"text", "output_text"})
    return said.content or said.refusal or ""

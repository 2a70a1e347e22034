"""How a response can end."""

from msgspec import Struct

from deep_chat_proxy.local_openai.brain.actions import Fault
from deep_chat_proxy.local_openai.responses.objects import ResponseError


class Ending(Struct, frozen=True, kw_only=True):
    """`event` is the last one of the stream; there is none for a response that was cancelled."""

    status: str
    event: str | None
    error: ResponseError | None = None
    reason: str | None = None
    """Why the response is incomplete."""
    kept: bool = False
    """Whether a conversation takes in what was said."""
    told: bool = False
    """Whether an `error` event has ended the stream."""


COMPLETED = Ending(status="completed", event="completed", kept=True)
OUT_OF_TOKENS = Ending(status="incomplete", event="incomplete", reason="max_output_tokens", kept=True)
FILTERED = Ending(status="incomplete", event="incomplete", reason="content_filter", kept=True)
CANCELLED = Ending(status="cancelled", event=None)
CUT_OFF = Ending(status="cancelled", event=None)
"""The connection of a response in the foreground is broken."""


def failed(fault: Fault, message: str, *, told: bool = False) -> Ending:
    event = None if told else "failed"
    return Ending(status="failed", event=event, error=ResponseError(fault, message), told=told)


OUT_OF_TIME = failed(Fault.SERVER_ERROR, "The request timed out.")


class ResponseStops(Exception):  # noqa: N818 - no error: the response has come to an end
    """Leaves the script of a response, wherever it is."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.status)
        self.ending = ending

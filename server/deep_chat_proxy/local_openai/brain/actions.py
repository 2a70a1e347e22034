"""What the assistant can do, as data. A reply is a row of these; each protocol performs them its own way.

Text between two `NewMessage`s is one message, in which `Say`, `Cite` and `Offer` add to the same text.
"""

from enum import StrEnum

from msgspec import Struct

from deep_chat_proxy.local_openai.brain.conversation import Call


class Action(Struct, frozen=True):
    """Base of all actions; never made itself."""


class MadeFile(Struct, frozen=True):
    """A file that the assistant made."""

    name: str
    data: bytes


class Say(Action, frozen=True):
    """More text."""

    text: str


class Cite(Action, frozen=True):
    """A marker in the text that points at a file the visitor gave."""

    file_id: str
    marker: str = "【4:0†source】"


class Offer(Action, frozen=True):
    """A link in the text to a file that the assistant made."""

    file: MadeFile


class Show(Action, frozen=True):
    """A picture that the assistant made, as a part of the message of its own."""

    file: MadeFile


class Source(Struct, frozen=True):
    """A page of the web."""

    url: str
    title: str


class CiteUrl(Action, frozen=True):
    """Words of the text that link to a page of the web."""

    text: str
    source: Source


class Think(Action, frozen=True):
    """The model reasons before it answers; each part of the summary begins with its heading in bold."""

    summary: tuple[str, ...]


class Refuse(Action, frozen=True):
    """The model declines: a refusal in the place of an answer."""

    text: str


class NewMessage(Action, frozen=True):
    """What follows is a message of its own."""


class Found(Struct, frozen=True):
    """One hit of a file search."""

    file_id: str
    name: str
    text: str


class SearchFiles(Action, frozen=True):
    """A use of the built-in file search."""

    hits: tuple[Found, ...]


class RunCode(Action, frozen=True):
    """A use of the built-in code interpreter."""

    code: str
    logs: str = ""
    image: MadeFile | None = None


class SearchWeb(Action, frozen=True):
    """A use of the built-in web search."""

    query: str
    sources: tuple[Source, ...]


class DrawImage(Action, frozen=True):
    """A use of the built-in image generation."""

    prompt: str
    file: MadeFile


class UseRemoteTool(Action, frozen=True):
    """A use of a tool of an MCP server, whose tools are listed first where that was not done before."""

    server: str
    tool: str
    arguments: str
    output: str


class AskApproval(Action, frozen=True):
    """Ends this part of the turn: a tool of an MCP server may be used only when the visitor allows it."""

    server: str
    tool: str
    arguments: str


class CallFunctions(Action, frozen=True):
    """Ends this part of the turn: the outputs of all these calls are needed to go on."""

    calls: tuple[Call, ...]


class Pace(Action, frozen=True):
    """From here on, `seconds` between two pieces of text."""

    seconds: float


class Wait(Action, frozen=True):
    """Nothing happens for `seconds`."""

    seconds: float


class Fault(StrEnum):
    """Error codes of a failed run or response."""

    SERVER_ERROR = "server_error"
    RATE_LIMIT = "rate_limit_exceeded"


class Fail(Action, frozen=True):
    """The run fails."""

    fault: Fault
    message: str


class CutReason(StrEnum):
    """Why an answer stops before its end."""

    LENGTH = "length"
    CONTENT_FILTER = "content_filter"


class CutShort(Action, frozen=True):
    """The answer stops before its end."""

    reason: CutReason


class Expire(Action, frozen=True):
    """The run expires."""


class StreamError(Action, frozen=True):
    """An `error` event inside a stream that began with status 200; the run fails."""

    message: str


class CutConnection(Action, frozen=True):
    """The connection of the stream breaks; the run itself goes on."""


class Hang(Action, frozen=True):
    """Nothing happens until the run expires or is cancelled; `silent`: not one event is sent before."""

    silent: bool = False


class RejectRequest(Action, frozen=True):
    """The request is answered with an error status, and nothing else of it happens."""

    status: int
    message: str
    kind: str
    code: str | None = None
    retry_after: int | None = None
    """Seconds, sent as the Retry-After header."""

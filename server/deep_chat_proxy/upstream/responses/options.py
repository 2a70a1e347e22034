"""What can be chosen about the Responses dialect."""

from enum import StrEnum

from msgspec import Struct

from deep_chat_proxy.upstream.pauses import PollPace
from deep_chat_proxy.upstream.recordings import RecordingOptions


class Way(StrEnum):
    """How a thread is kept: by the back end in a conversation, by the back end in a chain of responses, or by us."""

    CONVERSATION = "conversation"
    CHAIN = "chain"
    HISTORY = "history"


class ResponsesOptions(Struct, frozen=True):
    """How this dialect works.

    `way` None: whatever the back end can do. `stream` False: responses are made in the background and asked for.
    `hosted` are the back end's own tools as it takes them. `upload` None: files are uploaded where there are
    conversations, and sent along elsewhere. `history_tokens` bounds what is sent of a conversation that we keep,
    `longest_text` (characters) a file that is read as text, `longest_answer` (characters) what is kept of an answer that
    was broken off, `largest_file` (bytes) a file that is fetched;
    `recordings` says what becomes of those, `close_within` bounds, in seconds, the ending of a response that goes on.
    """

    model: str
    instructions: str | None = None
    way: Way | None = None
    stream: bool = True
    hosted: tuple[dict[str, object], ...] = ()
    reasoning: dict[str, str] = {}
    upload: bool | None = None
    history_tokens: int = 32_000
    longest_text: int = 256_000
    longest_answer: int = 1_000_000
    largest_file: int = 32 * 1024 * 1024
    recordings: RecordingOptions = RecordingOptions()
    pace: PollPace = PollPace()
    close_within: float = 10.0

    @property
    def acts(self) -> bool:
        """Whether a response can do something elsewhere, so that it must not be made twice."""
        return any(tool.get("type") == "mcp" for tool in self.hosted)

    @property
    def code_interpreter(self) -> bool:
        """Whether the model can run code on the files that it is given."""
        return any(tool.get("type") == "code_interpreter" for tool in self.hosted)

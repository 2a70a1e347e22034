"""What can be chosen about the Assistants v2 dialect."""

from msgspec import Struct

from deep_chat_proxy.upstream.assistants.message import FileTool
from deep_chat_proxy.upstream.pauses import PollPace
from deep_chat_proxy.upstream.recordings import RecordingOptions


class AssistantsOptions(Struct, frozen=True):
    """How this dialect works; `recordings` says what becomes of those, `close_within` bounds, in seconds, the ending of
    a run that goes on.
    """

    assistant_id: str
    model: str | None = None
    instructions: str | None = None
    stream: bool = True
    file_tool: FileTool = "auto"
    recordings: RecordingOptions = RecordingOptions()
    pace: PollPace = PollPace()
    close_within: float = 10.0

"""What can be chosen about the Chat Completions dialect."""

from msgspec import Struct

from deep_chat_proxy.upstream.recordings import RecordingOptions


class ChatOptions(Struct, frozen=True):
    """How this dialect works.

    `stream` False: answers are waited for and come whole. `history_tokens` bounds what is sent of the conversation,
    `longest_text` (characters) a file that is read as text, `longest_answer` (characters) what is kept of an answer that
    was broken off. `recordings`: what becomes of those.
    """

    model: str
    instructions: str | None = None
    stream: bool = True
    reasoning_effort: str = ""
    history_tokens: int = 32_000
    longest_text: int = 256_000
    longest_answer: int = 1_000_000
    recordings: RecordingOptions = RecordingOptions()

"""What the assistant knows when it is asked for a reply."""

from enum import StrEnum
from typing import Any

from msgspec import Struct


class Use(StrEnum):
    """What a file was attached for."""

    IMAGE = "image"
    SEARCH = "file_search"
    CODE = "code_interpreter"


class Attachment(Struct, frozen=True):
    """A file of a message, with its bytes; `file_id` is empty where they came inside of the message."""

    file_id: str
    name: str
    data: bytes
    use: Use


class Said(Struct, frozen=True):
    """One message of the thread; `by_user` is False for the assistant's own."""

    by_user: bool
    text: str
    files: tuple[Attachment, ...] = ()


class Call(Struct, frozen=True):
    """One function call; `arguments` is JSON text, or what a model takes for JSON."""

    name: str
    arguments: str


class Answered(Struct, frozen=True):
    """A call of this turn together with the output that came back for it."""

    call: Call
    output: str


class Function(Struct, frozen=True):
    """A function tool on offer; `parameters` is its JSON schema."""

    name: str
    parameters: dict[str, Any]


class Remote(Struct, frozen=True):
    """An MCP server whose tools may be used."""

    label: str
    ask_first: bool
    """Whether each use needs the visitor's approval."""


class Conversation(Struct, frozen=True, kw_only=True):
    """The thread so far, and what may be used to answer its last message."""

    messages: tuple[Said, ...]
    rounds: tuple[tuple[Answered, ...], ...] = ()
    """Tool rounds since the visitor's last message, oldest first."""
    functions: tuple[Function, ...] = ()
    built_in: frozenset[str] = frozenset()
    """Of `file_search`, `code_interpreter`, `web_search` and `image_generation`, those that the model may use."""
    remote: Remote | None = None
    approved: bool | None = None
    """What was answered to `AskApproval` since the visitor's last message; None where nothing was."""
    instructions: str = ""
    parallel: bool = True
    """Whether one round may hold several calls."""
    forced: str | None = None
    """A function that must be called in the first round (`tool_choice`)."""
    tried_before: bool = False
    """Whether the same message was sent before and refused."""

    @property
    def asked(self) -> Said:
        """The visitor's last message; empty where there is none."""
        return next((said for said in reversed(self.messages) if said.by_user), Said(by_user=True, text=""))

    @property
    def user_texts(self) -> tuple[str, ...]:
        return tuple(said.text for said in self.messages if said.by_user)

    @property
    def new_files(self) -> tuple[Attachment, ...]:
        """Files that came since the assistant last spoke, as files may come in a message of their own."""
        found: list[Attachment] = []
        for said in reversed(self.messages):
            if not said.by_user:
                break
            found[:0] = said.files
        return tuple(found)

    @property
    def called(self) -> tuple[Answered, ...]:
        """Every answered call of this turn."""
        return tuple(answered for round_ in self.rounds for answered in round_)

    def offers(self, function: str) -> bool:
        return any(offered.name == function for offered in self.functions)

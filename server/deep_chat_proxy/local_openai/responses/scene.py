"""Items, as the brain sees them."""

from collections.abc import Iterable
from typing import Any

import msgspec

from deep_chat_proxy.local_openai import data_urls
from deep_chat_proxy.local_openai.brain.conversation import (
    Answered,
    Attachment,
    Call,
    Conversation,
    Function,
    Remote,
    Said,
    Use,
)
from deep_chat_proxy.local_openai.brain.inlined import with_documents
from deep_chat_proxy.local_openai.responses.objects import Item, Response
from deep_chat_proxy.local_openai.responses.tools import (
    AutoContainer,
    CodeTool,
    FileSearchTool,
    ImageTool,
    McpTool,
    WebSearchPreviewTool,
    WebSearchTool,
    forced_function,
    functions_in,
)
from deep_chat_proxy.local_openai.state import LocalState

BUILT_IN = {
    FileSearchTool: "file_search",
    CodeTool: "code_interpreter",
    WebSearchTool: "web_search",
    WebSearchPreviewTool: "web_search",
    ImageTool: "image_generation",
}


def conversation(state: LocalState, response: Response, items: Iterable[Item]) -> Conversation:
    """What the brain needs to make a response to these items."""
    tools = [] if response.tool_choice == "none" else response.tools
    functions = functions_in(tools, response.tool_choice)
    built_in = frozenset(BUILT_IN[type(tool)] for tool in tools if type(tool) in BUILT_IN)
    reader = _Reader(state, use=_use(built_in))
    for item in items:
        reader.take(item)
    remote = next((tool for tool in tools if isinstance(tool, McpTool)), None)
    return Conversation(
        messages=_with_files(tuple(reader.messages), _container_files(state, response)),
        rounds=tuple(tuple(round_) for round_ in reader.rounds),
        functions=tuple(Function(tool.name, tool.parameters or {}) for tool in functions),
        built_in=built_in,
        remote=Remote(remote.server_label, ask_first=remote.require_approval != "never") if remote else None,
        approved=reader.approved,
        instructions=" ".join(text for text in (response.instructions, *reader.instructions) if text),
        parallel=response.parallel_tool_calls,
        forced=forced_function(functions, response.tool_choice),
    )


def _use(built_in: frozenset[str]) -> Use:
    return Use.CODE if "code_interpreter" in built_in and "file_search" not in built_in else Use.SEARCH


class _Reader:
    """Takes items in their order."""

    def __init__(self, state: LocalState, *, use: Use) -> None:
        self.messages: list[Said] = []
        self.instructions: list[str] = []
        self.rounds: list[list[Answered]] = []
        self.approved: bool | None = None
        self._state = state
        self._use = use
        self._calls: dict[str, Call] = {}
        self._round_is_open = False

    def take(self, item: Item) -> None:
        match item["type"]:
            case "message":
                self._message(item["role"], item["content"])
            case "function_call":
                self._calls[item["call_id"]] = Call(item["name"], item["arguments"])
                self._round_is_open = False
            case "function_call_output":
                if not self._round_is_open:
                    self.rounds.append([])
                    self._round_is_open = True
                self.rounds[-1].append(Answered(self._calls[item["call_id"]], _text_of(item["output"])))
            case "mcp_approval_response":
                self.approved = item["approve"]

    def _message(self, role: str, content: list[Item]) -> None:
        text = _text_of(content)
        if role in {"system", "developer"}:
            self.instructions.append(text)
            return
        if role == "user":
            self.rounds = []
            self._round_is_open = False
            self.approved = None
        files = tuple(file for part in content if (file := self._file(part)) is not None)
        said = Said(by_user=role == "user", text=text, files=files)
        self.messages.append(with_documents(said) if said.by_user else said)

    def _file(self, part: Item) -> Attachment | None:
        if part["type"] not in {"input_image", "input_file"}:
            return None
        use = Use.IMAGE if part["type"] == "input_image" else self._use
        if file_id := part.get("file_id"):
            kept = self._state.files.get(file_id)
            return Attachment(file_id, kept.file.filename, kept.data, use) if kept else None
        data = data_urls.decode(part.get("image_url") or part.get("file_data") or "")
        return None if data is None else Attachment("", part.get("filename") or "file", data, use)


def _text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    texts = [part.get("text") or part.get("refusal") for part in content]
    return "\n".join(text for text in texts if text)


def _container_files(state: LocalState, response: Response) -> tuple[Attachment, ...]:
    """Files that were given to the code interpreter with the tool itself."""
    ids = [
        file_id
        for tool in response.tools
        if isinstance(tool, CodeTool) and isinstance(tool.container, AutoContainer)
        for file_id in tool.container.file_ids
    ]
    kept = [(file_id, state.files[file_id]) for file_id in ids if file_id in state.files]
    return tuple(Attachment(file_id, one.file.filename, one.data, Use.CODE) for file_id, one in kept)


def _with_files(messages: tuple[Said, ...], files: tuple[Attachment, ...]) -> tuple[Said, ...]:
    """Each comes with the visitor's last message that names it, else with the first one, so that it is not described
    again and again.
    """
    found = list(messages)
    for file in files:
        named = [index for index, said in enumerate(found) if said.by_user and file.name in said.text]
        first = [index for index, said in enumerate(found) if said.by_user][:1]
        for index in named[-1:] or first:
            found[index] = msgspec.structs.replace(found[index], files=(*found[index].files, file))
    return tuple(found)

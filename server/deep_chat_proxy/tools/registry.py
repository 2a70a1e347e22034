"""The tools of one server, by name."""

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from deep_chat_proxy.tools.declaration import Tool
from deep_chat_proxy.tools.error import ToolError


class ToolDefinition(Struct, frozen=True):
    """What a model is told of a tool, in no dialect; `parameters` is a JSON schema of an object."""

    name: str
    description: str
    parameters: dict[str, Any]


class Registry:
    """Holds tools in the order in which they were added."""

    def __init__(self, tools: Iterable[Tool[..., Any]] = ()) -> None:
        """Raises ToolError as `add` does."""
        self._tools: dict[str, Tool[..., Any]] = {}
        for tool in tools:
            self.add(tool)

    def add(self, tool: Tool[..., Any]) -> None:
        """Raises ToolError for what is no tool, and for a name that is taken."""
        if not isinstance(tool, Tool):
            raise ToolError(f"{tool!r} is no tool. Write @tool above its `def`.")
        if tool.name in self._tools:
            raise ToolError(
                f'There are two tools of the name {tool.name}. Give one another with `@tool(name="…")`.'
            )
        self._tools[tool.name] = tool

    def get(self, name: str) -> Tool[..., Any] | None:
        return self._tools.get(name)

    def __iter__(self) -> Iterator[Tool[..., Any]]:
        return iter(self._tools.values())

    def __len__(self) -> int:
        return len(self._tools)

    def definitions(self) -> tuple[ToolDefinition, ...]:
        """All tools, for a dialect to wrap.

        The schemas are open to optional parameters, so a dialect whose `strict` defaults to true
        (Responses) must say `"strict": false`.
        """
        return tuple(ToolDefinition(tool.name, tool.description, tool.parameters) for tool in self)

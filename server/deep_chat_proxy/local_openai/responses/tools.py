"""The tools of a response and the choice between them; a function is written flat, not as in Chat Completions."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from deep_chat_proxy.local_openai import strict_schema
from deep_chat_proxy.local_openai.errors import ApiError, invalid_value, missing

FunctionName = Annotated[str, Meta(min_length=1, max_length=64, pattern="^[a-zA-Z0-9_-]+$")]


class FunctionTool(Struct, kw_only=True, tag_field="type", tag="function"):
    name: FunctionName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class FileSearchTool(Struct, kw_only=True, tag_field="type", tag="file_search", omit_defaults=True):
    vector_store_ids: list[str]
    max_num_results: Annotated[int, Meta(ge=1, le=50)] | UnsetType = UNSET


class AutoContainer(Struct, tag_field="type", tag="auto"):
    """A container that is made when it is needed; `file_ids` are files to be put into it."""

    file_ids: Annotated[list[str], Meta(max_length=50)] = []


class CodeTool(Struct, tag_field="type", tag="code_interpreter"):
    container: str | AutoContainer


class WebSearchTool(Struct, kw_only=True, tag_field="type", tag="web_search"):
    search_context_size: Literal["low", "medium", "high"] = "medium"


class WebSearchPreviewTool(Struct, kw_only=True, tag_field="type", tag="web_search_preview"):
    search_context_size: Literal["low", "medium", "high"] = "medium"


class McpTool(Struct, kw_only=True, tag_field="type", tag="mcp"):
    """Its headers and authorization are not read, and so never shown."""

    server_label: Annotated[str, Meta(min_length=1, max_length=64)]
    server_url: str | None = None
    require_approval: Literal["always", "never"] | None = "always"


class ImageTool(Struct, kw_only=True, tag_field="type", tag="image_generation", omit_defaults=True):
    partial_images: Annotated[int, Meta(ge=0, le=3)] = 0
    quality: Literal["low", "medium", "high", "auto"] | UnsetType = UNSET
    size: str | UnsetType = UNSET


Tool = FunctionTool | FileSearchTool | CodeTool | WebSearchTool | WebSearchPreviewTool | McpTool | ImageTool


class ToolChoice(Struct, kw_only=True, omit_defaults=True):
    """One tool, or with `allowed_tools` some of them."""

    type: Literal[
        "function", "allowed_tools", "mcp", "file_search", "web_search_preview", "code_interpreter",
        "image_generation",
    ]  # fmt: skip
    name: str | UnsetType = UNSET
    server_label: str | UnsetType = UNSET
    mode: Literal["auto", "required"] | UnsetType = UNSET
    tools: list[dict[str, Any]] | UnsetType = UNSET


Choice = Literal["none", "auto", "required"] | ToolChoice


def check_tools(tools: list[Tool]) -> None:
    """Raises ApiError (400) for a strict function whose schema is not, and for an MCP server that is nowhere."""
    for index, tool in enumerate(tools):
        if isinstance(tool, FunctionTool) and tool.strict:
            strict_schema.check(tool.name, tool.parameters, f"tools[{index}].parameters")
        if isinstance(tool, McpTool) and tool.server_url is None:
            raise missing(f"tools[{index}].server_url")


def check_choice(choice: Choice, tools: list[Tool]) -> None:
    """Raises ApiError (400) for a choice that says too little, or names what is not among the tools."""
    if isinstance(choice, str):
        if choice == "required" and not tools:
            raise invalid_value("tool_choice", "'required' needs some 'tools'.")
        return
    needed = {"function": ("name",), "allowed_tools": ("mode", "tools"), "mcp": ("server_label",)}
    for field in needed.get(choice.type, ()):
        if getattr(choice, field) is UNSET:
            raise missing(f"tool_choice.{field}")
    if choice.type == "allowed_tools":
        return
    offered = [msgspec.to_builtins(tool) for tool in tools]
    named = {"type": choice.type} | ({"name": choice.name} if choice.type == "function" else {})
    if not any(named.items() <= {key: tool.get(key) for key in named}.items() for tool in offered):
        raise ApiError(
            400, f"Tool choice '{choice.type}' not found in 'tools' parameter.", param="tool_choice"
        )


def functions_in(tools: list[Tool], choice: Choice) -> list[FunctionTool]:
    """The functions that may be called."""
    found = [tool for tool in tools if isinstance(tool, FunctionTool)]
    if isinstance(choice, ToolChoice) and choice.type == "allowed_tools" and choice.tools is not UNSET:
        allowed = {str(tool.get("name")) for tool in choice.tools}
        return [tool for tool in found if tool.name in allowed]
    return [] if choice == "none" else found


def forced_function(functions: list[FunctionTool], choice: Choice) -> str | None:
    """The function that must be called."""
    if isinstance(choice, ToolChoice) and choice.type == "function":
        return str(choice.name)
    required = choice == "required" or (isinstance(choice, ToolChoice) and choice.mode == "required")
    return functions[0].name if required and functions else None

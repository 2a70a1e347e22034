"""Tools: typed Python functions that the model may call while it answers.

A `@tool` function (declaration) is read into a JSON schema (signature, docstring, schema), listed in
a `Registry`, and run by the `ToolExecutor`, which turns whatever happens into one output (output).
Sync functions run in daemon threads. `load_tools` reads a file of tools, `describe` lists them for a
person, and the module `weather` is an example to copy.
"""

from deep_chat_proxy.tools.declaration import Tool, tool
from deep_chat_proxy.tools.error import ToolError
from deep_chat_proxy.tools.executor import ToolExecutor
from deep_chat_proxy.tools.listing import describe
from deep_chat_proxy.tools.loading import load_tools
from deep_chat_proxy.tools.registry import Registry, ToolDefinition

__all__ = [
    "Registry",
    "Tool",
    "ToolDefinition",
    "ToolError",
    "ToolExecutor",
    "describe",
    "load_tools",
    "tool",
]

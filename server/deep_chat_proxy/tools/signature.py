"""The parameters of a function as its signature declares them, and which functions cannot be tools."""

import inspect
import typing
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from deep_chat_proxy.tools.error import ToolError


class Parameter(Struct, frozen=True):
    """`hint` is the annotation with its `Annotated` extras; `default` counts where `required` is False."""

    name: str
    hint: Any
    required: bool
    default: Any = None


def check_function(function: object) -> None:
    """Raises ToolError for what cannot be a tool whatever its parameters are."""
    original = inspect.unwrap(function) if callable(function) else function
    if not inspect.isroutine(original):
        raise ToolError(f"{function!r} cannot be a tool. Write @tool, or @tool(name=…), above a `def`.")
    if inspect.isgeneratorfunction(original) or inspect.isasyncgenfunction(original):
        raise ToolError(f"{function!r} cannot be a tool. Return the whole result instead of yielding it.")


def read_signature(function: Callable[..., object], tool_name: str) -> tuple[Parameter, ...]:
    """The parameters in their order.

    Raises ToolError where a parameter cannot be given by name with a known type.
    """
    try:
        declared = inspect.signature(function).parameters.values()
        hints = typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError, ValueError, AttributeError, SyntaxError) as fault:
        raise ToolError(
            f"Tool {tool_name}: its annotations cannot be read ({fault}). "
            "Import or define every type they name at the top level of the module."
        ) from fault
    return tuple(_read_parameter(parameter, hints, tool_name) for parameter in declared)


def _read_parameter(parameter: inspect.Parameter, hints: dict[str, Any], tool_name: str) -> Parameter:
    where = f"Tool {tool_name}: parameter `{parameter.name}`"
    if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
        raise ToolError(f"{where} takes any number of values. Name each parameter, or take one list or dict.")
    if parameter.kind is parameter.POSITIONAL_ONLY:
        raise ToolError(f"{where} cannot be given by name. Remove the `/` from the signature.")
    if parameter.name not in hints:
        raise ToolError(
            f"{where} has no type annotation. Write its type, for example `{parameter.name}: str`."
        )
    required = parameter.default is parameter.empty
    default = None if required else parameter.default
    return Parameter(parameter.name, hints[parameter.name], required, default)

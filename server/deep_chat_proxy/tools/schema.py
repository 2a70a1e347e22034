"""The JSON schema of a function's parameters, and the reading of arguments against it.

Both come from one msgspec struct with a field for each parameter, so what the model is told and what
is accepted cannot differ.
"""

import typing
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from deep_chat_proxy.tools.error import ToolError
from deep_chat_proxy.tools.signature import Parameter


class Arguments:
    """Reads a model's arguments for one tool; `schema` is the JSON schema (an object) that it follows."""

    def __init__(self, tool_name: str, parameters: Sequence[Parameter], descriptions: dict[str, str]) -> None:
        """Raises ToolError for a type that JSON cannot carry; `descriptions` holds those of the docstring."""
        for parameter in parameters:
            _check_type(parameter, tool_name)
        struct = msgspec.defstruct(
            "Arguments",
            [_field(parameter) for parameter in parameters],
            kw_only=True,
            forbid_unknown_fields=True,
        )
        self._decoder = msgspec.json.Decoder(struct)
        self.schema = _schema(struct, parameters, descriptions)

    def read(self, text: str) -> dict[str, Any]:
        """The keyword arguments in the JSON `text`; those that are not given are left out.

        Nothing, or `null`, stands for `{}`: servers send both for a tool without parameters.
        Raises msgspec.MsgspecError, whose message names the field and is meant for the caller (a ValueError
        of a struct's `__post_init__` is one too); any other exception is one of the text's encoding or of
        a user's own type.
        """
        given = self._decoder.decode("{}" if text.strip() in {"", "null"} else text)
        fields = {name: getattr(given, name) for name in given.__struct_fields__}
        return {name: value for name, value in fields.items() if value is not UNSET}


def _check_type(parameter: Parameter, tool_name: str) -> None:
    try:
        msgspec.json.Decoder(parameter.hint)
        msgspec.json.schema(parameter.hint)
    except (TypeError, NameError, AttributeError) as fault:
        reason = str(fault).rsplit("\n", 1)[-1]
        raise ToolError(
            f"Tool {tool_name}: the type of parameter `{parameter.name}` cannot be sent as JSON ({reason}). "
            "Use str, int, float, bool, list, dict, Literal, an Enum, a dataclass or a msgspec Struct."
        ) from fault


def _field(parameter: Parameter) -> tuple[str, Any] | tuple[str, Any, Any]:
    if parameter.required:
        return parameter.name, parameter.hint
    # An argument that is not given stays UNSET and is not passed on, so that the function's own
    # default holds, whatever it is.
    return parameter.name, parameter.hint | UnsetType, UNSET


def _schema(
    struct: type[Struct], parameters: Sequence[Parameter], descriptions: dict[str, str]
) -> dict[str, Any]:
    (outer,), definitions = msgspec.json.schema_components([struct], ref_template="#/$defs/{name}")
    schema: dict[str, Any] = definitions.pop(outer["$ref"].rpartition("/")[2])
    del schema["title"]
    if definitions:
        schema["$defs"] = definitions
    for parameter in parameters:
        entry = schema["properties"][parameter.name]
        if said := _annotated_text(parameter.hint) or descriptions.get(parameter.name):
            entry.setdefault("description", said)
        if not parameter.required:
            _add_default(entry, parameter.default)
    for node in _nodes(schema):
        _add_enum_type(node)
    return schema


def _annotated_text(hint: Any) -> str | None:
    """The description in `Annotated[T, "description"]`, a form that other libraries made common."""
    extras = getattr(hint, "__metadata__", ()) if typing.get_origin(hint) is typing.Annotated else ()
    return next((extra for extra in extras if isinstance(extra, str)), None)


def _add_default(entry: dict[str, Any], default: object) -> None:
    try:
        entry["default"] = msgspec.to_builtins(default)
    except (TypeError, ValueError, RecursionError):
        # A default without a JSON form (a sentinel) still holds; the schema only cannot show it.
        return


def _nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for key, inner in node.items():
            # Below `default` and `enum` stand values, which may look like schemas.
            if key not in {"default", "enum"}:
                yield from _nodes(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _nodes(inner)


def _add_enum_type(node: dict[str, Any]) -> None:
    """JSON Schema needs no `type` beside `enum`, but Gemini's OpenAI-style endpoint refuses an enum without."""
    values = node.get("enum")
    if not isinstance(values, list) or "type" in node:
        return
    if all(isinstance(value, str) for value in values):
        node["type"] = "string"
    elif all(isinstance(value, int) for value in values):
        node["type"] = "integer"

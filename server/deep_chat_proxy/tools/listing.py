"""The tools in words, for whoever runs the server: exactly what the model is told, and how a call runs."""

from typing import Any

import msgspec

from deep_chat_proxy.tools.declaration import Tool
from deep_chat_proxy.tools.registry import Registry


def describe(registry: Registry) -> str:
    """All tools with their parameters in plain words and their schemas as JSON; ends without a line break."""
    if not len(registry):
        return "There are no tools."
    return "\n\n".join(_tool(tool) for tool in registry)


def _tool(tool: Tool[..., Any]) -> str:
    schema = msgspec.json.format(msgspec.json.encode(tool.parameters), indent=2).decode()
    parts = [tool.name, _indented(tool.description), *_parameters(tool.parameters), _run(tool)]
    return "\n".join([*parts, _indented(f"schema: {schema}")])


def _indented(text: str) -> str:
    return "\n".join(f"  {line}".rstrip() for line in text.splitlines())


def _parameters(schema: dict[str, Any]) -> list[str]:
    properties = schema["properties"]
    if not properties:
        return ["  no parameters"]
    return [
        _parameter(name, entry, required=name in schema["required"]) for name, entry in properties.items()
    ]


def _parameter(name: str, entry: dict[str, Any], *, required: bool) -> str:
    facts = [_type(entry)]
    if required:
        facts.append("required")
    elif "default" in entry:
        facts.append(f"default {_json(entry['default'])}")
    else:
        facts.append("optional")
    said = " ".join(str(entry.get("description", "")).split())
    return f"  - {name} ({', '.join(facts)})" + (f": {said}" if said else "")


def _type(entry: dict[str, Any]) -> str:
    if "enum" in entry:
        return "one of " + " | ".join(_json(value) for value in entry["enum"])
    if "anyOf" in entry:
        return " or ".join(_type(choice) for choice in entry["anyOf"])
    if "$ref" in entry:
        return str(entry["$ref"].rpartition("/")[2])
    if entry.get("items"):
        return f"array of {_type(entry['items'])}"
    return str(entry.get("type", "anything"))


def _run(tool: Tool[..., Any]) -> str:
    facts = ["runs on the loop" if tool.is_async else "runs in a thread"]
    if tool.timeout is not None:
        facts.append(f"{tool.timeout:g} s at most")
    if tool.repeatable:
        facts.append("may be repeated after a crash")
    return f"  {', '.join(facts)}; visitors see “{tool.label}”"


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()

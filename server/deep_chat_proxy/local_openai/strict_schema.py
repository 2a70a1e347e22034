"""What OpenAI demands of the parameters of a function that is called strictly (structured outputs)."""

from typing import Any

from deep_chat_proxy.local_openai.errors import ApiError

DEEPEST = 10
"""Levels of objects in a schema; OpenAI takes no deeper ones."""


def check(name: str, schema: dict[str, Any] | None, param: str) -> None:
    """Raises ApiError (400) where some object of the schema leaves open which properties there are."""
    why = _fault(schema or {}, (), DEEPEST)
    if why:
        raise ApiError(
            400,
            f"Invalid schema for function '{name}': {why}",
            param=param,
            code="invalid_function_parameters",
        )


def _fault(schema: Any, context: tuple[str, ...], deepest: int) -> str | None:
    if not isinstance(schema, dict):
        return f"In context={context}, expected a schema."
    if deepest < 0:
        return f"The schema is nested deeper than {DEEPEST} levels."
    properties = schema.get("properties", {})
    if schema.get("type") == "object" or properties:
        if fault := _open_object(schema, properties, context):
            return fault
        for name, inner in properties.items():
            if fault := _fault(inner, (*context, "properties", name), deepest - 1):
                return fault
    if "items" in schema:
        return _fault(schema["items"], (*context, "items"), deepest - 1)
    return None


def _open_object(schema: dict[str, Any], properties: Any, context: tuple[str, ...]) -> str | None:
    where = f"In context={context}"
    if not isinstance(properties, dict):
        return f"{where}, 'properties' is required to be an object."
    if schema.get("additionalProperties") is not False:
        return f"{where}, 'additionalProperties' is required to be supplied and to be false."
    required = schema.get("required")
    named = required if isinstance(required, list) else []
    missing = next((name for name in properties if name not in named), None)
    if missing is not None:
        return (
            f"{where}, 'required' is required to be supplied and to be an array including every key in "
            f"properties. Missing '{missing}'."
        )
    return None

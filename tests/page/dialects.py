"""What is spoken with the back end, and marks for the tests that hold in every dialect."""

from typing import Any

import pytest

ASSISTANTS, RESPONSES, COMPLETIONS = DIALECTS = ("assistants", "responses", "chat")

_SETTINGS: dict[str, dict[str, Any]] = {
    ASSISTANTS: {"assistant_id": "asst_local"},
    RESPONSES: {
        "model": "local-1",
        "hosted_tools": ("web_search", "code_interpreter", "image_generation"),
    },
    COMPLETIONS: {"model": "local-1"},
}


def for_dialect(name: str) -> dict[str, Any]:
    """The settings that make the server speak it with the local OpenAI."""
    return {"upstream": name, **_SETTINGS[name]}


in_every_dialect = pytest.mark.parametrize("dialect", DIALECTS)


def in_every_dialect_and(names: str, *values: Any) -> pytest.MarkDecorator:
    """With all of the values in the first dialect, and with the last and the first in the others: what they change is
    on the side of the page.
    """
    chosen = [*((DIALECTS[0], value) for value in values), (RESPONSES, values[-1]), (COMPLETIONS, values[0])]
    rows = [(dialect, *(value if isinstance(value, tuple) else (value,))) for dialect, value in chosen]
    return pytest.mark.parametrize(f"dialect, {names}", rows)

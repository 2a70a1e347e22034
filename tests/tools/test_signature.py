from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from deep_chat_proxy.tools import ToolError, tool


def unannotated(a) -> str:  # noqa: ANN001 - refused for it
    """Do."""
    return str(a)


def many(*names: str) -> str:
    """Do."""
    return str(names)


def keywords(**names: str) -> str:
    """Do."""
    return str(names)


def positional(a: int, /) -> int:
    """Do."""
    return a


def unresolved(a: "NoSuchType") -> str:  # type: ignore[name-defined]  # noqa: F821 - refused for it
    """Do."""
    return str(a)


def uncarried(a: object) -> str:
    """Do."""
    return str(a)


def function_typed(a: Callable[[], int]) -> int:
    """Do."""
    return a()


def generator(a: int) -> Iterator[int]:
    """Do."""
    yield a


async def async_generator(a: int) -> AsyncIterator[int]:
    """Do."""
    yield a


@pytest.mark.parametrize(
    ("function", "advice"),
    [
        (unannotated, r"Tool unannotated: parameter `a` has no type annotation.*`a: str`"),
        (many, "parameter `names` takes any number of values.*one list or dict"),
        (keywords, "parameter `names` takes any number of values.*one list or dict"),
        (positional, "parameter `a` cannot be given by name. Remove the `/`"),
        (unresolved, "NoSuchType.*Import or define every type"),
        (uncarried, "type of parameter `a` cannot be sent as JSON.*Use str, int"),
        (function_typed, "type of parameter `a` cannot be sent as JSON"),
        (generator, "Return the whole result"),
        (async_generator, "Return the whole result"),
        (len, "Remove the `/`"),
    ],
)
def test_a_declaration_that_cannot_work_is_refused_with_what_to_change(function: Any, advice: str):
    with pytest.raises(ToolError, match=advice):
        tool(function)


def test_an_unbound_method_is_refused_for_its_self():
    with pytest.raises(ToolError, match="parameter `self` has no type annotation"):

        class Shop:
            @tool
            def price(self, article: str) -> str:
                """Price."""
                return article


def test_annotations_written_as_text_are_resolved():
    def later(names: "list[int]", single: "int | None" = None) -> int:
        """Do."""
        return sum(names) + (single or 0)

    assert tool(later).parameters["properties"]["names"] == {"type": "array", "items": {"type": "integer"}}

import functools
from collections.abc import Callable
from typing import Any

import pytest

from deep_chat_proxy.tools import Tool, ToolError, tool


def add(a: int, b: int = 2) -> int:
    """Add two numbers."""
    return a + b


def test_a_decorated_function_is_called_as_before():
    declared = tool(add)

    assert declared(1) == 3
    assert declared(1, b=5) == 6
    assert declared.__name__ == "add"
    assert declared.__doc__ == "Add two numbers."


async def test_a_decorated_coroutine_function_is_awaited_as_before():
    @tool
    async def double(a: int) -> int:
        """Double."""
        return 2 * a

    assert double.is_async
    assert await double(4) == 8


def test_what_the_model_and_the_visitor_learn_comes_from_the_function():
    declared = tool(add)

    assert (declared.name, declared.description, declared.label) == ("add", "Add two numbers.", "Using add…")
    assert (declared.timeout, declared.repeatable, declared.is_async) == (None, False, False)


def test_options_replace_what_the_function_says():
    declared = tool(name="plus_2", description="Sum.", timeout=1.5, label="Adding up…", repeatable=True)(add)

    assert (declared.name, declared.description, declared.label) == ("plus_2", "Sum.", "Adding up…")
    assert (declared.timeout, declared.repeatable) == (1.5, True)


def test_the_default_label_shows_underscores_as_spaces():
    assert tool(name="get_the_weather")(add).label == "Using get the weather…"


def test_attributes_of_a_function_do_not_replace_those_of_the_tool():
    def marked(a: int) -> int:
        """Marked."""
        return a

    marked.timeout = -1  # type: ignore[attr-defined]

    assert tool(marked).timeout is None


def test_a_bound_method_can_be_a_tool():
    class Shop:
        def price(self, article: str) -> str:
            """Price of an article."""
            return f"{article}: 3"

    declared = tool(Shop().price)

    assert list(declared.parameters["properties"]) == ["article"]
    assert declared("tea") == "tea: 3"


def test_a_cached_function_can_be_a_tool():
    declared = tool(functools.cache(add))

    assert declared.parameters["required"] == ["a"]
    assert declared(3) == 5


@pytest.mark.parametrize("name", ["a", "A-b_9", "x" * 64])
def test_a_name_of_letters_digits_dash_and_underscore_is_taken(name: str):
    assert tool(name=name)(add).name == name


@pytest.mark.parametrize("name", ["x" * 65, "a b", "naïve", "a.b", "a\n"])
def test_another_name_is_refused(name: str):
    with pytest.raises(ToolError, match="cannot be its name"):
        tool(name=name)(add)


def test_a_lambda_is_refused_for_its_name():
    with pytest.raises(ToolError, match="cannot be its name"):
        tool(lambda: 1)


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
def test_a_timeout_that_is_no_positive_number_is_refused(timeout: float):
    with pytest.raises(ToolError, match="Give seconds above 0"):
        tool(timeout=timeout)(add)


def no_docstring(a: int) -> int:
    return a


def only_arguments(a: int) -> int:
    return a


only_arguments.__doc__ = "Args:\n    a: a number"


@pytest.mark.parametrize("function", [no_docstring, only_arguments])
def test_a_tool_without_a_description_is_refused(function: Callable[..., Any]):
    with pytest.raises(ToolError, match="Write a docstring"):
        tool(function)


def test_a_description_as_an_option_stands_in_for_a_docstring():
    assert tool(description="Same.")(no_docstring).description == "Same."


def test_a_tool_cannot_be_made_a_tool_again():
    with pytest.raises(ToolError, match="Write @tool once"):
        tool(tool(add))


class Callables:
    def __call__(self, a: int) -> int:
        """Call."""
        return a


@pytest.mark.parametrize("thing", ["name", Callables, Callables(), functools.partial(add, 1), 5])
def test_what_is_no_function_is_refused(thing: Any):
    with pytest.raises(ToolError, match="above a `def`"):
        tool(thing)


def test_a_tool_shows_its_name_in_a_repr():
    assert repr(Tool(add)) == "<Tool add>"

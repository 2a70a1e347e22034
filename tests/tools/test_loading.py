import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from deep_chat_proxy.tools import ToolError, load_tools

HEAD = "from deep_chat_proxy.tools import tool\n"
TWO_TOOLS = (
    HEAD
    + '''
@tool
def zebra(a: int) -> int:
    """Z."""
    return a

def helper(a): return a

@tool
async def ant() -> str:
    """A."""
    return "a"

alias = zebra
'''
)


Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str, name: str = "mine.py") -> Path:
        file = tmp_path / name
        file.write_text(text, encoding="utf-8")
        return file

    return write


def test_tools_come_in_the_order_of_their_definition(write: Write):
    assert [tool.name for tool in load_tools(write(TWO_TOOLS))] == ["zebra", "ant"]


def test_the_path_may_be_text_and_needs_no_suffix(write: Write):
    assert len(load_tools(str(write(TWO_TOOLS, "tools_without_suffix")))) == 2


def test_an_imported_tool_counts_and_one_inside_an_imported_module_does_not(write: Write):
    file = write("from deep_chat_proxy.tools.weather import get_weather")
    assert [tool.name for tool in load_tools(file)] == ["get_weather"]

    other = write("from deep_chat_proxy.tools import weather", "other.py")
    with pytest.raises(ToolError, match="has no tools"):
        load_tools(other)


def test_dataclasses_and_structs_with_postponed_annotations_work(write: Write):
    file = write(
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n"
        "from msgspec import Struct\n"
        + HEAD
        + "class Place(Struct):\n    name: str\n    point: Point\n"
        + "@dataclass\nclass Point:\n    x: int\n"
        + '@tool\ndef go(place: Place) -> str:\n    """Go."""\n    return place.name\n'
    )

    (tool,) = load_tools(file)

    assert tool.read_arguments('{"place": {"name": "a", "point": {"x": 1}}}')["place"].point.x == 1


BROKEN = [
    ("", "has no tools. Write @tool above"),
    ("def f(:\n", "line 1: .*Correct the file"),
    ("\n\nraise ValueError('no such table')", "line 3: running the file raised ValueError: no such table"),
    ("import sys\nsys.exit(3)", "line 2: running the file raised SystemExit: 3"),
    ("import no_such_module_anywhere", "line 1: No module named .*PYTHONPATH"),
    (HEAD + "@tool\ndef f(a) -> str:\n    'F.'\n", "line 2: Tool f: parameter `a` has no type annotation"),
    (
        HEAD + "def f() -> None:\n    'F.'\na = tool(f)\nb = tool(f)",
        "There are two tools of the name f",
    ),
    ("a = '\0'", "null bytes"),
]


@pytest.mark.parametrize(("text", "said"), BROKEN)
def test_a_broken_file_is_refused_by_name_with_what_to_do(write: Write, text: str, said: str):
    file = write(text, "broken.py")

    with pytest.raises(ToolError, match=said) as refusal:
        load_tools(file)

    assert str(refusal.value).startswith(str(file))


def test_a_file_that_raised_leaves_no_module_behind(write: Write):
    with pytest.raises(ToolError):
        load_tools(write("1 / 0", "half.py"))

    assert not [name for name in sys.modules if name.endswith("half")]


@pytest.mark.parametrize("name", ["absent.py", "."])
def test_a_path_without_a_file_is_refused(tmp_path: Path, name: str):
    with pytest.raises(ToolError, match="there is no such file"):
        load_tools(tmp_path / name)

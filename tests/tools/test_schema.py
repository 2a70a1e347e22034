import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from deep_chat_proxy.tools import tool

SENTINEL = object()


class Place(Struct):
    name: str
    floors: int = 1


@dataclass
class Point:
    x: float
    y: float


class Options(TypedDict):
    fast: bool
    note: NotRequired[str]


class Size(Enum):
    SMALL = "S"
    LARGE = "L"


class Node(Struct):
    children: list["Node"] = []


class Arguments(Struct):
    """Has the name that the schema's own struct has."""

    a: int


def nothing() -> None: ...
def plain(a: str, b: int, c: float, d: bool) -> None: ...
def defaults(a: str = "x", b: int | None = None, c: list[int] = []) -> None: ...  # noqa: B006 - what users write
def ranged(n: Annotated[int, Meta(description="How many", ge=1, le=9)] = 3) -> None: ...
def described(n: Annotated[int, "How many"]) -> None: ...
def literal(unit: Literal["c", "f"] = "c", level: Literal[1, 2] = 1) -> None: ...
def enum(size: Size = Size.SMALL) -> None: ...
def when(at: dt.date) -> None: ...
def lists(names: list[str], table: dict[str, int]) -> None: ...
def struct(place: Place) -> None: ...
def data_class(point: Annotated[Point, "Where"]) -> None: ...
def typed_dict(options: Options) -> None: ...
def recursive(node: Node) -> None: ...
def same_name(given: Arguments) -> None: ...
def sentinel(a: Any = SENTINEL) -> None: ...
def enum_like_default(a: dict[str, Any] = {"enum": ["x"]}) -> None: ...  # noqa: B006 - what users write


SCHEMAS: list[tuple[Callable[..., object], dict[str, Any], list[str], dict[str, Any]]] = [
    (nothing, {}, [], {}),
    (
        plain,
        {
            "a": {"type": "string"},
            "b": {"type": "integer"},
            "c": {"type": "number"},
            "d": {"type": "boolean"},
        },
        ["a", "b", "c", "d"],
        {},
    ),
    (
        defaults,
        {
            "a": {"type": "string", "default": "x"},
            "b": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
            "c": {"type": "array", "items": {"type": "integer"}, "default": []},
        },
        [],
        {},
    ),
    (
        ranged,
        {"n": {"type": "integer", "description": "How many", "minimum": 1, "maximum": 9, "default": 3}},
        [],
        {},
    ),
    (described, {"n": {"type": "integer", "description": "How many"}}, ["n"], {}),
    (
        literal,
        {
            "unit": {"type": "string", "enum": ["c", "f"], "default": "c"},
            "level": {"type": "integer", "enum": [1, 2], "default": 1},
        },
        [],
        {},
    ),
    (
        enum,
        {"size": {"$ref": "#/$defs/Size", "default": "S"}},
        [],
        {"Size": {"title": "Size", "type": "string", "enum": ["L", "S"]}},
    ),
    (when, {"at": {"type": "string", "format": "date"}}, ["at"], {}),
    (
        lists,
        {
            "names": {"type": "array", "items": {"type": "string"}},
            "table": {"type": "object", "additionalProperties": {"type": "integer"}},
        },
        ["names", "table"],
        {},
    ),
    (
        struct,
        {"place": {"$ref": "#/$defs/Place"}},
        ["place"],
        {
            "Place": {
                "title": "Place",
                "type": "object",
                "properties": {"name": {"type": "string"}, "floors": {"type": "integer", "default": 1}},
                "required": ["name"],
            }
        },
    ),
    (
        data_class,
        {"point": {"$ref": "#/$defs/Point", "description": "Where"}},
        ["point"],
        {
            "Point": {
                "title": "Point",
                "type": "object",
                "properties": {"x": {"type": "number"}, "y": {"type": "number"}},
                "required": ["x", "y"],
            }
        },
    ),
    (
        typed_dict,
        {"options": {"$ref": "#/$defs/Options"}},
        ["options"],
        {
            "Options": {
                "title": "Options",
                "type": "object",
                "properties": {"fast": {"type": "boolean"}, "note": {"type": "string"}},
                "required": ["fast"],
            }
        },
    ),
    (
        recursive,
        {"node": {"$ref": "#/$defs/Node"}},
        ["node"],
        {
            "Node": {
                "title": "Node",
                "type": "object",
                "properties": {
                    "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}, "default": []}
                },
                "required": [],
            }
        },
    ),
    (sentinel, {"a": {}}, [], {}),
    (enum_like_default, {"a": {"type": "object", "default": {"enum": ["x"]}}}, [], {}),
]


@pytest.mark.parametrize(
    ("function", "properties", "required", "definitions"), SCHEMAS, ids=[row[0].__name__ for row in SCHEMAS]
)
def test_a_signature_becomes_a_schema(
    function: Callable[..., object],
    properties: dict[str, Any],
    required: list[str],
    definitions: dict[str, Any],
):
    expected = {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
    if definitions:
        expected["$defs"] = definitions

    schema = tool(description="Do.")(function).parameters

    assert schema == expected
    assert list(schema["properties"]) == list(properties)


def test_a_type_with_the_name_of_our_own_struct_keeps_its_schema():
    schema = tool(description="Do.")(same_name).parameters

    reference = schema["properties"]["given"]["$ref"].removeprefix("#/$defs/")
    assert schema["$defs"][reference]["properties"] == {"a": {"type": "integer"}}


def test_descriptions_of_the_docstring_fill_those_that_annotations_leave_open():
    @tool
    def find(what: str, where: Annotated[str, Meta(description="From the annotation")]) -> str:
        """Find things.

        Args:
            what: From the docstring
            where: Not used

        """
        return what + where

    properties = find.parameters["properties"]

    assert find.description == "Find things."
    assert properties["what"]["description"] == "From the docstring"
    assert properties["where"]["description"] == "From the annotation"


def test_arguments_become_typed_values():
    @tool(description="Do.")
    def order(place: Place, size: Size, at: dt.date, point: Point | None = None) -> None: ...

    arguments = order.read_arguments(
        '{"place": {"name": "Inn"}, "size": "L", "at": "2026-01-02", "point": {"x": 1, "y": 2.5}}'
    )

    assert arguments == {
        "place": Place("Inn"),
        "size": Size.LARGE,
        "at": dt.date(2026, 1, 2),
        "point": Point(1, 2.5),
    }


def test_arguments_that_are_not_given_are_left_to_the_function():
    assert tool(description="Do.")(sentinel).read_arguments("{}") == {}


@pytest.mark.parametrize("text", ["", "  ", "{}", "null", " null\n"])
def test_nothing_and_null_are_no_arguments(text: str):
    assert tool(description="Do.")(nothing).read_arguments(text) == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "missing required field `a`"),
        ('{"a": 1, "b": 1, "c": 1, "d": true}', r"Expected `str`, got `int` - at `\$.a`"),
        ('{"a": "", "b": "1", "c": 1, "d": true}', r"Expected `int`, got `str` - at `\$.b`"),
        ('{"a": "", "b": 1, "c": 1, "d": true, "e": 1}', "unknown field `e`"),
        ('{"a": "", "b": 1, "c": NaN, "d": true}', "malformed"),
        ('{"a": ', "truncated"),
        ("[]", "Expected `object`, got `array`"),
    ],
)
def test_wrong_arguments_are_refused_by_name(text: str, said: str):
    with pytest.raises(msgspec.ValidationError if "Expected" in said else msgspec.DecodeError, match=said):
        tool(description="Do.")(plain).read_arguments(text)


@given(
    a=st.text(),
    b=st.integers(-(2**53), 2**53),
    c=st.floats(allow_nan=False, allow_infinity=False),
    d=st.booleans(),
)
def test_arguments_come_through_json_unchanged(a: str, b: int, c: float, d: bool):
    given_arguments = {"a": a, "b": b, "c": c, "d": d}

    read = tool(description="Do.")(plain).read_arguments(msgspec.json.encode(given_arguments).decode())

    assert read == given_arguments

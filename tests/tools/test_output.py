import datetime as dt
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from deep_chat_proxy.tools.output import ERROR_CHARACTERS, error_text, result_text

LIMIT = 100


class Place(Struct):
    name: str


@dataclass
class Point:
    x: int


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ("", ""),
        ('as "it" is', 'as "it" is'),
        (None, "null"),
        (True, "true"),
        (1.5, "1.5"),
        ({"a": [1, "é"]}, '{"a":[1,"é"]}'),
        (Place("Inn"), '{"name":"Inn"}'),
        (Point(1), '{"x":1}'),
        (dt.date(2026, 1, 2), '"2026-01-02"'),
        (b"\x00", '"AA=="'),
    ],
)
def test_text_passes_as_it_is_and_all_else_becomes_json(result: Any, text: str):
    assert result_text(result, LIMIT) == text


@pytest.mark.parametrize("result", [object(), 1j, {(1, 2): 3}, ["\ud800"]])
def test_a_result_without_a_json_form_raises(result: Any):
    with pytest.raises((TypeError, ValueError)):
        result_text(result, LIMIT)


def test_an_output_at_the_limit_is_whole():
    assert result_text("x" * LIMIT, LIMIT) == "x" * LIMIT


def test_an_output_one_above_the_limit_is_cut_and_says_so():
    text = result_text("x" * (LIMIT + 1), LIMIT)

    assert text == "x" * 70 + "… [cut: 70 of 101 characters]"


def test_json_above_the_limit_is_cut_too():
    assert result_text(list(range(100)), LIMIT).endswith(" of 291 characters]")


def test_a_lone_surrogate_is_replaced():
    assert result_text("a\ud800b", LIMIT) == "a?b"


@given(st.text(max_size=400))
def test_any_text_stays_in_the_limit_and_can_be_sent(text: str):
    output = result_text(text, LIMIT)

    assert len(output) <= LIMIT
    assert output.encode().decode() == output


@given(st.text(st.characters(), max_size=ERROR_CHARACTERS * 2))
def test_an_error_is_one_json_object_of_bounded_length(sentence: str):
    error = msgspec.json.decode(error_text(sentence), type=dict[str, str])

    assert list(error) == ["error"]
    assert len(error["error"]) <= ERROR_CHARACTERS

"""Calls of Chat Completions, put together from their pieces in all the forms in which servers send them."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deep_chat_proxy.turn.events import ToolCall
from deep_chat_proxy.upstream.chat_completions.tool_calls import CallGatherer
from deep_chat_proxy.upstream.chat_completions.wire import CallPiece, Function
from upstream.mutating import quick

Piece = dict[str, Any]
PARIS = ToolCall("call_1", "get_weather", '{"location":"Paris"}')
ROME = ToolCall("call_2", "get_weather", '{"location":"Rome"}')
TIME = ToolCall("call_3", "get_time", "{}")


def gathered(*chunks: Sequence[Piece]) -> tuple[ToolCall, ...]:
    """The calls in these chunks, each of which is a list of pieces as they go over the network."""
    gatherer = CallGatherer()
    for chunk in chunks:
        gatherer.take(msgspec.json.decode(msgspec.json.encode(chunk), type=list[CallPiece]))
    return gatherer.gathered()


def said(calls: Sequence[ToolCall]) -> list[tuple[str, str]]:
    """Calls without their ids."""
    return [(call.name, call.arguments) for call in calls]


def begun(index: int | None, call: ToolCall, **fields: Any) -> Piece:
    """The first piece of a call; `fields` replace its own."""
    head = {"id": call.call_id, "type": "function", "function": {"name": call.name, "arguments": ""}}
    return {**({} if index is None else {"index": index}), **head, **fields}


def more(index: int | None, arguments: Any, **fields: Any) -> Piece:
    """A later piece."""
    place = {} if index is None else {"index": index}
    return {**place, "function": {"arguments": arguments, **fields}}


def whole(index: int | None, call: ToolCall, **fields: Any) -> Piece:
    function = {"name": call.name, "arguments": call.arguments}
    return begun(index, call, **{"function": function, **fields})


def test_arguments_may_come_in_pieces_of_one_character() -> None:
    chunks = [[begun(0, PARIS)], *([more(0, character)] for character in PARIS.arguments)]

    assert gathered(*chunks) == (PARIS,)


@pytest.mark.parametrize("numbered", [True, False])
def test_calls_may_come_whole_in_one_chunk_or_each_in_its_own(numbered: bool) -> None:
    pieces = [whole(index if numbered else None, call) for index, call in enumerate((PARIS, ROME, TIME))]

    assert gathered(pieces) == (PARIS, ROME, TIME)
    assert gathered(*([piece] for piece in pieces)) == (PARIS, ROME, TIME)


def test_pieces_of_parallel_calls_may_be_interleaved() -> None:
    one, two = PARIS.arguments, ROME.arguments
    pairs = [[more(0, one[at : at + 3]), more(1, two[at : at + 3])] for at in range(0, len(one), 3)]

    assert gathered([begun(0, PARIS), begun(1, ROME)], *pairs) == (PARIS, ROME)
    assert gathered([begun(0, PARIS)], [begun(1, ROME)], *(pair[::-1] for pair in pairs)) == (PARIS, ROME)


def test_pieces_without_an_index_belong_to_the_newest_call() -> None:
    chunks = [
        *([begun(None, PARIS)], [more(None, '{"location":')], [more(None, '"Paris"}')]),
        *([begun(None, ROME)], [more(None, ROME.arguments)]),
    ]

    assert gathered(*chunks) == (PARIS, ROME)


def test_pieces_without_an_index_may_name_their_call() -> None:
    one, two = {"id": PARIS.call_id}, {"id": ROME.call_id}
    chunks = [
        [begun(None, PARIS), begun(None, ROME)],
        [{**more(None, '{"location":'), **one}, {**more(None, '{"location":'), **two}],
        [{**more(None, '"Rome"}'), **two}, {**more(None, '"Paris"}'), **one}],
    ]

    assert gathered(*chunks) == (PARIS, ROME)


@pytest.mark.parametrize("missing", [{}, {"id": None}, {"id": ""}])
@pytest.mark.parametrize("numbered", [True, False])
def test_calls_without_an_id_get_one_of_their_own(missing: Piece, numbered: bool) -> None:
    pieces = []
    for index, call in enumerate((PARIS, ROME)):
        piece = whole(index if numbered else None, call)
        pieces.append({**{name: value for name, value in piece.items() if name != "id"}, **missing})

    calls = gathered(pieces)

    assert said(calls) == said((PARIS, ROME))
    assert len({call.call_id for call in calls} - {""}) == 2


@pytest.mark.parametrize("later", [{"id": ""}, {"id": None}, {"id": PARIS.call_id}])
def test_later_pieces_may_have_an_empty_id_or_the_same(later: Piece) -> None:
    assert gathered([begun(0, PARIS)], [{**more(0, PARIS.arguments), **later}]) == (PARIS,)


def test_an_id_may_come_after_the_first_piece() -> None:
    first = {"index": 0, "function": {"name": PARIS.name}}

    assert gathered([first], [{**more(0, PARIS.arguments), "id": PARIS.call_id}]) == (PARIS,)


def test_calls_may_all_have_the_index_0_and_an_id_of_their_own() -> None:
    chunks = [
        *([begun(0, PARIS)], [more(0, PARIS.arguments)]),
        *([begun(0, ROME)], [more(0, ROME.arguments[:5])], [more(0, ROME.arguments[5:])]),
        [whole(0, TIME)],
    ]

    assert gathered(*chunks) == (PARIS, ROME, TIME)


def test_calls_may_all_have_the_same_id_and_an_index_of_their_own() -> None:
    same = ToolCall("call_1", ROME.name, ROME.arguments)

    calls = gathered([whole(0, PARIS)], [begun(1, same), more(1, same.arguments)])

    assert said(calls) == said((PARIS, ROME))
    assert len({call.call_id for call in calls}) == 2


@pytest.mark.parametrize("numbered", [True, False])
def test_the_name_may_be_repeated_with_every_piece(numbered: bool) -> None:
    chunks: list[list[Piece]] = []
    for index, call in enumerate((PARIS, ROME)):
        place = index if numbered else None
        pieces = [more(place, character, name=call.name) for character in call.arguments]
        chunks += [[begun(place, call)], *([{**piece, "id": call.call_id}] for piece in pieces)]

    assert gathered(*chunks) == (PARIS, ROME)


def test_a_repeated_name_with_an_index_needs_no_id() -> None:
    pieces = [more(0, character, name=PARIS.name) for character in PARIS.arguments]

    assert gathered([begun(0, PARIS)], *([piece] for piece in pieces)) == (PARIS,)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [({"location": "Paris"}, '{"location":"Paris"}'), ({}, "{}"), (None, ""), ([1], "[1]"), ("", "")],
)
def test_arguments_may_be_an_object_or_missing(arguments: Any, text: str) -> None:
    piece = {"index": 0, "id": "call_1", "function": {"name": "f", "arguments": arguments}}

    assert gathered([piece]) == (ToolCall("call_1", "f", text),)


@pytest.mark.parametrize(
    "empty", [{"index": 0}, {"index": 0, "function": None}, {"index": 0, "function": {}}]
)
def test_pieces_without_anything_in_them_change_nothing(empty: Piece) -> None:
    assert gathered([begun(0, PARIS)], [empty], [more(0, PARIS.arguments)], [empty]) == (PARIS,)


def test_an_id_may_be_a_number() -> None:
    assert gathered([{**begun(0, PARIS), "id": 7}], [more(0, "{}")]) == (ToolCall("7", PARIS.name, "{}"),)


def test_a_gatherer_that_was_given_nothing_holds_no_calls() -> None:
    gatherer = CallGatherer()
    gatherer.take([])

    assert (bool(gatherer), gatherer.gathered()) == (False, ())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
pieces_of_any_kind = st.builds(
    CallPiece,
    index=st.none() | st.integers(-1, 3),
    id=st.none() | st.sampled_from(["", "a", "b", 0]) | st.text(max_size=3) | st.integers(),
    function=st.none()
    | st.builds(
        Function,
        name=st.none() | st.sampled_from(["", "f", "g"]) | st.text(max_size=3),
        arguments=json_values,
    ),
)


@quick
@given(st.lists(st.lists(pieces_of_any_kind, max_size=4), max_size=10))
def test_pieces_of_any_kind_become_calls_with_ids_of_their_own(chunks: list[list[CallPiece]]) -> None:
    gatherer = CallGatherer()
    for chunk in chunks:
        gatherer.take(chunk)
    calls = gatherer.gathered()

    ids = [call.call_id for call in calls]
    assert "" not in ids
    assert len(set(ids)) == len(ids)
    assert bool(calls) == bool(gatherer) == any(chunks)


@quick
@given(st.lists(pieces_of_any_kind, max_size=12), st.lists(st.integers(0, 12)))
def test_it_does_not_matter_in_which_chunks_the_pieces_come(pieces: list[CallPiece], cuts: list[int]) -> None:
    at_once, one_by_one, cut = CallGatherer(), CallGatherer(), CallGatherer()
    at_once.take(pieces)
    for piece in pieces:
        one_by_one.take([piece])
    places = [0, *sorted(place for place in cuts if place <= len(pieces)), len(pieces)]
    for start, end in pairwise(places):
        cut.take(pieces[start:end])

    assert said(at_once.gathered()) == said(one_by_one.gathered()) == said(cut.gathered())


calls_of_a_model = st.lists(
    st.builds(
        ToolCall,
        call_id=st.text(min_size=1, max_size=8),
        name=st.sampled_from(["get_weather", "get_time", "f"]),
        arguments=st.sampled_from(["", "{}", '{"a":1}']) | st.text(max_size=20),
    ),
    max_size=4,
    unique_by=lambda call: call.call_id,
)


@quick
@given(calls_of_a_model, st.data())
def test_calls_that_are_cut_at_any_place_as_openai_cuts_them_come_out_whole(
    calls: list[ToolCall], data: st.DataObject
) -> None:
    waiting = [[begun(index, call), *_cut(index, call, data)] for index, call in enumerate(calls)]
    chunks: list[list[Piece]] = []
    unbegun = list(waiting)
    while any(waiting):
        # Each call begins after the one before it; from there on their pieces may come in any order.
        open_ones = [pieces for pieces in waiting if pieces and pieces not in unbegun[1:]]
        pieces = data.draw(st.sampled_from(open_ones))
        if unbegun and pieces is unbegun[0]:
            unbegun.pop(0)
        together: bool = data.draw(st.booleans())
        if chunks and together:
            chunks[-1].append(pieces.pop(0))
        else:
            chunks.append([pieces.pop(0)])

    assert gathered(*chunks) == tuple(calls)


def _cut(index: int, call: ToolCall, data: st.DataObject) -> list[Piece]:
    cuts = data.draw(st.lists(st.integers(0, len(call.arguments)), max_size=6))
    places = [0, *sorted(cuts), len(call.arguments)]
    return [more(index, call.arguments[start:end]) for start, end in pairwise(places)]

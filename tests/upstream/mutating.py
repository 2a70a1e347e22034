"""What a back end could say that nobody wrote down: well-formed objects, changed in a few places."""

import json
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from deep_chat_proxy.upstream.sse import ServerEvent

# Such streams take long to make; each of them holds many events.
quick = settings(max_examples=50)
_GONE = object()
# Two of the characters are halves of one, as servers send them that cut text by UTF-16 units.
texts = st.text(alphabet="aé世🌍 \n\ud83c\udf0d", max_size=6)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
_changes = st.lists(
    st.tuples(st.integers(0, 1_000), st.one_of(texts, json_values, st.just(_GONE))), max_size=3
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inner:
        yield from _places(each, (*path, name))


def _changed(value: Any, changes: Sequence[tuple[int, Any]]) -> Any:
    value = deepcopy(value)
    for number, change in changes:
        places = list(_places(value))
        if not places:
            break
        *path, last = places[number % len(places)]
        inner = value
        for name in path:
            inner = inner[name]
        if change is _GONE:
            del inner[last]
        else:
            inner[last] = change
    return value


def mutated(pool: Sequence[Any]) -> st.SearchStrategy[Any]:
    """One of the pool, with up to three of its values replaced by anything or left out."""
    return st.builds(_changed, st.sampled_from(pool), _changes)


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def streams_of(pool: Sequence[Any], names: Sequence[str]) -> st.SearchStrategy[list[ServerEvent]]:
    """Streams of mutated events under these names, and now and then of any bytes."""
    data = mutated(pool).map(as_json)
    odd = st.binary(max_size=5) | st.just(b"[DONE]") | json_values.map(as_json)
    event = st.builds(ServerEvent, name=st.sampled_from(names), data=st.one_of(*[data] * 8, odd))
    return st.lists(event, max_size=10)

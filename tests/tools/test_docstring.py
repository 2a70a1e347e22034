import pytest
from hypothesis import given
from hypothesis import strategies as st

from deep_chat_proxy.tools.docstring import Doc, read_docstring

GOOGLE = """Find a table.

    Looks at all rooms.

    Args:
        room (str): Which room,
            such as: the garden
        seats: How many
        name:
            On whom

    Returns:
        number: of the table
    """

SPHINX = """
    Find a table.

    :param room: Which room,
        such as: the garden
    :type room: str
    :param int seats: How many
    :returns: the table
        number: of it
    :rtype: int
    """


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, Doc("", {})),
        ("", Doc("", {})),
        ("Find: a table.", Doc("Find: a table.", {})),
        ("Find.\n\nExample:\n    find()", Doc("Find.\n\nExample:\n    find()", {})),
        (
            GOOGLE,
            Doc(
                "Find a table.\n\nLooks at all rooms.",
                {"room": "Which room, such as: the garden", "seats": "How many", "name": "On whom"},
            ),
        ),
        (SPHINX, Doc("Find a table.", {"room": "Which room, such as: the garden", "seats": "How many"})),
        ("Find.\n\nArgs:\n  a: A.\nOther prose.\n  b: B.", Doc("Find.", {"a": "A."})),
        ("Find.\n\nArgs:\n  a:", Doc("Find.", {})),
    ],
)
def test_a_docstring_is_read_into_prose_and_parameters(text: str | None, expected: Doc):
    assert read_docstring(text) == expected


LINES = st.sampled_from(
    ["Args:", "Returns:", ":param a: x", ":type a: int", "  a: b", "    c", "", "d (e): f"]
)


@given(st.one_of(st.text(), st.lists(st.one_of(LINES, st.text())).map("\n".join)))
def test_any_text_is_read_without_an_error(text: str):
    doc = read_docstring(text)

    assert all(doc.parameters.values())


NAMES = st.from_regex(r"[a-z]\w{0,8}", fullmatch=True)
SENTENCES = st.from_regex(r"[A-Z][a-z ,]{0,30}[a-z.]", fullmatch=True)


@given(SENTENCES, st.dictionaries(NAMES, SENTENCES, max_size=4))
def test_both_styles_say_the_same(summary: str, parameters: dict[str, str]):
    google = "\n".join([summary, "", "Args:", *(f"    {name}: {said}" for name, said in parameters.items())])
    sphinx = "\n".join([summary, "", *(f":param {name}: {said}" for name, said in parameters.items())])

    assert read_docstring(google) == Doc(summary, parameters)
    assert read_docstring(sphinx) == Doc(summary, parameters)

from typing import Annotated, Literal

from msgspec import Struct

from deep_chat_proxy.tools import Registry, describe, tool


class Place(Struct):
    name: str


@tool(timeout=2.5, repeatable=True, label="Booking…")
def book(
    place: Annotated[Place, "Where\nto sit"],
    days: list[str],
    kind: Literal["in", "out"] = "in",
    note: str | None = None,
) -> str:
    """Book a table.

    Asks nobody.
    """
    return f"{place} {days} {kind} {note}"


@tool
async def ping() -> str:
    """Ping."""
    return "pong"


def test_a_tool_is_told_in_plain_words_and_as_a_schema():
    text = describe(Registry([book, ping]))

    words, _, schema = text.partition("  schema: ")
    assert words == (
        "book\n"
        "  Book a table.\n"
        "\n"
        "  Asks nobody.\n"
        "  - place (Place, required): Where to sit\n"
        "  - days (array of string, required)\n"
        '  - kind (one of "in" | "out", default "in")\n'
        "  - note (string or null, default null)\n"
        "  runs in a thread, 2.5 s at most, may be repeated after a crash; visitors see “Booking…”\n"
    )
    assert '"$ref": "#/$defs/Place"' in schema
    assert "\n\nping\n  Ping.\n  no parameters\n  runs on the loop; visitors see “Using ping…”\n" in schema


def test_no_tools_are_told_too():
    assert describe(Registry()) == "There are no tools."

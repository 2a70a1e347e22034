"""Sources of Chat Completions: annotations, and the lists of pages that some servers send."""

from typing import Any

import aiohttp
import pytest

from deep_chat_proxy.turn.events import Cited
from deep_chat_proxy.upstream.chat_completions.dialect import ChatDialect
from upstream.backend import Json, ScriptedBackend, client_of
from upstream.chat_recording import NEW, chunk, dialect_of, message, said, streams, whole
from upstream.citing import named, told

LINK = "([example.org](https://example.org/))"
PARTS = ("Snow is white ", LINK, ". Water is wet. ", "More.")
TEXT = "".join(PARTS)
WET = TEXT.index(" More")
ONE, TWO = "https://www.example.com/one", "https://example.org/two"


def cites(url: str, title: str | None, start: Any, end: Any) -> dict[str, Any]:
    page = {"url": url, "title": title, "start_index": start, "end_index": end}
    return {"type": "url_citation", "url_citation": page}


PAGE = cites("https://example.org/", "Snow", 14, 14 + len(LINK))
STATED = cites("https://example.com/", None, TEXT.index("Water"), WET)
CITED = {
    Cited("Snow", "https://example.org/", marker=LINK),
    Cited("example.com", "https://example.com/", after=TEXT[WET - 48 : WET]),
}
PIECES = [chunk({"content": part}) for part in PARTS]
LETTERS = [chunk({"content": letter}) for letter in TEXT]
BOTH = chunk({"annotations": [PAGE, STATED]})
END = chunk(finish="stop")
WAYS: dict[str, Any] = {
    "before the text": streams(BOTH, *PIECES, END),
    "in the middle of it": streams(*LETTERS[:20], BOTH, *LETTERS[20:], END),
    "behind it": streams(*PIECES, BOTH, END),
    "with the end": streams(*PIECES, chunk({"annotations": [PAGE, STATED]}, "stop")),
    "twice": streams(BOTH, *PIECES, BOTH, END),
    "without a stream": Json(whole(message(TEXT, annotations=[PAGE, STATED]))),
}


@pytest.fixture
def dialect(backend: ScriptedBackend, session: aiohttp.ClientSession) -> ChatDialect:
    return dialect_of(client_of(session, backend.base_url))


@pytest.mark.parametrize("way", WAYS)
async def test_annotations_are_told_once_whenever_they_come(
    backend: ScriptedBackend, dialect: ChatDialect, way: str
) -> None:
    backend.on(NEW, WAYS[way])

    assert named(await told(dialect)) == CITED


@pytest.mark.parametrize(("start", "end"), [(None, None), (-1, 10**40), ("x", 2.5), (16, 20)])
async def test_numbers_that_are_wrong_are_no_error(
    backend: ScriptedBackend, dialect: ChatDialect, start: Any, end: Any
) -> None:
    page = cites("https://example.org/", "Snow", start, end)
    backend.on(NEW, streams(chunk({"annotations": [page]}), *PIECES, END))

    (cited,) = named(await told(dialect))

    assert cited in {
        Cited("Snow", "https://example.org/", marker=LINK),
        Cited("Snow", "https://example.org/", after=""),
    }


def listed(*pieces: str, **fields: Any) -> list[dict[str, Any]]:
    """An answer, of which every chunk has the lists too."""
    return [{**each, **fields} for each in said(*pieces)]


async def test_pages_of_a_list_are_cited_where_their_numbers_stand(
    backend: ScriptedBackend, dialect: ChatDialect
) -> None:
    results = [{"title": "The second", "url": TWO}]
    pages = [ONE, TWO, "https://example.net/unused"]
    backend.on(NEW, streams(*listed("It is so[1", "][2].", citations=pages, search_results=results)))

    assert named(await told(dialect)) == {
        Cited("example.com", ONE, marker="[1]"),
        Cited("The second", TWO, marker="[2]"),
    }


async def test_numbers_that_link_themselves_are_the_markers(
    backend: ScriptedBackend, dialect: ChatDialect
) -> None:
    backend.on(NEW, Json(whole(message(f"It is so.[[1]]({ONE})"), citations=[ONE])))

    assert named(await told(dialect)) == {Cited("example.com", ONE, marker=f"[[1]]({ONE})")}


@pytest.mark.parametrize(
    "text",
    ["Nothing.", "A [1](https://x.y/) link.", "`a[1]` in code", "```\na[1]\n```", "![1] [1]: x", "[9]"],
)
async def test_pages_whose_numbers_stand_nowhere_are_listed_without_a_place(
    backend: ScriptedBackend, dialect: ChatDialect, text: str
) -> None:
    backend.on(NEW, streams(*listed(text, citations=[{"url": ONE, "title": "x"}, TWO])))

    assert named(await told(dialect)) == {Cited("example.com", ONE), Cited("example.org", TWO)}


async def test_a_number_that_stands_in_code_too_is_no_marker(
    backend: ScriptedBackend, dialect: ChatDialect
) -> None:
    backend.on(NEW, streams(*listed("As `a[1]` says[1], and so on[2].", citations=[ONE, TWO])))

    assert named(await told(dialect)) == {Cited("example.org", TWO, marker="[2]")}


@pytest.mark.parametrize("junk", ["x", 3, {"a": 1}, [None, 3, "", {"url": 5}, [TWO]]])
async def test_a_list_of_something_else_is_passed_over(
    backend: ScriptedBackend, dialect: ChatDialect, junk: Any
) -> None:
    backend.on(NEW, streams(*listed("It is so[1].", citations=junk, search_results=junk)))

    assert named(await told(dialect)) == set()


@pytest.mark.parametrize("junk", [3, "x", {}, [4, None, {"url_citation": 3}, {"url_citation": {"url": 1}}]])
async def test_an_annotation_that_is_none_does_no_harm(
    backend: ScriptedBackend, dialect: ChatDialect, junk: Any
) -> None:
    backend.on(NEW, streams(chunk({"annotations": junk}), *PIECES, BOTH, END))

    assert named(await told(dialect)) == CITED

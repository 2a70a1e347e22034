"""Annotations of Responses: the same citations and files whenever and wherever they come."""

from collections.abc import Iterable
from typing import Any

import aiohttp
import pytest

from deep_chat_proxy.turn.events import Cited, FileKind, FileMade, TextReplaced, UpstreamEvent
from deep_chat_proxy.upstream.files import in_container
from upstream import responses_recording as rec
from upstream.backend import Body, Json, ScriptedBackend, client_of
from upstream.citing import named, told
from upstream.responses_scenes import GET, NEW, dialect_of, streams

LINK = "([example.org](https://example.org/?utm_source=openai))"
PATH = "sandbox:/mnt/data/x.csv"
PARTS = (
    "Snow is white ",
    LINK,
    ". Water is wet. Grass is green.",
    f" See [x.csv]({PATH})",
    ". 👩‍👩‍👧‍👦 End.",
)
TEXT = "".join(PARTS)
WET = TEXT.index(" Grass")


def around(part: str) -> dict[str, int]:
    return {"start_index": TEXT.index(part), "end_index": TEXT.index(part) + len(part)}


PAGE = {"type": "url_citation", "url": "https://example.org/", "title": "Snow", **around(LINK)}
STATED = {"type": "url_citation", "url": "https://example.com/w", "title": None, **around("Water is wet.")}
FILE = {"type": "file_citation", "file_id": "file-1", "filename": "grass.pdf", "index": WET + 16}
LISTED = {"type": "file_citation", "file_id": "file-2", "filename": "all.pdf", "index": 0}
TABLE = {
    "type": "container_file_citation",
    "container_id": "cntr_1",
    "file_id": "cfile_1",
    "filename": "x.csv",
    **around(f"[x.csv]({PATH})"),
}
PLOT = {**TABLE, "file_id": "cfile_2", "filename": "plot.png", "start_index": 0, "end_index": 0}
ANNOTATIONS = (PAGE, STATED, FILE, LISTED, TABLE, PLOT)
CITED = {
    Cited("Snow", "https://example.org/", marker=LINK),
    Cited("example.com", "https://example.com/w", after=TEXT[WET - 48 : WET]),
    Cited("grass.pdf", upstream_id="file-1", after=TEXT[WET + 16 - 48 : WET + 16]),
    Cited("all.pdf", upstream_id="file-2", after=TEXT[-48:]),
}
MADE = {
    FileMade(in_container("cntr_1", "cfile_1"), "x.csv", FileKind.ANY, marker=PATH),
    FileMade(in_container("cntr_1", "cfile_2"), "plot.png", FileKind.IMAGE),
}


def annotated(annotation: Any, **fields: Any) -> rec.Event:
    return rec.text("annotation.added", annotation=annotation, annotation_index=0, **fields)


def with_annotations(*annotations: Any, text: str = TEXT) -> Any:
    return rec.message(rec.text_part(text, *annotations))


def stream_of(events: Iterable[rec.Event], *output: Any) -> Body:
    whole = output or (with_annotations(),)
    return streams(*rec.beginning(), *events, rec.state("completed", *whole))


ALL = [annotated(annotation) for annotation in ANNOTATIONS]
DELTAS = [rec.delta(part) for part in PARTS]
LETTERS = [rec.delta(letter) for letter in TEXT]
DONE = rec.text("done", text=TEXT)
WAYS = {
    "before the text": stream_of([*ALL, *DELTAS, DONE]),
    "before the text, letter by letter": stream_of([*ALL, *LETTERS]),
    "in the middle of it": stream_of([*LETTERS[:20], *ALL, *LETTERS[20:], DONE]),
    "behind what they are about": stream_of(
        [e for pair in zip(DELTAS, ALL, strict=False) for e in pair] + ALL[5:]
    ),
    "behind the text": stream_of([*DELTAS, *ALL, DONE]),
    "behind its end": stream_of([*DELTAS, DONE, *ALL]),
    "with the item only": stream_of([*DELTAS, rec.item("done", with_annotations(*ANNOTATIONS))]),
    "with the response only": stream_of(DELTAS, with_annotations(*ANNOTATIONS)),
    "with the response and no stream": stream_of([], with_annotations(*ANNOTATIONS)),
    "everywhere": stream_of(
        [*ALL, *DELTAS, *ALL, DONE, rec.item("done", with_annotations(*ANNOTATIONS))],
        with_annotations(*ANNOTATIONS),
    ),
    "numbered otherwise": stream_of(
        [*(rec.delta(part, 7) for part in PARTS), *ALL], with_annotations(*ANNOTATIONS)
    ),
    "text is said anew": stream_of([*ALL, rec.delta("Something else.")], with_annotations(*ANNOTATIONS)),
}


async def answer(
    backend: ScriptedBackend, session: aiohttp.ClientSession, reply: Any, **options: Any
) -> list[UpstreamEvent]:
    """What is told where the files of a container are gone."""
    backend.on(NEW, reply)
    backend.on("GET /containers/.*", Json(rec.refused("gone"), 404))
    return await told(dialect_of(client_of(session, backend.base_url), **options))


@pytest.mark.parametrize("way", WAYS)
async def test_annotations_are_told_once_whenever_they_come(
    backend: ScriptedBackend, session: aiohttp.ClientSession, way: str
) -> None:
    events = await answer(backend, session, WAYS[way])

    if any(isinstance(event, TextReplaced) for event in events):
        assert way == "text is said anew"
        events = [event for event in events if not isinstance(event, Cited) or event in CITED]
    assert named(events) == CITED | MADE


async def test_an_answer_that_is_asked_for_has_the_same_annotations(
    backend: ScriptedBackend, session: aiohttp.ClientSession
) -> None:
    backend.on(GET, Json(rec.response("completed", with_annotations(*ANNOTATIONS))))

    events = await answer(backend, session, Json(rec.response("queued")), stream=False)

    assert named(events) == CITED | MADE


async def test_a_citation_comes_as_soon_as_the_text_is_there(
    backend: ScriptedBackend, session: aiohttp.ClientSession
) -> None:
    events = await answer(backend, session, stream_of([*ALL, *LETTERS]))

    where = [event for event in events if getattr(event, "marker", "") == LINK]
    so_far = "".join(getattr(event, "text", "") for event in events[: events.index(where[0])])
    assert so_far == "".join(PARTS[:2])


@pytest.mark.parametrize(
    "wrong",
    [
        {"start_index": -4, "end_index": 3},
        {"start_index": 30, "end_index": 10**40},
        {"start_index": "1", "end_index": [2]},
        {"start_index": None, "end_index": None},
        {"start_index": 1.5, "end_index": True},
    ],
)
async def test_numbers_that_are_wrong_are_no_error(
    backend: ScriptedBackend, session: aiohttp.ClientSession, wrong: dict[str, Any]
) -> None:
    page, table = {**PAGE, **wrong}, {**TABLE, **wrong}
    file = {**FILE, "index": wrong["end_index"]}
    events = await answer(backend, session, stream_of([*DELTAS, *map(annotated, (page, table, file)), DONE]))

    found = named(events)
    assert Cited("Snow", "https://example.org/", marker=LINK) in found
    assert {made for made in MADE if made.name == "x.csv"} <= found
    assert len(found) == 3


async def test_a_cited_file_without_a_name_is_looked_up(
    backend: ScriptedBackend, session: aiohttp.ClientSession
) -> None:
    backend.on("GET /files/file-1", Json({"id": "file-1", "filename": "grass.pdf"}))
    events = await answer(backend, session, stream_of(DELTAS, with_annotations({**FILE, "filename": None})))

    assert {event.title for event in named(events) if isinstance(event, Cited)} == {"grass.pdf"}


async def test_a_path_names_a_file_of_the_store(
    backend: ScriptedBackend, session: aiohttp.ClientSession
) -> None:
    path = {"type": "file_path", "file_id": "file-3", "index": 0}
    events = await answer(backend, session, stream_of([annotated(path), *DELTAS]))

    assert named(events) == {FileMade("file-3", "x.csv", FileKind.ANY, marker=PATH)}


async def test_what_is_annotated_in_an_answer_that_was_lost_is_told_of_the_one_in_its_place(
    backend: ScriptedBackend, session: aiohttp.ClientSession
) -> None:
    lost = streams(*rec.beginning(), annotated(STATED), *DELTAS[:2], annotated(PAGE), end="cut")
    backend.on(GET, Json(rec.refused("no such response"), 404))
    backend.on(NEW, lost, WAYS["behind the text"])
    backend.on("GET /containers/.*", Json(rec.refused("gone"), 404))

    events = await told(dialect_of(client_of(session, backend.base_url)))

    assert named(events) == CITED | MADE


JUNK = [
    3,
    "x",
    None,
    [],
    {"type": 5},
    {**PAGE, "url": ["x"]},
    {**FILE, "file_id": {}},
    {**TABLE, "filename": 1},
]


async def test_an_annotation_that_is_none_does_no_harm(
    backend: ScriptedBackend, session: aiohttp.ClientSession
) -> None:
    events = [*map(annotated, JUNK), *DELTAS, annotated(STATED)]
    told_of = await answer(backend, session, stream_of(events, with_annotations(*JUNK, STATED)))

    assert {event.title for event in named(told_of) if isinstance(event, Cited)} == {"example.com"}

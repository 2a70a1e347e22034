"""Annotations of Assistants: the same citations and files whenever and wherever they come, files under their names."""

from typing import Any

import aiohttp
import pytest

from deep_chat_proxy.turn.events import Cited, FileKind, FileMade, TextDelta
from deep_chat_proxy.upstream.assistants.dialect import AssistantsDialect
from upstream import recording as rec
from upstream.backend import Json, ScriptedBackend, client_of
from upstream.citing import named, told
from upstream.playing import dialect_of
from upstream.scenes import START, can_be_asked, streams

PATH = "sandbox:/mnt/data/x.csv"
PARTS = ("Grass is green", "【4:0†source】", " and wet【4:1†water", ".txt】. See [x.csv](", PATH, ").")
TEXT = "".join(PARTS)


def cites(file_id: str, marker: str) -> dict[str, Any]:
    return {"type": "file_citation", "text": marker, "file_citation": {"file_id": file_id}}


GRASS = cites("file-1", "【4:0†source】")
WATER = cites("file-2", "【4:1†water.txt】")
TABLE = {"type": "file_path", "text": PATH, "file_path": {"file_id": "file-3"}}
ANNOTATIONS = (GRASS, WATER, TABLE)
NAMED = {
    Cited("grass.pdf", upstream_id="file-1", marker="【4:0†source】"),
    Cited("wet.pdf", upstream_id="file-2", marker="【4:1†water.txt】"),
    FileMade("file-3", "x.csv", FileKind.ANY, marker=PATH),
}


def part(text: str, *annotations: Any) -> dict[str, Any]:
    return rec.text_part(text, [{"index": 0, **annotation} for annotation in annotations])


DELTAS = [rec.delta(each) for each in PARTS]
WHOLE = ("thread.message.completed", rec.message(rec.text_part(TEXT, ANNOTATIONS)))
BARE = ("thread.message.completed", rec.message(TEXT))
WAYS: dict[str, list[tuple[str, Any]]] = {
    "behind their text": [*DELTAS, rec.delta(part("", *ANNOTATIONS)), BARE],
    "with their text": [
        DELTAS[0],
        rec.delta(part(PARTS[1], GRASS)),
        DELTAS[2],
        rec.delta(part(PARTS[3], WATER)),
        rec.delta(part(PARTS[4], TABLE)),
        DELTAS[5],
        BARE,
    ],
    "with the whole message": [*DELTAS, WHOLE],
    "with the whole message alone": [WHOLE],
    "everywhere": [*DELTAS, rec.delta(part("", *ANNOTATIONS)), WHOLE, WHOLE],
}


def has_names(backend: ScriptedBackend) -> None:
    backend.on("GET /files/file-1", Json({"id": "file-1", "filename": "grass.pdf"}))
    backend.on("GET /files/file-2", Json({"id": "file-2", "filename": "wet.pdf"}))


def answers(backend: ScriptedBackend, events: list[tuple[str, Any]]) -> None:
    backend.on(START, streams(rec.stream([*rec.beginning(), *events, rec.run_event("completed")])))


@pytest.mark.parametrize("way", WAYS)
async def test_annotations_are_told_once_whenever_they_come(
    backend: ScriptedBackend, dialect: AssistantsDialect, way: str
) -> None:
    has_names(backend)
    answers(backend, WAYS[way])

    assert named(await told(dialect)) == NAMED


async def test_annotations_in_front_of_their_text_are_told_too(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    has_names(backend)
    answers(backend, [rec.delta(part("", *ANNOTATIONS)), *DELTAS, BARE])

    assert {event for event in await told(dialect) if isinstance(event, Cited | FileMade)} == NAMED


async def test_a_run_that_is_asked_for_has_the_same_annotations(
    backend: ScriptedBackend, session: aiohttp.ClientSession
) -> None:
    has_names(backend)
    backend.on(START, Json(rec.run("queued")))
    can_be_asked(backend, rec.run("completed"), WHOLE[1])
    dialect = dialect_of(client_of(session, backend.base_url), stream=False)

    assert named(await told(dialect)) == NAMED


async def test_a_name_is_looked_up_once_for_all_turns(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    has_names(backend)
    answers(backend, WAYS["everywhere"])

    await told(dialect)
    await told(dialect)

    assert sum(line.startswith("GET /files/") for line in backend.lines) == 2


@pytest.mark.parametrize(
    "reply",
    [
        Json(rec.read(b'{"error": {"message": "no such file"}}'), 404),
        Json({"id": "file-1"}),
        Json({"filename": 7}),
        Json({}, 500),
    ],
)
async def test_a_file_whose_name_cannot_be_had_is_called_by_its_marker_or_its_number(
    backend: ScriptedBackend, dialect: AssistantsDialect, reply: Json
) -> None:
    backend.on("GET /files/.*", reply)
    answers(backend, WAYS["behind their text"])

    assert {event.title for event in named(await told(dialect)) if isinstance(event, Cited)} == {
        "File 1",
        "water.txt",
    }


async def test_text_does_not_wait_for_a_name(
    backend: ScriptedBackend, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deep_chat_proxy.upstream.naming._LONGEST", 0.05)
    backend.on("GET /files/.*", streams(end="stall"))
    answers(backend, [rec.delta(part(PARTS[1], GRASS)), rec.delta("And on."), rec.delta("And on.")])

    events = await told(dialect_of(client_of(session, backend.base_url)))

    last_text = max(index for index, event in enumerate(events) if isinstance(event, TextDelta))
    (cited,) = (event for event in events if isinstance(event, Cited))
    assert events.index(cited) > last_text
    assert cited.title == "File 1"


async def test_names_are_looked_up_for_twenty_files_of_a_turn(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    many = [cites(f"file-{number}", f"【{number}†source】") for number in range(30)]
    backend.on("GET /files/.*", Json({"filename": "report.pdf"}))
    answers(backend, [rec.delta(part("".join(each["text"] for each in many), *many))])

    titles = [event.title for event in await told(dialect) if isinstance(event, Cited)]

    assert titles == ["report.pdf"] * 20 + [f"File {number}" for number in range(1, 11)]
    assert sum(line.startswith("GET /files/") for line in backend.lines) == 20


async def test_pages_that_azure_cites_are_told(backend: ScriptedBackend, dialect: AssistantsDialect) -> None:
    page = {
        "type": "url_citation",
        "text": "【3:0†source】",
        "url_citation": {"url": "https://www.example.org/a"},
    }
    answers(backend, [rec.delta(part("So it is【3:0†source】.", page))])

    assert named(await told(dialect)) == {
        Cited("example.org", "https://www.example.org/a", marker="【3:0†source】")
    }


async def test_an_annotation_that_is_none_does_no_harm(
    backend: ScriptedBackend, dialect: AssistantsDialect
) -> None:
    has_names(backend)
    junk = [
        {"text": 5},
        {"file_citation": 7},
        {**GRASS, "file_citation": {"file_id": []}},
        {"file_path": "x"},
    ]
    answers(backend, [*DELTAS, rec.delta(part("", *junk, *ANNOTATIONS)), BARE])

    assert named(await told(dialect)) == NAMED

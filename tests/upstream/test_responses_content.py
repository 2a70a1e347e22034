"""What a response holds beside plain text: refusals, thoughts, tools at work, sources, pictures and files."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from deep_chat_proxy.turn.events import Completed, FileKind
from deep_chat_proxy.upstream.files import in_container
from deep_chat_proxy.upstream.responses.dialect import ResponsesDialect
from upstream import responses_recording as rec
from upstream.backend import Answer, Body, Json, ScriptedBackend, client_of
from upstream.responses_scenes import NEW, PARIS, dialect_of, streams
from upstream.saying import say

CONTENT = "GET /containers/cntr_1/files/cfile_1/content"
PNG = b"\x89PNG\r\n\x1a\n of our own"
CITED_FILE = {
    "type": "container_file_citation",
    "container_id": "cntr_1",
    "file_id": "cfile_1",
    "filename": "/mnt/data/numbers.csv",
    "start_index": 0,
    "end_index": 4,
}


@pytest.fixture
def dialect(backend: ScriptedBackend, session: aiohttp.ClientSession) -> ResponsesDialect:
    """The dialect in front of the scripted back end, as it keeps the history."""
    return dialect_of(client_of(session, backend.base_url), largest_file=100)


def annotated(*annotations: Any) -> list[rec.Event]:
    """A response whose text has these annotations, told while it is made and again at its end."""
    whole = rec.message(rec.text_part("See here.", *annotations))
    added = [
        rec.text("annotation.added", annotation_index=index, annotation=annotation)
        for index, annotation in enumerate(annotations)
    ]
    return [
        *rec.beginning(),
        rec.delta("See here."),
        *added,
        rec.item("done", whole),
        rec.state("completed", whole),
    ]


@pytest.mark.parametrize("told", ["by deltas", "at its end"])
async def test_a_refusal_is_text(backend: ScriptedBackend, dialect: ResponsesDialect, told: str) -> None:
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    deltas = [
        *(
            {"type": "response.refusal.delta", **place, "delta": piece}
            for piece in ("I cannot ", "help with that.")
        ),
        {"type": "response.refusal.done", **place, "refusal": "I cannot help with that."},
    ]
    whole = rec.message(rec.refusal_part("I cannot help with that."))
    spoken = deltas if told == "by deltas" else []
    backend.on(
        NEW, streams(*rec.beginning(), *spoken, rec.item("done", whole), rec.state("completed", whole))
    )

    answer = await say(dialect)

    assert answer.outcome == ("I cannot help with that.", Completed())
    assert not answer.said_anew


@pytest.mark.parametrize(
    ("summary", "status"),
    [
        ("**Looking at the clouds**\n\nThe sky is…", "Looking at the clouds…"),
        ("First I look at the clouds.\nThen…", "First I look at the clouds."),
        ("long " * 50, "long " * 19 + "long…"),
    ],
)
async def test_what_the_model_thinks_is_a_status_and_no_text(
    backend: ScriptedBackend, dialect: ResponsesDialect, summary: str, status: str
) -> None:
    place = {"item_id": "rs_1", "output_index": 0, "summary_index": 0}
    thought = {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": summary}]}
    thinking = [
        rec.item("added", {**thought, "summary": []}),
        {"type": "response.reasoning_summary_text.delta", **place, "delta": summary},
        {"type": "response.reasoning_summary_text.done", **place, "text": summary},
        {"type": "response.reasoning_text.delta", **place, "delta": "Hm."},
        rec.item("done", thought),
    ]
    whole = rec.message("Sunny")
    spoken = rec.said("Sunny", index=1)
    backend.on(NEW, streams(*rec.beginning(), *thinking, *spoken, rec.state("completed", thought, whole)))

    answer = await say(dialect)

    assert answer.outcome == ("Sunny", Completed())
    assert answer.statuses == [status]


async def test_hosted_tools_are_told_of_once(backend: ScriptedBackend, dialect: ResponsesDialect) -> None:
    kinds = ["web_search_call", "code_interpreter_call", "web_search_call", "mcp_call"]
    used = [{"id": f"x_{index}", "type": kind} for index, kind in enumerate(kinds)]
    events = [
        rec.item(change, item, index) for index, item in enumerate(used) for change in ("added", "done")
    ]
    whole = rec.message("Done.")
    backend.on(
        NEW,
        streams(*rec.beginning(), *events, *rec.said("Done.", index=4), rec.state("completed", *used, whole)),
    )

    answer = await say(dialect)

    assert answer.outcome == ("Done.", Completed())
    assert answer.statuses == ["Searching the web…", "Running code…", "Using a tool…"]


async def test_the_pages_and_files_of_an_answer_are_its_sources_each_once(
    backend: ScriptedBackend, dialect: ResponsesDialect
) -> None:
    page = {"type": "url_citation", "url": "https://example.com/a", "title": "A [page]", "start_index": 0}
    untitled = {"type": "url_citation", "url": "https://example.com/b", "title": None}
    file = {"type": "file_citation", "file_id": "file-1", "filename": "report.pdf", "index": 3}
    useless = [{"type": "url_citation"}, {"type": "file_citation"}, {"type": "rating"}]
    backend.on(NEW, streams(*annotated(page, untitled, file, page, *useless)))

    text, *sources = (await say(dialect)).text.split("\n\n**Sources**\n\n")
    assert text == r"See\[1\] here."
    assert {line[3:] for line in sources[0].splitlines()} == {
        r"[A \[page\]](https://example.com/a)",
        "[example.com](https://example.com/b)",
        "report.pdf",
    }


async def test_sources_stand_at_the_end_of_all_rounds(
    backend: ScriptedBackend, dialect: ResponsesDialect
) -> None:
    page = {"type": "url_citation", "url": "https://example.com/a", "title": "A page"}
    first = rec.message(rec.text_part("Let me see.", page))
    backend.on(
        NEW,
        streams(*rec.beginning(), rec.state("completed", first, rec.call(*PARIS))),
        streams(*rec.answer("Sunny.")),
    )

    assert (await say(dialect)).text == (
        "Let me see.\n\nSunny.\n\n**Sources**\n\n1. [A page](https://example.com/a)"
    )


async def test_a_file_of_the_container_is_fetched_once_and_named_without_its_folder(
    backend: ScriptedBackend, dialect: ResponsesDialect
) -> None:
    backend.on(NEW, streams(*annotated(CITED_FILE)))
    backend.on(CONTENT, Body((b"1,2", b"\n"), content_type="text/csv"))

    answer = await say(dialect)

    (made,) = answer.keeper.made
    assert (made.name, made.kind, made.upstream_id) == (
        "numbers.csv",
        FileKind.ANY,
        in_container("cntr_1", "cfile_1"),
    )
    assert answer.keeper.contents == [b"1,2\n"]
    assert answer.outcome == ("See here.", Completed())
    assert backend.lines == [NEW, CONTENT]
    assert made.path is not None
    assert not made.path.exists()


@pytest.mark.parametrize("reaction", [Json({}, 404), Body((b"x" * 60,) * 2), Body((b"x",), end="cut")])
async def test_a_file_that_cannot_be_fetched_is_named_and_the_answer_goes_on(
    backend: ScriptedBackend, dialect: ResponsesDialect, reaction: Answer, no_spool: Path
) -> None:
    backend.on(NEW, streams(*annotated(CITED_FILE)))
    backend.on(CONTENT, reaction)

    answer = await say(dialect)

    assert [(made.name, made.path) for made in answer.keeper.made] == [("numbers.csv", None)]
    assert answer.outcome == ("See here.", Completed())
    assert await asyncio.to_thread(lambda: list(no_spool.iterdir())) == []


@pytest.fixture
def no_spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which files are spooled."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "kind"), [("plot.PNG", FileKind.IMAGE), (None, FileKind.ANY), ("/", FileKind.ANY)]
)
async def test_a_picture_of_the_container_is_shown_as_one(
    backend: ScriptedBackend, dialect: ResponsesDialect, name: str | None, kind: FileKind
) -> None:
    backend.on(NEW, streams(*annotated({**CITED_FILE, "filename": name})))
    backend.on(CONTENT, Body((PNG,), content_type="image/png"))

    (made,) = (await say(dialect)).keeper.made

    assert made.kind == kind
    assert made.name


def drawn(result: Any, **fields: Any) -> list[rec.Event]:
    """A response that is a picture."""
    begun = {"id": "ig_1", "type": "image_generation_call", "status": "in_progress", "result": None}
    done = {**begun, "status": "completed", "result": result, **fields}
    place = {"item_id": "ig_1", "output_index": 0}
    return [
        *rec.beginning(),
        rec.item("added", begun),
        {"type": "response.image_generation_call.generating", **place},
        {
            "type": "response.image_generation_call.partial_image",
            **place,
            "partial_image_index": 0,
            "partial_image_b64": "AAAA",
        },
        rec.item("done", done),
        rec.state("completed", done),
    ]


@pytest.mark.parametrize(
    ("given", "name"), [("webp", "picture.webp"), (None, "picture.png"), ("../x", "picture.png")]
)
async def test_a_picture_that_the_model_drew_is_a_file(
    backend: ScriptedBackend, dialect: ResponsesDialect, given: str | None, name: str
) -> None:
    backend.on(NEW, streams(*drawn(base64.b64encode(PNG).decode(), output_format=given)))

    answer = await say(dialect)

    assert [(made.name, made.kind) for made in answer.keeper.made] == [(name, FileKind.IMAGE)]
    assert answer.keeper.contents == [PNG]
    assert answer.outcome == ("", Completed())
    assert answer.statuses == ["Drawing a picture…"]


@pytest.mark.parametrize("result", ["no base64!", "é", "A"])
async def test_a_picture_that_cannot_be_read_is_passed_over(
    backend: ScriptedBackend, dialect: ResponsesDialect, result: str
) -> None:
    *events, _ = drawn(result)
    backend.on(NEW, streams(*events, *rec.said("Sorry.", index=1), rec.state("completed")))

    answer = await say(dialect)

    assert (answer.keeper.made, answer.outcome) == ([], ("Sorry.", Completed()))


async def test_text_after_a_picture_is_a_paragraph_of_its_own(
    backend: ScriptedBackend, dialect: ResponsesDialect
) -> None:
    picture = {"id": "ig_1", "type": "image_generation_call", "result": base64.b64encode(PNG).decode()}
    whole = [rec.message("Before"), picture, rec.message("After", item_id="msg_2")]
    events = [
        *rec.said("Before"),
        rec.item("done", picture, 1),
        *rec.said("Af", "ter", index=2, item_id="msg_2"),
    ]
    backend.on(NEW, streams(*rec.beginning(), *events, rec.state("completed", *whole)))

    answer = await say(dialect)

    assert answer.outcome == ("Before\n\nAfter", Completed())
    assert not answer.said_anew

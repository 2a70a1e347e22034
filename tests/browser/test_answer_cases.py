"""Answers with sources, links and files, over HTTP: a stream ends as an object and as history have them."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from browser.test_threads import call
from chat_server import ask, ask_stream, chat_server, events_in
from deep_chat_proxy.turn.events import Accepted, Completed, PartStarted, TextDelta, UpstreamEvent
from playing import until
from turn.answer_cases import CASES, OWN_LINK, AnswerCase

HEAD = "\n\n**Sources**\n\n"


def batches(case: AnswerCase, *, at_once: bool) -> Iterator[Sequence[UpstreamEvent]]:
    """What a back end tells of a case: parts at once, or letter by letter, with all annotations at the end."""
    yield [Accepted()]
    for part in case.parts:
        yield [PartStarted()]
        yield from ([TextDelta(piece, whole=at_once)] for piece in ([part] if at_once else part))
    yield [*case.annotations, Completed()]


def shown_in(stream: bytes) -> tuple[str, Any, list[str]]:
    """The text, the sources and the addresses of the files that the page has in the end."""
    text, sources, files = "", None, []
    for event in events_in(stream):
        text = event.get("text", "") if event.get("overwrite") else text + event.get("text", "")
        sources = event.get("custom", {}).get("sources", sources)
        files += [file["src"] for file in event.get("files", [])]
    return text, sources, files


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_stream_an_object_and_history_show_the_same(case: AnswerCase, at_once: bool) -> None:
    script = list(batches(case, at_once=at_once))
    async with chat_server(script, script, pace=10_000 if at_once else 0) as server:
        streaming, asking = await server.visitor(), await server.visitor()
        _, stream = await ask_stream(streaming)
        _, body = await ask(asking)
        await until(lambda: not server.chat.turns)
        _, kept = await call(streaming, "GET", "/api/history")

    text, sources, files = shown_in(stream)
    expected = case.text.replace(OWN_LINK, files[0]) if files else case.text
    assert text.partition(HEAD)[0].removesuffix("\n```") == expected
    assert [source["title"] for source in sources or []] == [source.title for source in case.sources]
    assert (kept[-1]["text"], kept[-1]["custom"].get("sources")) == (text, sources)
    own = [file["src"] for file in body.get("files", [])]
    same = body["text"].replace(own[0], files[0]) if own else body["text"]
    assert (same, bool(body.get("custom"))) == (text, bool(sources))

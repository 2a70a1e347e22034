"""The contract: files that a visitor sends are read, those that the assistant makes can be fetched."""

from deep_chat_proxy.errors import Problem
from deep_chat_proxy.turn.events import Completed, FileKind
from upstream.contract.cases import Case
from upstream.contract.talk import Talk
from upstream.pictures import png
from upstream.playing import Played

TEXT = "Grüße aus Köln"


async def content(talk: Talk, answer: Played) -> bytes:
    """The one file of an answer, as the visitor gets it."""
    (shown,) = answer.log.files
    file = await talk.store.file(shown.file_id)
    assert file is not None
    if file.key is not None:
        data = await talk.shelf.read(file.key)
        assert data is not None
        return data
    async with talk.dialect.files.content(file.upstream_id) as found:
        return b"".join([chunk async for chunk in found.chunks])


async def test_a_text_is_read(talk: Talk) -> None:
    answer = await talk.say("what is in this file?", talk.file("größe 1.txt", TEXT.encode(), "text/plain"))

    assert answer.end == Completed()
    assert TEXT in answer.text
    assert "【" not in answer.text


async def test_a_picture_is_seen(talk: Talk) -> None:
    picture = talk.file("p.png", png(3, 2), "image/png", FileKind.IMAGE)

    assert "3 x 2 pixels" in (await talk.say("what is it?", picture)).text


async def test_a_file_without_a_word_is_a_message(talk: Talk) -> None:
    answer = await talk.say("", talk.file("a.txt", TEXT.encode(), "text/plain"))

    assert TEXT in answer.text


async def test_data_is_read_too(talk: Talk) -> None:
    answer = await talk.say("what is in it?", talk.file("a.csv", b"a,b\n1,2\n", "text/csv"))

    assert answer.end == Completed()
    assert "a.csv" in answer.text or "a,b" in answer.text


async def test_files_of_earlier_messages_are_not_forgotten(talk: Talk) -> None:
    await talk.say("look at this", talk.file("p.png", png(3, 2), "image/png", FileKind.IMAGE))
    await talk.say("thanks")
    answer = await talk.say("now this", talk.file("q.png", png(5, 4), "image/png", FileKind.IMAGE))

    assert "5 x 4 pixels" in answer.text


async def test_what_nobody_can_read_is_refused_with_a_sentence(talk: Talk, case: Case) -> None:
    if case.dialect == "assistants":
        return
    answer = await talk.say("see", talk.file("a.mp4", b"\0" * 100, "video/mp4"))

    assert isinstance(answer.problem, Problem)
    assert answer.problem.status == 415
    assert "a.mp4" in answer.problem.sentence
    assert (await talk.say("hello")).end == Completed()


async def test_a_table_that_the_assistant_makes_can_be_fetched(talk: Talk, case: Case) -> None:
    answer = await talk.say("make a csv")

    assert answer.end == Completed()
    assert "sandbox:" not in answer.text
    if case.dialect != "chat":
        assert b"," in await content(talk, answer)
        assert answer.log.files[0].name.endswith(".csv")


async def test_a_picture_that_the_assistant_draws_can_be_fetched(talk: Talk, case: Case) -> None:
    answer = await talk.say("draw a chart")

    assert answer.end == Completed()
    if case.dialect != "chat":
        assert (await content(talk, answer)).startswith(b"\x89PNG")
        assert answer.log.files[0].kind is FileKind.IMAGE


async def test_a_file_outlives_the_container_it_was_made_in(talk: Talk, case: Case) -> None:
    answer = await talk.say("make a csv")
    if case.dialect == "responses":
        containers = talk.state.containers._kept
        for container in containers:
            containers.drop(container.id)
        assert b"," in await content(talk, answer)

"""The contract: sources and files of an answer come with what stands for them in its text."""

from deep_chat_proxy.turn.events import Cited, FileMade, TextDelta, UpstreamEvent
from upstream.citing import events_of
from upstream.contract.cases import Case
from upstream.contract.talk import Talk

NOTES = b"Tuesday is the day. Bring the map"


def text_of(events: list[UpstreamEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


async def test_an_attached_text_is_cited_twice_where_the_back_end_stores_it(talk: Talk, case: Case) -> None:
    notes = talk.file("notes.txt", NOTES, "text/plain")
    events = await events_of(talk.turn("cite the file", notes))

    cited = [event for event in events if isinstance(event, Cited)]
    text = text_of(events)
    if case.dialect == "assistants":
        assert [each.title for each in cited] == ["notes.txt", "notes.txt"]
        assert [each.marker for each in cited] == ["【4:0†source】", "【4:1†source】"]
        assert all(each.marker in text for each in cited)
    elif case.name.startswith("responses-conversation"):
        assert [each.title for each in cited] == ["notes.txt", "notes.txt"]
        assert [each.after[-9:] for each in cited] == ["“Tuesday”", " is “map”"]
        assert all(each.after in text for each in cited)
    else:
        assert cited == []


async def test_pages_of_the_web_are_cited_where_their_links_stand(talk: Talk, case: Case) -> None:
    events = await events_of(talk.turn("search the web for news"))

    cited = [event for event in events if isinstance(event, Cited)]
    assert [each.url for each in cited] == (
        ["https://example.org/facts", "https://example.com/news"] if case.dialect == "responses" else []
    )
    assert all(each.marker in text_of(events) for each in cited)
    assert all(each.marker.startswith("([example.") for each in cited)


async def test_a_table_comes_with_the_path_that_the_text_links_to(talk: Talk, case: Case) -> None:
    events = await events_of(talk.turn("make a csv"))

    made = [event.marker for event in events if isinstance(event, FileMade)]
    assert made == ([] if case.dialect == "chat" else ["sandbox:/mnt/data/cities.csv"])

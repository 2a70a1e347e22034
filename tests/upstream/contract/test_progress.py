"""The contract: what a visitor sees while the assistant works, and what an answer rests on."""

from deep_chat_proxy.turn.events import Completed, Usage
from upstream.contract.cases import Case
from upstream.contract.talk import Talk

SOURCES = (
    "\n\n**Sources**\n\n1. [Facts for everybody](https://example.org/facts)\n"
    "2. [News of the day](https://example.com/news)"
)


async def test_a_web_search_is_told_of_and_its_pages_are_listed(talk: Talk, case: Case) -> None:
    answer = await talk.say("search the web for news")

    assert answer.end == Completed()
    if case.dialect == "responses":
        assert case.streams is ("Searching the web…" in answer.statuses)
        assert answer.text.endswith(SOURCES)
        assert answer.text.count("https://example.org/facts") == 2
    else:
        assert answer.text == "I cannot search the web: I was given no web search."


async def test_what_the_model_thinks_about_is_told_while_it_thinks(talk: Talk, case: Case) -> None:
    answer = await talk.say("think hard, then hello")

    assert answer.text.startswith("Hello!")
    if case.dialect == "responses" and case.streams:
        assert answer.statuses == ["Reading the question…", "Weighing the answer…"]


async def test_code_that_runs_is_told_of(talk: Talk, case: Case) -> None:
    answer = await talk.say("make a csv")

    if case.dialect != "chat" and case.streams:
        assert "Running code…" in answer.statuses


async def test_the_usage_is_known(talk: Talk) -> None:
    answer = await talk.say("hello")

    (usage,) = [event for event in answer.events if isinstance(event, Usage)]
    assert usage.input_tokens > 0
    assert usage.output_tokens > 0

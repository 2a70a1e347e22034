"""What aimock says is what a visitor reads, and what was said is what aimock is told."""

import pytest

from foreign.talk import STREAMED, Talk

LONG = (
    "# Cities\n\n| city | °C |\n| --- | --- |\n| København | 12 |\n| 東京 | 25 |\n\n"
    '```python\nprint("data: [DONE]")\n```\n\nThat was *all*.'
)
CUT_SHORT = "This is the beginning\n\n*The answer was cut short because it reached its longest length.*"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("good morning", "Good morning from abroad.", id="short"),
        pytest.param("a long answer", LONG, id="long"),
        pytest.param("think first", "Good day.", id="with thoughts"),
    ],
)
async def test_the_answer_is_what_the_back_end_said(talk: Talk, text: str, said: str) -> None:
    answer = await talk.say(text)

    assert (answer.status, answer.is_stream, answer.error) == (200, talk.case.stream, None)
    assert answer.text == said


async def test_an_answer_that_was_cut_short_says_so(talk: Talk) -> None:
    answer = await talk.say("an answer that is too long")

    assert (answer.status, answer.error) == (200, None)
    assert answer.text == CUT_SHORT


@pytest.mark.parametrize("case", STREAMED, ids=str)
async def test_an_emoji_that_comes_in_two_halves_is_whole(talk: Talk) -> None:
    answer = await talk.say("an emoji in two halves")

    assert (answer.status, answer.error) == (200, None)
    assert answer.text == "Here it is: 😀."


async def test_a_request_names_the_model_and_the_tools(talk: Talk) -> None:
    await talk.say("good morning")

    (request,) = await talk.mock.requests()
    assert request.body["model"] == "gpt-5-foreign"
    assert request.body["stream"] is (talk.case.follow == "auto")
    assert request.said == [("user", "good morning")]
    (tool,) = request.body["tools"]
    assert tool["function"]["name"] == "get_weather"
    assert tool["function"]["parameters"]["required"] == ["location"]


async def test_what_was_said_before_is_sent_along(talk: Talk) -> None:
    first = await talk.say("my name is Ada")
    second = await talk.say("what is my name?")

    assert (first.text, second.text) == ("Nice to meet you, Ada.", "Your name is Ada.")
    assert first.thread_id == second.thread_id
    requests = await talk.mock.requests()
    assert [request.status for request in requests] == [200, 200]
    assert requests[-1].said == [
        ("user", "my name is Ada"),
        ("assistant", "Nice to meet you, Ada."),
        ("user", "what is my name?"),
    ]

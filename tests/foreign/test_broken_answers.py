"""An answer that breaks off, or is none, is told as an error, and the next message is answered."""

import pytest

from foreign.talk import STREAMED, Talk

STORY = "The beginning of an answer comes, and then the line is cut in its middle, where nobody expected it."
# What comes before the gap: chunks of twelve characters, behind one chunk or four events that hold no text.
TOLD = {"chat": STORY[: 5 * 12], "responses": STORY[: 2 * 12]}
CUT_OFF = "The connection to the assistant was lost before the answer was complete. Please try again."
FAILED = "The assistant ran into an error. Please try again."
UNREACHABLE = "The assistant could not be reached. Please try again in a moment."


@pytest.mark.parametrize("case", STREAMED, ids=str)
async def test_a_line_that_is_cut_in_the_middle_leaves_what_was_said(talk: Talk) -> None:
    answer = await talk.say("cut the line in the middle")
    again = await talk.say("good morning")

    talk.check_error(answer, 502, CUT_OFF)
    assert answer.is_stream is talk.case.stream
    if talk.case.stream:
        assert answer.text == TOLD[talk.case.upstream]
    assert again.text == "Good morning from abroad."
    assert (await talk.mock.newest()).said == [
        ("user", "cut the line in the middle"),
        ("assistant", TOLD[talk.case.upstream]),
        ("user", "good morning"),
    ]


@pytest.mark.parametrize("case", STREAMED, ids=str)
async def test_a_line_that_is_cut_before_a_word_leaves_nothing(talk: Talk) -> None:
    answer = await talk.say("cut the line before a word")
    again = await talk.say("good morning")

    talk.check_error(answer, 502, CUT_OFF)
    assert again.text == "Good morning from abroad."
    assert (await talk.mock.newest()).said == [("user", "good morning")]


async def test_an_answer_whose_line_is_cut_each_time_is_asked_for_three_times(talk: Talk) -> None:
    await talk.mock.make_chaos("disconnectRate")
    answer = await talk.say("good morning")
    await talk.mock.end_chaos()
    again = await talk.say("good morning")

    assert (answer.status, answer.error) == (502, UNREACHABLE)
    assert again.text == "Good morning from abroad."
    requests = await talk.mock.requests()
    assert [request.status for request in requests] == [0, 0, 0, 200]
    assert requests[-1].said == [("user", "good morning")]


async def test_an_answer_that_is_no_json_is_an_error(talk: Talk) -> None:
    await talk.mock.make_chaos("malformedRate")
    answer = await talk.say("my name is Ada")
    await talk.mock.end_chaos()
    again = await talk.say("good morning")

    talk.check_error(answer, 502, FAILED)
    assert again.text == "Good morning from abroad."
    assert (await talk.mock.newest()).said == [("user", "good morning")]


async def test_an_error_in_place_of_an_answer_is_an_error(talk: Talk) -> None:
    answer = await talk.say("an error in place of an answer")
    again = await talk.say("good morning")

    talk.check_error(answer, 502, FAILED)
    assert again.text == "Good morning from abroad."
    assert (await talk.mock.newest()).said == [("user", "good morning")]

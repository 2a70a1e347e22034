"""A round trip with a tool: aimock asks for it, it runs here, and aimock goes on from its output."""

import json

import pytest

from foreign.aimock import Call
from foreign.talk import STREAMED, Talk

PARIS = {"location": "Paris", "temperature": 21, "unit": "celsius", "sky": "partly cloudy"}


async def test_two_calls_at_once_get_their_outputs(talk: Talk) -> None:
    answer = await talk.say("weather in Paris and Rome")

    assert (answer.status, answer.error) == (200, None)
    assert answer.text == "Paris has 21 °C, and Rome counts in other degrees."
    asked, given = await talk.mock.requests()
    assert (asked.calls, asked.outputs) == ([], {})
    assert [(call.call_id, call.name, json.loads(call.arguments)) for call in given.calls] == [
        ("call_canary_paris", "get_weather", {"location": "Paris"}),
        ("call_canary_rome", "get_weather", {"location": "Rome", "unit": "fahrenheit"}),
    ]
    assert list(given.outputs) == ["call_canary_paris", "call_canary_rome"]
    assert json.loads(given.outputs["call_canary_paris"]) == PARIS
    assert json.loads(given.outputs["call_canary_rome"])["unit"] == "fahrenheit"


async def test_one_round_of_calls_follows_another(talk: Talk) -> None:
    answer = await talk.say("weather in Paris, then in Oslo")

    assert answer.text == "Let me look.\n\nI have asked for both."
    rounds = await talk.mock.requests()
    assert [list(request.outputs) for request in rounds] == [
        [],
        ["call_canary_paris"],
        ["call_canary_paris", "call_canary_oslo"],
    ]
    assert [call.call_id for call in rounds[-1].calls] == ["call_canary_paris", "call_canary_oslo"]
    assert rounds[-1].said == [("user", "weather in Paris, then in Oslo"), ("assistant", "Let me look.")]


async def test_a_call_of_a_tool_that_is_not_there_is_answered_too(talk: Talk) -> None:
    answer = await talk.say("call what is not there")

    assert (answer.text, answer.error) == ("It is not there.", None)
    last = await talk.mock.newest()
    assert last.calls == [Call("call_canary_nothing", "get_lost", "{}")]
    assert "error" in json.loads(last.outputs["call_canary_nothing"])


async def test_a_conversation_goes_on_after_calls(talk: Talk) -> None:
    await talk.say("weather in Paris and Rome")
    answer = await talk.say("good morning")

    assert answer.text == "Good morning from abroad."
    last = await talk.mock.newest()
    assert [message["role"] for message in last.messages if message["role"] != "assistant"] == [
        "user",
        "tool",
        "tool",
        "user",
    ]
    assert [call.call_id for call in last.calls] == list(last.outputs)
    assert last.said[1:] == [
        ("assistant", "Paris has 21 °C, and Rome counts in other degrees."),
        ("user", "good morning"),
    ]


@pytest.mark.parametrize("case", STREAMED, ids=str)
async def test_a_tool_has_run_once_where_the_line_is_cut_behind_it(talk: Talk) -> None:
    answer = await talk.say("weather in Bern, and no more")
    again = await talk.say("good morning")

    talk.check_error(
        answer,
        502,
        "The connection to the assistant was lost before the answer was complete. Please try again.",
    )
    assert again.text == "Good morning from abroad."
    last = await talk.mock.newest()
    assert [call.call_id for call in last.calls] == list(last.outputs) == ["call_canary_bern"]
    assert json.loads(last.outputs["call_canary_bern"])["location"] == "Bern"
    assert [role for role, _ in last.said] == ["user", "assistant", "user"]
    assert last.said[1][1].startswith("The beginning")

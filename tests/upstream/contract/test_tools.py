"""The contract: every call gets its output, whatever becomes of the turn."""

import pytest
from msgspec.structs import replace

from deep_chat_proxy.turn.events import Completed
from upstream.contract.cases import Case
from upstream.contract.talk import Make, Talk


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("weather in Paris", ["Paris"]),
        ("weather in Paris and Rome", ["Paris", "Rome"]),
        ("weather in Paris then in Rome and Oslo", ["Paris", "Rome", "Oslo"]),
    ],
)
async def test_calls_are_made_in_rounds_and_their_outputs_answered(
    talk: Talk, text: str, places: list[str]
) -> None:
    answer = await talk.say(text)

    assert answer.end == Completed()
    assert [f'"{place}"' in call.arguments for place, call in zip(places, answer.tools.calls, strict=True)]
    assert all(place in answer.text for place in places)
    assert talk.active() == []


async def test_a_conversation_goes_on_after_calls(talk: Talk) -> None:
    await talk.say("my name is Ada")
    await talk.say("weather in Paris then in Rome")

    assert (await talk.say("what is my name?")).text == "Your name is Ada."


async def test_calls_with_nonsense_are_answered_too(talk: Talk) -> None:
    answer = await talk.say("call ponder and call get_weather")

    assert answer.end == Completed()
    assert [call.name for call in answer.tools.calls] == ["ponder", "get_weather"]


async def test_a_tool_that_needs_an_approval_is_declined_and_the_answer_goes_on(
    make: Make, case: Case
) -> None:
    if case.dialect != "responses":
        return
    talk = await make(case)
    mcp = {"type": "mcp", "server_label": "dice", "server_url": "https://mcp.example.org/"}
    talk.dialect._server.options = replace(
        talk.dialect._server.options, hosted=({**mcp, "require_approval": "always"},)
    )
    answer = await talk.say("use the mcp server")

    assert answer.text == "Without your approval I do not use `roll_dice` of `dice`."
    assert answer.end == Completed()
    assert (await talk.say("hello")).end == Completed()

"""The contract: a turn that is cut at any event leaves a thread on which the next message is answered."""

import pytest

from deep_chat_proxy.turn.events import Completed
from upstream.contract.cases import Case
from upstream.contract.talk import Make, Talk

TURNS = [
    "count to 8",
    "weather in Paris then in Rome",
    "think hard, then hello",
    "make a csv",
    "draw a chart",
]


@pytest.mark.parametrize("text", TURNS)
async def test_the_next_message_is_answered_wherever_a_turn_was_cut(
    make: Make, case: Case, text: str
) -> None:
    talk = await make(case)
    await talk.say("my name is Ada")
    after, seen = 0, 0
    while seen == after:
        after += 1
        seen = await talk.cut(text, after)
        assert talk.active() == [], after
        answer = await talk.say("what is my name?")

        assert (answer.text, answer.end) == ("Your name is Ada.", Completed()), after
    assert after > 3


@pytest.mark.parametrize(
    "text", ["fail", "fail at once", "error event", "say nothing", "http 500", "no quota"]
)
async def test_the_next_message_is_answered_after_a_failure(talk: Talk, text: str) -> None:
    await talk.say("my name is Ada")
    assert (await talk.say(text)).problem is not None

    assert talk.active() == []
    assert (await talk.say("what is my name?")).text == "Your name is Ada."


async def test_what_was_said_before_a_cut_stays_in_the_conversation(talk: Talk) -> None:
    await talk.cut("count to 8", 4)

    assert "2 messages of yours" in (await talk.say("how many messages?")).text


async def test_a_message_that_failed_and_is_sent_again_is_there_once(talk: Talk) -> None:
    await talk.say("hello")
    await talk.say("fail at once")
    count = await talk.say("how many messages?")

    # Assistants keep a message whose run failed; everywhere else it was never said.
    assert f"{3 if talk.dialect.name == 'assistants' else 2} messages of yours" in count.text


async def test_calls_of_a_process_that_was_killed_are_answered(talk: Talk) -> None:
    await talk.say("my name is Ada")
    killed = talk.turn("weather in Paris")
    async for _ in killed.start():
        pass
    # Nothing is closed, and nothing more is written.
    answer = await talk.say("what is my name?")

    assert answer.text == "Your name is Ada."
    await killed.close()

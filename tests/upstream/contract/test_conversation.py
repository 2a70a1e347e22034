"""The contract: a conversation goes on, whoever keeps it."""

import pytest

from deep_chat_proxy.turn.events import Completed, Cut
from upstream.contract.talk import Talk
from upstream.contract.validating import ValidatingClient


async def test_a_message_is_answered(talk: Talk) -> None:
    before = ValidatingClient.checked
    answer = await talk.say("hello")

    assert answer.text == "Hello! I am the **local assistant**. Write `help` to see what I can do."
    assert answer.end == Completed()
    assert not answer.said_anew
    assert talk.active() == []
    assert ValidatingClient.checked > before or talk.state.options.sequence_numbers is False


async def test_a_conversation_goes_on_in_its_thread(talk: Talk) -> None:
    await talk.say("my name is Ada")
    again = await talk.say("what is my name?")
    first = await talk.say("what did I say first?")
    count = await talk.say("how many messages?")

    assert again.text == "Your name is Ada."
    assert "my name is Ada" in first.text
    assert "4 messages of yours" in count.text


@pytest.mark.parametrize(
    "text",
    ["show markdown", "unicode", "count to 20", "two messages", "refuse", "think hard, then hello"],
)
async def test_every_form_of_text_arrives_whole_and_once(talk: Talk, text: str) -> None:
    answer = await talk.say(text)

    assert answer.end == Completed()
    assert answer.text
    assert not answer.said_anew
    assert answer.text.count(answer.text[:12]) == 1
    assert "\n\n\n" not in answer.text


async def test_two_messages_stand_apart(talk: Talk) -> None:
    assert (await talk.say("two messages")).text == (
        "This is the first message.\n\nAnd this is the second one."
    )


async def test_a_refusal_is_text(talk: Talk) -> None:
    assert (await talk.say("refuse")).text == "I am sorry, but I cannot help with that."


@pytest.mark.parametrize(
    ("text", "cut"), [("stop short", Cut.LENGTH), ("content filter", Cut.CONTENT_FILTER)]
)
async def test_a_cut_answer_says_why_and_the_conversation_goes_on(talk: Talk, text: str, cut: Cut) -> None:
    answer = await talk.say(text)

    assert answer.end == Completed(cut)
    assert answer.text.startswith("This is the beginning")
    assert (await talk.say("hello")).end == Completed()

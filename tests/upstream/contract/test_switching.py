"""The contract: a thread that began in one dialect gets a clear answer in every other one."""

import itertools

import pytest

from deep_chat_proxy.turn.events import Completed, FileKind
from deep_chat_proxy.upstream.notices import THREAD_ELSEWHERE, THREAD_LOST
from upstream.contract.cases import CASES, Case
from upstream.contract.talk import Make
from upstream.pictures import png

BY_NAME = {case.name: case for case in CASES}
STREAMED = [case for case in CASES if case.streams]
PAIRS = [
    pytest.param(one, other, id=f"{one.name} to {other.name}")
    for one, other in itertools.permutations(STREAMED, 2)
]
# Here we have all that was said, whatever the back end keeps.
OURS = ("responses-chain-stream", "responses-history-stream", "responses-bare-stream", "chat-stream")


@pytest.mark.parametrize(("one", "other"), PAIRS)
async def test_a_thread_goes_on_where_what_was_said_is_ours_and_begins_anew_elsewhere(
    make: Make, one: Case, other: Case
) -> None:
    before = await make(one)
    await before.say("my name is Ada")
    await before.say("weather in Paris")
    after = await make(other, before)
    answer = await after.say("what is my name?")
    again = await after.say("hello")

    if one.name in OURS:
        assert answer.text == "Your name is Ada."
    else:
        assert answer.text == f"{THREAD_ELSEWHERE}\n\nYou have not told me your name."
    assert (answer.end, again.end) == (Completed(), Completed())
    assert THREAD_ELSEWHERE not in again.text


@pytest.mark.parametrize("name", OURS)
async def test_a_thread_that_went_on_elsewhere_can_come_back(make: Make, name: str) -> None:
    there = await make(BY_NAME[name])
    await there.say("my name is Ada")
    elsewhere = await make(BY_NAME["chat-stream"], there)
    await elsewhere.say("hello")
    back = there.at(there.dialect)

    assert (await back.say("what is my name?")).text == "Your name is Ada."
    assert "4 messages of yours" in (await back.say("how many messages?")).text


@pytest.mark.parametrize("case", STREAMED, ids=lambda case: case.name)
async def test_a_back_end_of_the_same_kind_that_knows_nothing_of_the_thread(make: Make, case: Case) -> None:
    before = await make(case)
    await before.say("my name is Ada")
    after = await make(case, before)
    answer = await after.say("what is my name?")
    again = await after.say("hello")

    if case.name in OURS:
        assert answer.text == "Your name is Ada."
    else:
        assert answer.text == f"{THREAD_LOST}\n\nYou have not told me your name."
    assert (answer.end, again.end) == (Completed(), Completed())


async def test_an_image_goes_along_to_another_back_end(make: Make) -> None:
    before = await make(BY_NAME["chat-stream"])
    await before.say("look", before.file("p.png", png(3, 2), "image/png", FileKind.IMAGE))
    after = await make(BY_NAME["responses-conversation-stream"], before)

    assert "3 x 2 pixels" in (await after.say("what is in the picture?")).text


@pytest.mark.parametrize("case", STREAMED, ids=lambda case: case.name)
async def test_a_visitor_is_told_of_the_new_beginning_also_where_the_first_message_is_refused(
    make: Make, case: Case
) -> None:
    other = "assistants-stream" if case.dialect != "assistants" else "responses-conversation-stream"
    before = await make(BY_NAME[other])
    await before.say("my name is Ada")
    after = await make(case, before)
    refused = await after.say("http 400")
    answer = await after.say("hello")

    assert refused.problem is not None
    assert answer.text.startswith(THREAD_ELSEWHERE)
    assert len(after.state.conversations) == (case.name == "responses-conversation-stream")

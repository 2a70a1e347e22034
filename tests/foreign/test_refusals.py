"""What aimock refuses is tried again where that may help, and is told as an error where it does not."""

import pytest
import stamina

from foreign.talk import STREAMED, Case, Talk, talking

TOO_MANY = "The assistant is getting too many requests. Please try again in a moment."


@pytest.mark.parametrize("case", [case for case in STREAMED if case.stream], ids=str)
async def test_a_short_wait_is_waited_for_and_the_message_answered(talk: Talk) -> None:
    answer = await talk.say("too much for a second")

    assert (answer.status, answer.error, answer.text) == (200, None, "Now there is room.")
    refused, taken = await talk.mock.requests()
    assert (refused.status, taken.status) == (429, 200)
    assert taken.body == refused.body
    assert taken.at - refused.at >= 1000


async def test_a_long_wait_is_told_to_the_visitor_who_can_try_again(talk: Talk) -> None:
    refused = await talk.say("too much for half a minute")
    again = await talk.say("too much for half a minute")

    assert (refused.status, refused.error) == (429, TOO_MANY)
    assert refused.headers["Retry-After"] == "30"
    assert again.text == "Now there is room."
    requests = await talk.mock.requests()
    assert [request.status for request in requests] == [429, 200]
    assert requests[-1].said == [("user", "too much for half a minute")]


async def test_a_limit_that_stays_is_told_after_a_few_tries(talk: Talk) -> None:
    await talk.mock.make_chaos("rateLimitRate")
    with stamina.set_testing(True, attempts=2):
        refused = await talk.say("good morning")
    await talk.mock.end_chaos()
    again = await talk.say("good morning")

    assert (refused.status, refused.error) == (429, TOO_MANY)
    assert refused.headers["Retry-After"] == "1"
    assert again.text == "Good morning from abroad."
    assert [request.status for request in await talk.mock.requests()] == [429, 429, 200]


async def test_a_quota_that_is_used_up_is_not_tried_again(talk: Talk) -> None:
    answer = await talk.say("nothing is left")

    assert (answer.status, answer.error) == (
        503,
        "The chat service has used up its quota. Please tell the site's owner.",
    )
    assert [request.status for request in await talk.mock.requests()] == [429]


async def test_a_failure_is_not_tried_again_since_the_message_may_have_been_taken(talk: Talk) -> None:
    await talk.mock.make_chaos("dropRate")
    answer = await talk.say("good morning")
    await talk.mock.end_chaos()
    again = await talk.say("good morning")

    assert (answer.status, answer.error) == (502, "The assistant ran into an error. Please try again.")
    assert again.text == "Good morning from abroad."
    assert [request.status for request in await talk.mock.requests()] == [500, 200]


async def test_a_key_that_is_refused_is_told_to_nobody(
    aimock: str, case: Case, request: pytest.FixtureRequest
) -> None:
    async with talking(aimock, case, request.node.nodeid, openai_api_key="sk-canary-of-nobody") as talk:
        answer = await talk.say("good morning")

        assert await talk.mock.requests() == []

    sentence = (
        "The chat service is not set up correctly (its access was refused). Please tell the site's owner."
    )
    assert (answer.status, answer.error) == (502, sentence)

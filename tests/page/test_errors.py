"""The shipped page: what the visitor sees when something goes wrong, and that the chat goes on after it."""

from collections.abc import Iterator

import pytest
import stamina
from playwright.async_api import expect

from page.chat_page import ChatPage
from page.dialects import in_every_dialect, in_every_dialect_and
from page.served import ServedSite

pytestmark = [pytest.mark.page, pytest.mark.asyncio(loop_scope="session")]

REFUSED = "The chat service is not set up correctly (its access was refused). Please tell the site's owner."
FAILED = "The assistant ran into an error. Please try again."
REFUSALS = {
    "http 401": REFUSED,
    "http 429": "The assistant is getting too many requests. Please try again in a moment.",
    "http 500": FAILED,
    "no quota": "The chat service has used up its quota. Please tell the site's owner.",
}
BEGINNING = "This is the beginning of an answer that will not come to its end."
UNREACHABLE = "The server cannot be reached just now. Please check the connection and try again."
TRYING = "The connection was lost. Trying again…"
MODES = ("Stream", "JSON")


async def test_an_error_in_the_place_of_a_whole_answer_is_shown_as_a_sentence(chat: ChatPage) -> None:
    await chat.choose_mode("JSON")
    await chat.send("http 401")
    await chat.ended()

    await expect(chat.errors).to_have_text([REFUSED])
    await expect(chat.answers).to_have_count(0)
    assert await chat.count() == 1


@pytest.fixture
def _no_waits_between_tries() -> Iterator[None]:
    with stamina.set_testing(True, attempts=2):
        yield


@in_every_dialect
@pytest.mark.usefixtures("_no_waits_between_tries")
async def test_whatever_the_back_end_refuses_is_shown_as_a_sentence_of_its_own(chat: ChatPage) -> None:
    for text in REFUSALS:
        await chat.send(text)
        await chat.ended()

    await expect(chat.errors).to_have_text(list(REFUSALS.values()))
    await expect(chat.answers).to_have_count(0)
    assert await chat.count() == 1


@in_every_dialect
async def test_an_error_in_the_middle_of_a_stream_stands_below_the_text_so_far_and_the_thread_goes_on(
    chat: ChatPage, site: ServedSite
) -> None:
    await chat.say("my name is Ada")
    await chat.send("fail")
    await chat.ended()

    bubbles = chat.page.locator(".message-bubble")
    await expect(bubbles).to_have_text(
        ["my name is Ada", "Nice to meet you, Ada!", "fail", BEGINNING, FAILED]
    )
    await expect(chat.errors).to_have_text([FAILED])
    assert await chat.say("what is my name?") == "Your name is Ada."
    assert site.threads() == 1


async def test_an_error_before_the_first_word_of_a_stream_leaves_nothing_that_says_it_goes_on(
    chat: ChatPage,
) -> None:
    await chat.send("fail at once")
    await chat.ended()

    await expect(chat.page.locator(".message-bubble")).to_have_text(["fail at once", "No answer.", FAILED])


@in_every_dialect_and("mode", "Simulated", "JSON")
async def test_a_failed_answer_is_shown_as_a_sentence_where_answers_come_whole(
    chat: ChatPage, mode: str
) -> None:
    await chat.choose_mode(mode)
    await chat.send("fail")
    await chat.ended()

    await expect(chat.errors).to_have_text([FAILED])


async def lose(chat: ChatPage, site: ServedSite) -> None:
    """Break the connection of the answer, let no other be made, and wait until the page tries no more."""
    await chat.page.route("**/api/chat/resume*", lambda route: route.abort())
    await chat.page.clock.install()
    site.cut()
    await expect(chat.status).to_have_text(TRYING)
    await expect(chat.errors).to_have_count(1)
    while await chat.status.inner_text() == TRYING:
        await chat.page.clock.fast_forward(8000)
    await chat.ended()
    await expect(chat.status).to_have_text(UNREACHABLE)
    await expect(chat.errors).to_have_count(1)


async def test_the_text_so_far_is_kept_when_the_server_is_lost(chat: ChatPage, site: ServedSite) -> None:
    await chat.say("my name is Ada")
    await chat.send("slowly count to 100")
    await chat.saw_text("1 2")
    await lose(chat, site)

    assert (await chat.text()).startswith("1 2")
    assert await chat.say("what is my name?") == "Your name is Ada."
    assert site.endings() == ["completed", "cancelled", "completed"]


async def test_an_answer_that_is_lost_before_its_first_word_does_not_go_on_thinking(
    chat: ChatPage, site: ServedSite
) -> None:
    await chat.send("hang")
    await expect(chat.answer).to_have_text("Thinking…")
    await lose(chat, site)
    assert await chat.texts() == ["No answer."]

    assert (await chat.say("hello")).startswith("Hello again!")
    await chat.page.reload()
    await expect(chat.answers).to_have_count(2)
    # Nobody was there any more, so the server has stopped it.
    assert (await chat.texts())[0] == "Stopped."


async def test_a_server_that_is_not_found_again_can_be_given_up(chat: ChatPage, site: ServedSite) -> None:
    await chat.send("slowly count to 100")
    await chat.saw_text("1 2")
    await chat.page.context.set_offline(True)
    site.cut()
    await expect(chat.status).to_have_text(TRYING)
    await chat.page.get_by_role("button", name="Stop").click()
    await chat.ended()
    await chat.page.context.set_offline(False)

    assert await chat.count() == 2
    assert site.endings() == ["cancelled", "completed"]


async def test_a_server_that_cannot_be_reached_is_named_and_the_message_can_be_sent_again(
    chat: ChatPage,
) -> None:
    await chat.page.context.set_offline(True)
    await chat.send("hello")
    await chat.ended()
    await expect(chat.errors).to_have_text([UNREACHABLE])
    await chat.page.context.set_offline(False)
    assert (await chat.say("hello")).startswith("Hello!")

    await chat.page.context.set_offline(True)
    await chat.send("hello")
    await expect(chat.status).to_have_text(TRYING)
    await chat.page.context.set_offline(False)
    await expect(chat.status).to_have_text(UNREACHABLE)
    await chat.ended()
    assert (await chat.say("hello")).startswith("Hello again!")
    await expect(chat.status).to_have_text("")


@in_every_dialect_and("mode", *MODES)
async def test_an_answer_that_was_cut_short_says_so(chat: ChatPage, mode: str) -> None:
    await chat.choose_mode(mode)

    assert await chat.say("stop short") == (
        f"{BEGINNING}\n\nThe answer was cut short because it reached its longest length."
    )

"""The shipped page: what the visitor sees when something goes wrong, and that the chat goes on after it."""

import pytest
from playwright.async_api import expect

from page.chat_page import ChatPage
from page.served import ServedSite

pytestmark = [pytest.mark.page, pytest.mark.asyncio(loop_scope="session")]

REFUSED = "The chat service is not set up correctly (its access was refused). Please tell the site's owner."
FAILED = "The assistant ran into an error. Please try again."
BEGINNING = "This is the beginning of an answer that will not come to its end."
UNREACHABLE = "The server cannot be reached just now. Please check the connection and try again."
MODES = ("Stream", "JSON")


@pytest.mark.parametrize("mode", MODES)
async def test_an_error_before_the_answer_is_shown_as_a_sentence(chat: ChatPage, mode: str) -> None:
    await chat.choose_mode(mode)
    await chat.send("http 401")
    await chat.ended()

    await expect(chat.errors).to_have_text([REFUSED])
    await expect(chat.answers).to_have_count(0)
    assert await chat.count() == 1


async def test_an_error_in_the_middle_of_a_stream_stands_below_the_text_so_far(chat: ChatPage) -> None:
    await chat.send("fail")
    await chat.ended()

    bubbles = chat.page.locator(".message-bubble")
    await expect(bubbles).to_have_text(["fail", BEGINNING, FAILED])
    await expect(chat.errors).to_have_text([FAILED])


async def test_an_error_before_the_first_word_of_a_stream_leaves_nothing_that_says_it_goes_on(
    chat: ChatPage,
) -> None:
    await chat.send("fail at once")
    await chat.ended()

    await expect(chat.page.locator(".message-bubble")).to_have_text(["fail at once", "No answer.", FAILED])


@pytest.mark.parametrize("mode", ["Simulated", "JSON"])
async def test_a_failed_run_is_shown_as_a_sentence_where_answers_come_whole(
    chat: ChatPage, mode: str
) -> None:
    await chat.choose_mode(mode)
    await chat.send("fail")
    await chat.ended()

    await expect(chat.errors).to_have_text([FAILED])


async def test_the_same_thread_goes_on_after_an_error(chat: ChatPage, site: ServedSite) -> None:
    await chat.say("my name is Ada")
    await chat.send("fail")
    await chat.ended()

    assert await chat.say("what is my name?") == "Your name is Ada."
    assert len(site.state.threads) == 1


async def test_the_text_so_far_is_kept_when_the_connection_is_cut(chat: ChatPage, site: ServedSite) -> None:
    await chat.say("my name is Ada")
    await chat.send("slowly count to 100")
    await chat.saw_text("1 2")
    site.cut()
    await chat.ended()

    assert (await chat.text()).startswith("1 2")
    await expect(chat.errors).to_have_count(1)
    await expect(chat.status).to_have_text(UNREACHABLE)
    assert await chat.say("what is my name?") == "Your name is Ada."
    assert [run.status for run in site.runs()] == ["completed", "cancelled", "completed"]


async def test_an_answer_that_is_lost_before_its_first_word_does_not_go_on_thinking(
    chat: ChatPage, site: ServedSite
) -> None:
    await chat.send("hang")
    await expect(chat.answer).to_have_text("Thinking…")
    site.cut()
    await chat.ended()
    assert await chat.texts() == ["No answer."]
    await expect(chat.errors).to_have_count(1)

    assert (await chat.say("hello")).startswith("Hello again!")
    await chat.page.reload()
    await expect(chat.answers).to_have_count(2)
    assert (await chat.texts())[0] == "No answer."


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
    await chat.ended()
    await expect(chat.status).to_have_text(UNREACHABLE)
    await chat.page.context.set_offline(False)
    assert (await chat.say("hello")).startswith("Hello again!")
    await expect(chat.status).to_have_text("")


@pytest.mark.parametrize("mode", MODES)
async def test_an_answer_that_was_cut_short_says_so(chat: ChatPage, mode: str) -> None:
    await chat.choose_mode(mode)

    assert await chat.say("stop short") == (
        f"{BEGINNING}\n\nThe answer was cut short because it reached its longest length."
    )

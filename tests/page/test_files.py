"""The shipped page: files to the assistant, and files from it."""

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import expect

from page.attachments import CSV, PDF, PICTURE, PICTURE_SAID
from page.chat_page import ChatPage
from page.dialects import ASSISTANTS, COMPLETIONS, RESPONSES, in_every_dialect, in_every_dialect_and
from page.served import ServedSite

pytestmark = [pytest.mark.page, pytest.mark.asyncio(loop_scope="session")]

NO_TOOL = "I can make files only with the code interpreter, and this run does not have it."
CITIES = b"city,celsius\r\nParis,21\r\nRome,27\r\nOslo,14\r\nTokyo,25\r\nLima,18\r\n"
WITH_CODE = (ASSISTANTS, RESPONSES)


@in_every_dialect_and("mode", "Stream", "JSON")
async def test_a_picture_is_shown_and_reaches_the_assistant(chat: ChatPage, mode: str) -> None:
    await chat.choose_mode(mode)
    await chat.attach(PICTURE, menu="Images")

    assert await chat.say("what is in this picture?") == PICTURE_SAID
    await expect(chat.mine.locator("img")).to_be_visible()


@in_every_dialect
async def test_a_pdf_and_a_csv_reach_the_assistant_with_the_question(
    chat: ChatPage, site: ServedSite
) -> None:
    await chat.say("hello")
    await chat.attach(PDF, CSV)
    answer = await chat.say("what is in these files?")

    assert answer.startswith("You gave me 2 files:")
    assert "report.pdf (79 bytes) says: “Quarterly report”" in answer
    assert "cities.csv (24 bytes) says: “city,celsius Paris,21”" in answer
    # Chat Completions has no place for files, so they go along with each message.
    kept = set() if site.dialect == COMPLETIONS else {"report.pdf", "cities.csv"}
    assert {kept.file.filename for kept in site.state.files.values()} == kept


async def test_a_file_can_be_sent_without_a_word(chat: ChatPage) -> None:
    await chat.attach(CSV)
    await chat.send_files()
    await chat.ended()

    assert await chat.text() == "cities.csv (24 bytes) says: “city,celsius Paris,21”"


@pytest.mark.parametrize(
    ("name", "beginning", "words"),
    [
        ("setup.exe", b"MZ\x90\x00", '"setup.exe" is of a kind that cannot be sent'),
        ("log.txt", b"text", '"log.txt" is too large: a file can have at most 32 MB.'),
    ],
)
async def test_a_file_that_is_refused_while_it_is_uploaded_is_shown_as_that(
    chat: ChatPage, name: str, beginning: bytes, words: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    await asyncio.to_thread(path.write_bytes, beginning + b"a" * 40 * 2**20)
    await chat.attach_from(path)
    await chat.send_files()

    await expect(chat.errors).to_contain_text([words])
    # Deep Chat keeps a file that was not taken, for the next message.
    await chat.page.locator(".remove-file-attachment-button").click()
    assert await chat.count() == 1


@in_every_dialect
async def test_the_thread_goes_on_before_with_and_after_a_file(chat: ChatPage, site: ServedSite) -> None:
    await chat.say("my name is Ada")
    await chat.attach(CSV)
    assert await chat.say("and this file?") == "cities.csv (24 bytes) says: “city,celsius Paris,21”"

    assert await chat.say("what is my name?") == "Your name is Ada."
    assert site.threads() == 1


async def test_a_file_that_was_removed_again_is_not_sent(chat: ChatPage) -> None:
    await chat.attach(CSV)
    await chat.page.locator(".remove-file-attachment-button").click()

    assert await chat.count() == 1
    assert chat.posts()[0].headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("dialect", "mode"), [(ASSISTANTS, "Stream"), (ASSISTANTS, "JSON"), (RESPONSES, "Stream")]
)
async def test_a_file_that_the_assistant_made_is_saved_by_a_click(chat: ChatPage, mode: str) -> None:
    await chat.choose_mode(mode)
    await chat.say("make a csv")

    assert await chat.download("cities.csv") == CITIES


async def test_a_made_file_is_still_saved_by_a_click_after_a_reload(chat: ChatPage) -> None:
    await chat.say("make a csv")
    await chat.page.reload()

    assert await chat.download("cities.csv") == CITIES


@pytest.mark.parametrize("dialect", WITH_CODE)
async def test_a_picture_that_the_assistant_made_is_shown(chat: ChatPage) -> None:
    await chat.say("draw a chart")

    picture = chat.files.locator("img")
    await expect(picture).to_be_visible()
    assert await picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 320


@pytest.mark.parametrize("dialect", [COMPLETIONS])
async def test_without_a_code_interpreter_the_assistant_says_that_it_makes_no_files(chat: ChatPage) -> None:
    assert await chat.say("make a csv") == NO_TOOL
    assert await chat.say("draw a chart") == NO_TOOL
    await expect(chat.files).to_have_count(0)


async def test_a_photo_taken_with_the_camera_reaches_the_assistant(chat: ChatPage) -> None:
    await chat.page.locator(".dropup-button").click()
    await chat.page.locator(".dropup-menu-item", has_text="Camera").click()
    await expect(chat.page.locator(".camera-modal-canvas")).to_have_js_property("width", 640)
    await chat.page.get_by_role("button", name="Take or retake the photo").click()
    await chat.page.get_by_role("button", name="Use the photo").click()
    await expect(chat.page.locator(".file-attachment")).to_have_count(1)

    assert (await chat.say("what is in this picture?")).startswith("This is a PNG picture of")


async def test_nothing_of_a_conversation_with_files_leaves_the_origin_or_breaks_the_policy(
    chat: ChatPage, site: ServedSite
) -> None:
    await chat.attach(PICTURE, menu="Images")
    await chat.say("what is in this picture?")
    await chat.attach(PDF, CSV)
    await chat.say("what is in these files?")
    for text in ("show markdown", "draw a chart", "make a csv", "weather in Paris and Tokyo"):
        await chat.say(text)
    for mode in ("Simulated", "JSON"):
        await chat.choose_mode(mode)
        await chat.attach(PICTURE, menu="Images")
        await chat.say("what is in this picture?")
    await chat.download("cities.csv")
    await chat.page.reload()
    await expect(chat.input).to_be_visible()

    foreign = [one.url for one in chat.requests if not one.url.startswith((site.url, "data:", "blob:"))]
    assert foreign == []
    assert chat.console == []

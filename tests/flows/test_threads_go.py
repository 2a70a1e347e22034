"""Threads that are deleted are gone at the back end too, with their files, in every protocol."""

import asyncio
from typing import Any

import pytest

from deep_chat_proxy.local_openai import LocalOptions
from flows.server import DIALECTS, FAST, HOSTED, Site, site
from flows.visitor import CSV, WAIT, SentFile, Visitor

PNG = SentFile("dot.png", b"\x89PNG\r\n\x1a\n" + bytes(64), "image/png")
STATES: dict[str, dict[str, Any]] = {
    "assistants": DIALECTS["assistants"],
    "conversation": {**DIALECTS["responses"], "thread_state": "conversation", "hosted_tools": HOSTED},
    "chain": {**DIALECTS["responses"], "thread_state": "chain", "upload_files": "always"},
}


def held(running: Site) -> list[object]:
    """What the back end has of anybody."""
    state = running.state
    return [*state.threads, *state.conversations, *state.responses, *state.files]


async def delete(visitor: Visitor, path: str) -> None:
    async with asyncio.timeout(WAIT), visitor.session.delete(visitor.url + path) as response:
        assert response.status == 200, await response.text()


async def nothing_left(running: Site) -> None:
    async with asyncio.timeout(WAIT):
        while held(running):  # noqa: ASYNC110 - the local OpenAI has no event for it
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("state", STATES)
async def test_nothing_of_a_thread_that_was_deleted_is_left_at_the_back_end(state: str) -> None:
    async with site(**STATES[state]) as running, running.visitor() as visitor:
        first = await visitor.say("my name is Ada", CSV, PNG)
        await visitor.say("weather in Paris", stream=True)
        assert first.status == 200
        assert held(running)

        await delete(visitor, f"/api/threads/{first.thread_id}")

        await nothing_left(running)


@pytest.mark.parametrize("state", STATES)
async def test_other_threads_stay_as_they_are(state: str) -> None:
    async with site(**STATES[state]) as running, running.visitor() as visitor:
        first = await visitor.say("my name is Ada", CSV)
        await visitor.post("/api/threads")
        other = await visitor.say("my name is Bob", CSV)
        await delete(visitor, f"/api/threads/{first.thread_id}")

        again = await visitor.say("what is my name?", thread_id=other.thread_id)

        assert again.text == "Your name is Bob."


@pytest.mark.parametrize("state", STATES)
async def test_a_turn_in_the_middle_leaves_nothing_either(state: str) -> None:
    options = LocalOptions(token_delay=0.02, poll_after_ms=5)
    async with site(options, **STATES[state]) as running, running.visitor() as visitor:
        async with visitor.saying("count to 200") as response:
            await response.content.readuntil(b"thread_id")
            listed = await visitor.get("/api/threads")
            (thread,) = listed.json["threads"]
            await delete(visitor, f"/api/threads/{thread['thread_id']}")
            await response.read()

        await nothing_left(running)


async def test_the_end_of_a_session_leaves_nothing() -> None:
    async with site(**STATES["conversation"]) as running, running.visitor() as visitor:
        for name in ("Ada", "Bob"):
            await visitor.say(f"my name is {name}", CSV)
            await visitor.post("/api/threads")

        await delete(visitor, "/api/session")

        await nothing_left(running)
        assert (await visitor.get("/api/threads")).json["threads"] == []


async def test_a_file_that_is_sent_again_on_its_thread_is_stored_once() -> None:
    async with site(FAST, **STATES["assistants"]) as running, running.visitor() as visitor:
        await visitor.say("look", CSV)
        answer = await visitor.say("and again", CSV)

        assert "cities.csv" in answer.text
        assert len(running.state.files) == 1


async def test_a_message_that_failed_is_sent_again_without_its_files_being_stored_again() -> None:
    async with site(FAST, **STATES["assistants"]) as running, running.visitor() as visitor:
        failed = await visitor.say("no quota", CSV)
        stored = list(running.state.files)
        again = await visitor.say("and this file?", CSV)

        assert failed.status == 503
        assert len(stored) == 1
        assert again.text.startswith("**cities.csv**")
        assert list(running.state.files) == stored


async def test_files_of_a_message_that_failed_go_when_nobody_sent_it_again() -> None:
    async with site(FAST, spare_files=0.0, **STATES["assistants"]) as running, running.visitor() as visitor:
        failed = await visitor.say("no quota", CSV)

        await running.quiet()
        assert failed.status == 503
        assert not running.state.files

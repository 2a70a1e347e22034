"""A server whose protocol is another after a restart: old threads get a clear answer, never an error page."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import aiohttp

from deep_chat_proxy.upstream.notices import THREAD_ELSEWHERE
from flows.process import server
from flows.server import back_end
from flows.visitor import Answer, Visitor

MODEL = {"DEEP_CHAT_MODEL": "local-1"}
RUNS: dict[str, dict[str, str]] = {
    "chat": {"DEEP_CHAT_UPSTREAM": "chat", **MODEL},
    "chain": {"DEEP_CHAT_THREAD_STATE": "chain", **MODEL},
    "history": {"DEEP_CHAT_THREAD_STATE": "history", **MODEL},
    "conversation": {"DEEP_CHAT_THREAD_STATE": "conversation", **MODEL},
    "assistants": {"DEEP_CHAT_UPSTREAM": "assistants", "DEEP_CHAT_ASSISTANT_ID": "asst_local"},
}
# In these the store has all that was said.
OURS = {"chat", "chain", "history"}


async def talk_through(order: Sequence[str], folder: Path) -> list[Answer]:
    """One visitor asks for their name in one run of the server after the other; nothing but the store stays."""
    jar: aiohttp.CookieJar | None = None
    answers: list[Answer] = []
    async with back_end() as (base_url, _):
        for name in order:
            settings = {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": "any", **RUNS[name]}
            async with server(folder, **settings) as running, Visitor.at(running.url, jar) as visitor:
                if jar is None:
                    await visitor.say("my name is Ada", stream=True)
                answers.append(await visitor.say("what is my name?", stream=len(answers) % 2 == 0))
                await visitor.say("hello")
                jar = visitor.jar
                assert await running.end() == 0
                running.check_log()
    return answers


async def test_a_thread_that_the_store_holds_goes_on_in_every_protocol(tmp_path: Path) -> None:
    answers = await talk_through(["chat", "history", "chain", "chat", "chain", "conversation"], tmp_path)

    assert [(answer.status, answer.text) for answer in answers] == [(200, "Your name is Ada.")] * len(answers)
    assert len({answer.thread_id for answer in answers}) == 1


async def test_a_thread_that_a_back_end_held_begins_anew_with_a_sentence_elsewhere(tmp_path: Path) -> None:
    order = ["assistants", "conversation", "chat", "assistants", "history", "assistants", "assistants"]
    answers = await talk_through(order, tmp_path)

    assert {answer.status for answer in answers} == {200}
    assert len({answer.thread_id for answer in answers}) == 1
    lost = [THREAD_ELSEWHERE in answer.text for answer in answers[1:]]
    assert lost == [one not in OURS and one != other for one, other in pairwise(order)]

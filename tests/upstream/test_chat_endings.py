"""How completions end: cut off, silent, with errors in their middle; and requests that are refused."""

from typing import Any

import aiohttp
import pytest

from deep_chat_proxy.errors import (
    CONTEXT_TOO_LONG,
    CUT_OFF,
    EMPTY_ANSWER,
    FAILED,
    NO_QUOTA,
    OVERLOADED,
    RATE_LIMITED,
    REJECTED,
    TIMED_OUT,
    Problem,
)
from deep_chat_proxy.turn.events import Completed, Failed, ToolCall
from deep_chat_proxy.turn.transcript import AnchorKind, AssistantSaid, CallsMade, UserSaid
from deep_chat_proxy.upstream.chat_completions.dialect import ChatDialect
from deep_chat_proxy.upstream.notices import THREAD_ELSEWHERE
from upstream import chat_recording as rec
from upstream.backend import Answer, Body, Json, ScriptedBackend, client_of
from upstream.chat_recording import (
    NEW,
    PARIS,
    ROME,
    assert_whole,
    assistant,
    dialect_of,
    sent,
    streams,
    user,
)
from upstream.saying import RememberingThread, say

WHOLE = rec.text_answer()
REASON = len(WHOLE) - 1
"""So many chunks are whole up to the one that says how the answer ended."""
HI = streams(*rec.said("Hi!"))


@pytest.fixture
def dialect(backend: ScriptedBackend, session: aiohttp.ClientSession) -> ChatDialect:
    """The dialect in front of the scripted back end."""
    return dialect_of(client_of(session, backend.base_url, silence=0.1, first=0.1, max_event=50_000))


def said_until(count: int) -> str:
    return "".join(
        choice["delta"].get("content", "") for chunk in WHOLE[:count] for choice in chunk["choices"]
    )


@pytest.mark.parametrize("end", ["cut", "close"])
async def test_a_stream_that_is_cut_before_its_end_leaves_the_text_so_far(
    backend: ScriptedBackend, dialect: ChatDialect, end: str
) -> None:
    for count in range(REASON):
        backend.on(NEW, streams(*WHOLE[:count], end=end, done=False))
        thread = RememberingThread()

        answer = await say(dialect, thread=thread)

        said = said_until(count)
        assert (count, answer.text, answer.problem) == (count, said, CUT_OFF)
        assert thread.entries == ([UserSaid("Hello"), AssistantSaid(said)] if said else [])


@pytest.mark.parametrize("end", ["cut", "reset", "stall"])
@pytest.mark.parametrize("done", [True, False])
async def test_a_connection_that_is_lost_after_the_end_of_an_answer_does_no_harm(
    backend: ScriptedBackend, dialect: ChatDialect, end: str, done: bool
) -> None:
    backend.on(NEW, Body((rec.stream(WHOLE[:REASON]), rec.DONE if done else b""), end=end))

    assert_whole(await say(dialect))


async def test_an_end_without_a_word_before_it_is_an_error(
    backend: ScriptedBackend, dialect: ChatDialect
) -> None:
    for body, problem in (
        (rec.DONE, CUT_OFF),
        (b"", CUT_OFF),
        (b": hello\n\n", CUT_OFF),
        (rec.stream(rec.said()), EMPTY_ANSWER),
    ):
        backend.on(NEW, Body((body,)))
        answer = await say(dialect)
        assert (body, answer.problem) == (body, problem)


@pytest.mark.parametrize("count", [0, 1, 3])
async def test_a_back_end_that_falls_silent_has_taken_too_long(
    backend: ScriptedBackend, dialect: ChatDialect, count: int
) -> None:
    backend.on(NEW, streams(*WHOLE[:count], end="stall", done=False))

    answer = await say(dialect)

    assert (answer.text, answer.problem) == (said_until(count), TIMED_OUT)


ERRORS = [
    ({"error": {"message": "Oops", "type": "server_error", "code": None}}, FAILED),
    ({"error": {"message": "Slow down", "code": "rate_limit_exceeded"}}, RATE_LIMITED),
    ({"error": {"message": "You exceeded your current quota", "code": None}}, NO_QUOTA),
    ({"error": {"message": "Busy", "type": "server_is_overloaded"}, "choices": []}, OVERLOADED),
    ({"error": "Oops"}, FAILED),
    ({"error": {}}, FAILED),
    ({"error": {"message": ["Oops"], "code": 500}, "choices": [{"finish_reason": "error"}]}, FAILED),
]


@pytest.mark.parametrize(("data", "problem"), ERRORS)
@pytest.mark.parametrize("after", [b"", rec.DONE])
@pytest.mark.parametrize("named", [True, False])
async def test_an_error_in_the_middle_of_a_stream_ends_the_turn(
    backend: ScriptedBackend, dialect: ChatDialect, data: Any, problem: Problem, after: bytes, named: bool
) -> None:
    name = b"event: error\n" if named else b""
    backend.on(NEW, Body((rec.stream(WHOLE[:3]), name + rec.frame(data) + after)))
    thread = RememberingThread()

    answer = await say(dialect, thread=thread)

    assert answer.outcome == (said_until(3), Failed(problem))
    assert thread.entries == [UserSaid("Hello"), AssistantSaid(said_until(3))]


@pytest.mark.parametrize(
    "broken",
    [
        b'data: {"choices":[{"delta":{"content":"te\n\n',
        b'data: {"choices":[{"delta":{"content":5}}]}\n\n',
        b'data: {"choices":"none"}\n\n',
        b"data: oops\n\n",
        b'data: "\xff"\n\n',
        b'data: {"stars":"' + b"x" * 60_000 + b'"}\n\n',
    ],
)
async def test_a_chunk_that_cannot_be_read_ends_the_turn(
    backend: ScriptedBackend, dialect: ChatDialect, broken: bytes
) -> None:
    backend.on(NEW, Body((rec.stream(WHOLE[:3]) + broken + rec.stream(WHOLE[3:]),)))

    answer = await say(dialect)

    assert (answer.text, answer.problem) == (said_until(3), FAILED)


@pytest.mark.parametrize(
    "body", [b"<html>", b"", b"[]", b'{"error":"Unexpected endpoint or method."}', b"{}"]
)
async def test_an_answer_that_is_no_completion_is_an_error(
    backend: ScriptedBackend, dialect: ChatDialect, body: bytes
) -> None:
    backend.on(NEW, Body((body,), content_type="application/json"))

    assert (await say(dialect)).problem in {FAILED, EMPTY_ANSWER}


async def test_outputs_whose_stream_is_lost_leave_what_was_said_and_done(
    backend: ScriptedBackend, dialect: ChatDialect
) -> None:
    lost = streams(*rec.said("It is ", "sunny.")[:2], end="cut", done=False)
    backend.on(NEW, streams(*rec.called(PARIS, before="Let me see.")), lost)
    thread = RememberingThread()

    answer = await say(dialect, thread=thread)

    assert (answer.text, answer.problem) == ("Let me see.\n\nIt is ", CUT_OFF)
    assert [type(entry).__name__ for entry in thread.entries] == [
        *("UserSaid", "CallsMade", "OutputsGiven", "AssistantSaid")
    ]


@pytest.mark.parametrize("status", [400, 422])
async def test_the_usage_is_asked_for_no_more_where_that_is_refused(
    backend: ScriptedBackend, dialect: ChatDialect, status: int
) -> None:
    refusal = Json(rec.refused("Unrecognized request argument supplied: stream_options"), status)
    backend.on(NEW, refusal, streams(*rec.text_answer()))

    for _ in range(2):
        assert_whole(await say(dialect))
    assert ["stream_options" in seen.json for seen in backend.requests] == [True, False, False]


async def test_another_refusal_is_an_error_and_leaves_nothing(
    backend: ScriptedBackend, dialect: ChatDialect
) -> None:
    backend.on(NEW, Json(rec.refused("Invalid 'messages'."), 400))
    thread = RememberingThread()

    answer = await say(dialect, thread=thread)

    assert (answer.problem, answer.events, thread.entries) == (REJECTED, [], [])
    assert backend.lines == [NEW]


TOO_LONG = [
    rec.refused("Your input exceeds the context window.", "context_length_exceeded"),
    rec.refused("This model's maximum context length is 4096 tokens. However, you requested 5000."),
    # llama.cpp
    {
        "error": {
            "code": 400,
            "message": "request (4390 tokens) exceeds the available context size (4096 tokens), try increasing it",
            "type": "exceed_context_size_error",
            "n_prompt_tokens": 4390,
            "n_ctx": 4096,
        }
    },
]


def long_thread() -> RememberingThread:
    entries = [(UserSaid(f"{number} " + "x" * 400), AssistantSaid("y" * 400)) for number in range(16)]
    return RememberingThread(*(entry for pair in entries for entry in pair))


@pytest.mark.parametrize("refusal", TOO_LONG, ids=["openai", "vllm", "llama.cpp"])
@pytest.mark.parametrize("times", [1, 3])
async def test_less_and_less_of_the_history_is_sent_where_it_is_too_long(
    backend: ScriptedBackend, session: aiohttp.ClientSession, refusal: Any, times: int
) -> None:
    dialect = dialect_of(client_of(session, backend.base_url), instructions="Be nice.", history_tokens=4_000)
    backend.on(NEW, *[Json(refusal, 400)] * times, HI)
    thread = long_thread()

    answer = await say(dialect, thread=thread)

    assert answer.outcome == ("Hi!", Completed())
    lengths = [len(messages) for messages in sent(backend)]
    assert lengths == sorted(set(lengths), reverse=True)
    assert len(lengths) == times + 1
    assert all(messages[0]["role"] == "system" for messages in sent(backend))
    assert all(messages[1]["role"] == "user" for messages in sent(backend))
    assert len(thread.entries) == 34


async def test_a_message_that_is_too_long_by_itself_is_an_error(
    backend: ScriptedBackend, dialect: ChatDialect
) -> None:
    backend.on(NEW, Json(TOO_LONG[0], 400))

    assert (await say(dialect, thread=long_thread())).problem == CONTEXT_TOO_LONG
    assert len(sent(backend)[-1]) == 1


@pytest.mark.parametrize("refusals", [[], [Json({}, 429)], [Json({}, 503, {"Retry-After": "1"})]])
async def test_a_call_is_repeated_only_where_it_was_not_taken(
    backend: ScriptedBackend, dialect: ChatDialect, refusals: list[Answer], sleeps: list[float]
) -> None:
    backend.on(NEW, *refusals, HI)

    answer = await say(dialect)

    taken = not refusals or refusals[0] == Json({}, 429)
    assert answer.problem == (None if taken else OVERLOADED)
    assert len(sleeps) == (1 if refusals and taken else 0)


async def test_a_message_after_one_that_was_never_answered_has_roles_that_alternate(
    backend: ScriptedBackend, dialect: ChatDialect
) -> None:
    backend.on(NEW, HI)

    await say(dialect, "Again", thread=RememberingThread(UserSaid("Hello")))

    assert sent(backend) == [[user("Hello"), assistant("(No answer.)"), user("Again")]]


async def test_a_message_after_calls_whose_turn_was_stopped_has_roles_that_alternate(
    backend: ScriptedBackend, dialect: ChatDialect
) -> None:
    backend.on(NEW, HI)
    asked = CallsMade((ToolCall(*PARIS), ToolCall(*ROME)))

    await say(dialect, "Again", thread=RememberingThread(UserSaid("Weather?"), asked))

    # Templates of models (Mistral's) count neither calls nor outputs, and refuse two users in a row.
    (messages,) = sent(backend)
    roles = [
        message["role"] for message in messages if message["role"] != "tool" and "tool_calls" not in message
    ]
    assert roles == ["user", "assistant", "user"]
    assert [message.get("tool_call_id") for message in messages].count(None) == len(messages) - 2


async def test_a_thread_of_another_service_is_begun_anew_and_the_visitor_is_told(
    backend: ScriptedBackend, dialect: ChatDialect
) -> None:
    backend.on(NEW, HI)
    for kind in (AnchorKind.THREAD, AnchorKind.CONVERSATION):
        thread = RememberingThread(AssistantSaid("Old"), anchor="thread_1", kind=kind, covered=1)

        answer = await say(dialect, thread=thread)

        assert answer.outcome == (f"{THREAD_ELSEWHERE}\n\nHi!", Completed())
        assert thread.entries == [UserSaid("Hello"), AssistantSaid("Hi!")]
        assert thread.anchor is None
    assert sent(backend) == [[user("Hello")]] * 2

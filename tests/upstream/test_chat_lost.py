"""Completions whose connection breaks: asked for once more, a few times, and what was shown is not lost meanwhile."""

import aiohttp
import pytest

from deep_chat_proxy.errors import CUT_OFF, TIMED_OUT, UNREACHABLE
from deep_chat_proxy.turn.events import Completed, TextReplaced, Usage
from deep_chat_proxy.turn.transcript import AssistantSaid, UserSaid
from deep_chat_proxy.upstream.chat_completions.dialect import ChatDialect
from upstream import chat_recording as rec
from upstream.backend import Body, Gone, Json, ScriptedBackend, client_of
from upstream.chat_recording import NEW, PARIS, ROME, assert_whole, dialect_of, sent, streams
from upstream.saying import RememberingThread, say

WHOLE = rec.text_answer()
REASON = len(WHOLE) - 1


@pytest.fixture
def dialect(backend: ScriptedBackend, session: aiohttp.ClientSession) -> ChatDialect:
    """The dialect in front of the scripted back end."""
    return dialect_of(client_of(session, backend.base_url, silence=0.1, first=0.1))


def cut(*pieces: str, end: str = "cut") -> Body:
    """The beginning of an answer."""
    return streams(*rec.said(*pieces)[: len(pieces) + 1], end=end, done=False)


@pytest.mark.parametrize("end", ["cut", "close", "reset"])
async def test_an_answer_that_is_lost_after_any_chunk_is_whole_and_its_text_is_said_once(
    backend: ScriptedBackend, dialect: ChatDialect, end: str
) -> None:
    for count in range(REASON):
        backend.on(NEW, streams(*WHOLE[:count], end=end, done=False), streams(*WHOLE))
        answer = await say(dialect)

        assert_whole(answer)
        assert len([event for event in answer.events if isinstance(event, Usage)]) == 1
    assert backend.lines.count(NEW) == 2 * REASON


@pytest.mark.parametrize("lost", [Gone(), Body((), end="cut")])
@pytest.mark.parametrize("streamed", [True, False])
async def test_an_answer_that_never_began_is_asked_for_once_more(
    backend: ScriptedBackend, session: aiohttp.ClientSession, lost: Gone | Body, streamed: bool
) -> None:
    dialect = dialect_of(client_of(session, backend.base_url), stream=streamed)
    found = streams(*WHOLE) if streamed else Json(rec.whole(rec.message(rec.TEXT)))
    backend.on(NEW, lost, found)

    assert_whole(await say(dialect))
    assert sent(backend)[0] == sent(backend)[1]


@pytest.mark.parametrize(
    ("first", "second", "anew"),
    [
        (["It is ", "sun"], ["It is sunny."], False),
        (["It is ", "sun"], ["It ", "is ", "s", "un", "ny."], False),
        (["It is ", "sun"], ["It rains."], True),
        (["It is ", "sun"], ["It is"], True),
        (["It is sunny."], ["It is sunny."], False),
    ],
)
async def test_what_was_shown_stays_until_the_answer_that_comes_anew_says_more_or_something_else(
    backend: ScriptedBackend, dialect: ChatDialect, first: list[str], second: list[str], anew: bool
) -> None:
    backend.on(NEW, cut(*first), streams(*rec.said(*second)))
    thread = RememberingThread()

    answer = await say(dialect, thread=thread)

    assert answer.outcome == ("".join(second), Completed())
    assert answer.said_anew is anew
    assert thread.entries == [UserSaid("Hello"), AssistantSaid("".join(second))]


async def test_nothing_is_taken_back_before_something_else_is_there(
    backend: ScriptedBackend, dialect: ChatDialect
) -> None:
    backend.on(NEW, cut("It is sun"), cut("It is"), streams(*rec.said("It", " rains.")))

    answer = await say(dialect)

    assert [event.text for event in answer.events if isinstance(event, TextReplaced)] == ["It rains."]


async def test_an_answer_is_asked_for_three_times_at_most(
    backend: ScriptedBackend, dialect: ChatDialect
) -> None:
    backend.on(NEW, cut("It is ", "sun"))

    answer = await say(dialect)

    assert (answer.text, answer.problem) == ("It is sun", CUT_OFF)
    assert backend.lines == [NEW] * 3


async def test_what_a_visitor_has_seen_of_an_answer_that_was_lost_for_good_is_remembered(
    backend: ScriptedBackend, dialect: ChatDialect
) -> None:
    backend.on(NEW, cut("It is ", "sun"), cut("It"), Gone())
    thread = RememberingThread()

    answer = await say(dialect, thread=thread)

    assert (answer.text, answer.problem) == ("It is sun", UNREACHABLE)
    assert thread.entries == [UserSaid("Hello"), AssistantSaid("It is sun")]


async def test_each_round_of_calls_has_tries_of_its_own_and_no_tool_is_run_twice(
    backend: ScriptedBackend, dialect: ChatDialect
) -> None:
    lost = streams(*rec.called(PARIS, ROME)[:3], end="cut", done=False)
    backend.on(
        NEW,
        lost,
        lost,
        streams(*rec.called(PARIS, ROME)),
        cut("Sun"),
        cut("Sunny"),
        streams(*rec.said("Sunny.")),
    )

    answer = await say(dialect)

    assert answer.outcome == ("Sunny.", Completed())
    assert [call.call_id for call in answer.tools.calls] == ["call_1", "call_2"]
    assert not answer.said_anew
    assert sent(backend)[3] == sent(backend)[4] == sent(backend)[5]


async def test_what_was_said_before_tools_ran_is_not_touched_by_an_answer_that_comes_anew(
    backend: ScriptedBackend, dialect: ChatDialect
) -> None:
    backend.on(
        NEW,
        streams(*rec.called(PARIS, before="Let me see.")),
        cut("It is sun"),
        streams(*rec.said("It rains.")),
    )

    answer = await say(dialect)

    assert answer.outcome == ("Let me see.\n\nIt rains.", Completed())


async def test_a_silence_is_no_lost_connection(backend: ScriptedBackend, dialect: ChatDialect) -> None:
    backend.on(NEW, cut("It is ", end="stall"))

    answer = await say(dialect)

    assert (answer.text, answer.problem) == ("It is ", TIMED_OUT)
    assert backend.lines == [NEW]


async def test_an_error_that_the_back_end_reports_is_no_lost_connection(
    backend: ScriptedBackend, dialect: ChatDialect
) -> None:
    error = rec.frame({"error": {"message": "Oops", "type": "server_error"}})
    backend.on(NEW, Body((rec.stream(WHOLE[:3]) + error,), end="cut"))

    await say(dialect)

    assert backend.lines == [NEW]


async def test_a_back_end_that_refuses_to_say_it_again_has_the_last_word(
    backend: ScriptedBackend, dialect: ChatDialect
) -> None:
    backend.on(NEW, cut("It is "), Json(rec.refused("No."), 400))

    answer = await say(dialect)

    assert (answer.text, answer.problem is None) == ("It is ", False)
    assert answer.problem is not CUT_OFF
    assert backend.lines == [NEW] * 2

"""Responses whose connection breaks: looked for where they may be, and otherwise asked for once more."""

from collections.abc import Callable, Sequence
from typing import Any

import aiohttp
import pytest

from deep_chat_proxy.errors import CUT_OFF, TIMED_OUT, TURN_ACTIVE, UNREACHABLE
from deep_chat_proxy.turn.events import Completed, TextDelta, ToolCall, ToolOutput, TurnEvent
from deep_chat_proxy.turn.loop import TurnLoop
from deep_chat_proxy.turn.message import UserMessage
from deep_chat_proxy.turn.transcript import (
    INTERRUPTED,
    Anchor,
    AnchorKind,
    AssistantSaid,
    CallsMade,
    Entry,
    OutputsGiven,
    UserSaid,
)
from deep_chat_proxy.upstream.responses.dialect import ResponsesDialect
from deep_chat_proxy.upstream.responses.options import Way
from upstream import responses_recording as rec
from upstream.backend import Answer, Body, Gone, Json, ScriptedBackend, client_of
from upstream.playing import Keeper, Tools
from upstream.responses_scenes import (
    GET,
    GONE,
    ITEMS,
    NEW,
    PARIS,
    ROME,
    assert_whole,
    assistant,
    dialect_of,
    inputs,
    output,
    streams,
    user,
)
from upstream.saying import RememberingThread, say

pytestmark = pytest.mark.usefixtures("sleeps")

WHOLE = rec.text_response()
MakeDialect = Callable[..., ResponsesDialect]
MCP = ({"type": "mcp", "server_label": "shop", "server_url": "https://shop.example"},)


@pytest.fixture
def make(backend: ScriptedBackend, session: aiohttp.ClientSession) -> MakeDialect:
    """Makes a dialect in front of the scripted back end, which keeps no response whose connection broke."""
    backend.on(GET, GONE)
    client = client_of(session, backend.base_url, silence=0.1, first=0.1)
    return lambda **options: dialect_of(client, **options)


def cut(*pieces: str, end: str = "cut") -> Body:
    """The beginning of a response."""
    return streams(*rec.beginning(), *(rec.delta(piece) for piece in pieces), end=end)


def in_conversation(newest: str | None = "msg_0") -> RememberingThread:
    thread = RememberingThread(anchor=rec.CONVERSATION)
    thread.anchor = Anchor(AnchorKind.CONVERSATION, rec.CONVERSATION, newest)
    return thread


def asked(text: str, item_id: str = "msg_user") -> dict[str, Any]:
    return {
        "id": item_id,
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": text}],
    }


def given(call_id: str, value: str) -> dict[str, Any]:
    return {"id": f"out_of_{call_id}", **output(call_id, value)}


def items(*oldest_first: Any) -> Json:
    """What the conversation holds, behind an item that is known."""
    return Json(rec.listed(*reversed([rec.message("Old", item_id="msg_0"), *oldest_first])))


@pytest.mark.parametrize("end", ["cut", "close", "reset"])
@pytest.mark.parametrize("way", [Way.HISTORY, Way.CHAIN])
async def test_a_response_that_is_lost_after_any_event_is_whole_and_its_text_is_said_once(
    backend: ScriptedBackend, make: MakeDialect, end: str, way: Way
) -> None:
    for count in range(len(WHOLE)):
        backend.on(NEW, streams(*WHOLE[:count], end=end), streams(*WHOLE))

        assert_whole(await say(make(way=way)))
    assert backend.lines.count(NEW) == 2 * len(WHOLE)


async def test_a_response_that_is_asked_for_anew_is_kept_before_its_first_words(
    backend: ScriptedBackend, make: MakeDialect
) -> None:
    again = [*rec.beginning(response_id="resp_2"), rec.delta("It is "), rec.delta("sunny")]
    rest = [*rec.said(" today."), rec.state("completed", response_id="resp_2")]
    backend.on(NEW, cut("It is "), Body((rec.stream(again), rec.stream(rest))))
    thread = RememberingThread()
    held_at: dict[str, list[str]] = {}

    def emit(events: Sequence[TurnEvent]) -> None:
        held = [each.held_id for each in thread.held]
        held_at.update((event.text, held) for event in events if isinstance(event, TextDelta))

    turn = make(way=Way.CHAIN).turn(thread, UserMessage("Hello"))
    await TurnLoop(turn, Tools(), Keeper(), emit, max_rounds=1).play()
    await turn.close()

    assert "resp_2" in held_at["sunny"]


async def test_no_more_is_kept_of_an_answer_that_breaks_off_than_an_answer_may_be_long(
    backend: ScriptedBackend, make: MakeDialect
) -> None:
    backend.on(NEW, *[cut("It is ", "sunny")] * 3)
    thread = RememberingThread()
    await say(make(way=Way.HISTORY, longest_answer=8), thread=thread)

    assert thread.entries[1:] == [AssistantSaid("It is su")]


@pytest.mark.parametrize(
    ("first", "second", "anew"),
    [
        (["It is ", "sun"], ["It is sunny."], False),
        (["It is ", "sun"], ["It ", "is ", "s", "un", "ny."], False),
        (["It is ", "sun"], ["It rains."], True),
        (["It is ", "sun"], ["It is"], True),
    ],
)
async def test_what_was_shown_stays_until_the_response_that_comes_anew_says_more_or_something_else(
    backend: ScriptedBackend, make: MakeDialect, first: list[str], second: list[str], anew: bool
) -> None:
    backend.on(NEW, cut(*first), streams(*rec.answer(*second)))
    thread = RememberingThread()

    answer = await say(make(), thread=thread)

    assert answer.outcome == ("".join(second), Completed())
    assert answer.said_anew is anew
    assert thread.entries == [UserSaid("Hello"), AssistantSaid("".join(second))]


async def test_a_response_is_asked_for_three_times_at_most(
    backend: ScriptedBackend, make: MakeDialect
) -> None:
    backend.on(NEW, cut("It is ", "sun"))

    answer = await say(make())

    assert (answer.text, answer.problem) == ("It is sun", CUT_OFF)
    assert backend.lines == [NEW, GET] * 3


async def test_a_silence_is_no_lost_connection(backend: ScriptedBackend, make: MakeDialect) -> None:
    backend.on(NEW, cut("It is ", end="stall"))

    answer = await say(make())

    assert (answer.text, answer.problem) == ("It is ", TIMED_OUT)
    assert backend.lines == [NEW, GET]


ACTING = {"id": "mcp_1", "type": "mcp_call", "name": "buy", "server_label": "shop", "arguments": "{}"}


@pytest.mark.parametrize(
    "lost", [streams(*rec.beginning(), rec.item("added", ACTING), end="cut"), cut("It is "), cut(), Gone()]
)
@pytest.mark.parametrize("way", [Way.HISTORY, Way.CONVERSATION])
async def test_a_response_that_may_have_used_a_tool_of_somebody_else_is_not_made_twice(
    backend: ScriptedBackend, make: MakeDialect, lost: Answer, way: Way
) -> None:
    backend.on(NEW, lost)
    backend.on(ITEMS, items())
    thread = in_conversation() if way is Way.CONVERSATION else RememberingThread()

    answer = await say(make(hosted=MCP, way=way), thread=thread)

    assert answer.problem in {CUT_OFF, UNREACHABLE}
    assert backend.lines.count(NEW) == 1


async def test_a_response_that_may_have_used_such_a_tool_is_had_where_its_conversation_holds_it(
    backend: ScriptedBackend, make: MakeDialect
) -> None:
    backend.on(NEW, cut("Grü"))
    backend.on(ITEMS, items(asked("Hello"), rec.message(rec.TEXT, item_id="msg_2")))

    assert_whole(await say(make(hosted=MCP, way=Way.CONVERSATION), thread=in_conversation()))


async def test_a_response_that_was_never_sent_can_be_asked_for_though_there_are_such_tools(
    backend: ScriptedBackend, make: MakeDialect
) -> None:
    backend.on(NEW, Json({}, 429), streams(*WHOLE))

    assert_whole(await say(make(hosted=MCP)))


@pytest.mark.parametrize("lost", [cut(), cut("Grü"), Gone(), Body((), end="cut")])
async def test_a_response_that_its_conversation_holds_is_not_made_again(
    backend: ScriptedBackend, make: MakeDialect, lost: Answer
) -> None:
    backend.on(NEW, lost)
    backend.on(ITEMS, items(asked("Hello"), rec.message(rec.TEXT, item_id="msg_2")))
    thread = in_conversation()

    assert_whole(await say(make(way=Way.CONVERSATION), thread=thread))
    assert backend.lines.count(NEW) == 1
    assert thread.anchor == Anchor(AnchorKind.CONVERSATION, rec.CONVERSATION, "msg_2")


async def test_calls_that_a_conversation_holds_are_run_though_their_response_was_lost(
    backend: ScriptedBackend, make: MakeDialect
) -> None:
    backend.on(NEW, cut("Let"), streams(*rec.answer("Sunny.")))
    backend.on(ITEMS, items(asked("Hello"), rec.message("Let me see."), rec.call(*PARIS)))

    answer = await say(make(way=Way.CONVERSATION), thread=in_conversation())

    assert answer.outcome == ("Let me see.\n\nSunny.", Completed())
    assert [call.call_id for call in answer.tools.calls] == ["call_1"]
    assert inputs(backend)[1:] == [[output("call_1", 'get_weather {"location":"Paris"}')]]


@pytest.mark.parametrize(
    "held",
    [
        items(),
        # The same words, said before.
        Json(rec.listed(rec.message("Old", item_id="msg_0"), rec.message("Hi!"), asked("Hello"))),
        items(asked("Hello!"), rec.message("Yes?")),
    ],
)
async def test_what_was_said_before_is_not_taken_for_the_answer_that_was_lost(
    backend: ScriptedBackend, make: MakeDialect, held: Answer
) -> None:
    backend.on(NEW, cut("Grü"), streams(*WHOLE))
    backend.on(ITEMS, held)

    assert_whole(await say(make(way=Way.CONVERSATION), thread=in_conversation()))
    assert inputs(backend) == [[user("Hello")]] * 2


async def test_outputs_that_a_conversation_holds_are_not_sent_again(
    backend: ScriptedBackend, make: MakeDialect
) -> None:
    backend.on(NEW, streams(*rec.calls_response(PARIS)), cut("Sun"))
    sent = given("call_1", 'get_weather {"location":"Paris"}')
    backend.on(ITEMS, items(asked("Hello"), rec.call(*PARIS), sent, rec.message("Sunny.", item_id="msg_3")))

    answer = await say(make(way=Way.CONVERSATION), thread=in_conversation())

    assert answer.outcome == ("Sunny.", Completed())
    assert backend.lines.count(NEW) == 2


LOCKED = Json(rec.refused("Please retry in a few seconds.", "conversation_locked", "conversation"), 400)


async def test_a_conversation_that_is_locked_by_the_response_that_was_lost_gives_its_answer(
    backend: ScriptedBackend, make: MakeDialect
) -> None:
    backend.on(NEW, cut("Grü"), LOCKED)
    held = items(asked("Hello"), rec.message(rec.TEXT, item_id="msg_2"))
    backend.on(ITEMS, items(), held)

    assert_whole(await say(make(way=Way.CONVERSATION), thread=in_conversation()))


async def test_a_conversation_that_stays_locked_is_not_waited_for_for_ever(
    backend: ScriptedBackend, make: MakeDialect
) -> None:
    backend.on(NEW, LOCKED)
    backend.on(ITEMS, items())
    thread = in_conversation()

    answer = await say(make(way=Way.CONVERSATION, close_within=0.05), thread=thread)

    assert answer.problem == TURN_ACTIVE
    assert thread.entries == []


CALLS = CallsMade((ToolCall(*PARIS), ToolCall(*ROME)))
OUTPUTS = OutputsGiven((ToolOutput("call_1", "Sunny"), ToolOutput("call_2", "Rain")))
SUNNY, RAIN = given("call_1", "Sunny"), given("call_2", "Rain")


@pytest.mark.parametrize(
    ("left", "held", "sent"),
    [
        # What a turn has left that was stopped in its middle, what of it has arrived, what has not.
        ([OUTPUTS], items(SUNNY, RAIN), []),
        ([OUTPUTS], items(), [output("call_1", "Sunny"), output("call_2", "Rain")]),
        ([OUTPUTS, AssistantSaid("In Par")], items(SUNNY, RAIN, rec.message("In Paris")), []),
        (
            [OUTPUTS, AssistantSaid("In Par")],
            items(SUNNY, RAIN),
            [assistant("In Par")],
        ),
        ([UserSaid("Wait"), AssistantSaid("Yes")], items(asked("Wait"), rec.message("Yes?")), []),
        (
            [UserSaid("Wait")],
            items(asked("Stop")),
            [output("call_1", INTERRUPTED), output("call_2", INTERRUPTED), user("Wait")],
        ),
    ],
)
async def test_what_a_conversation_has_of_a_turn_that_was_stopped_is_not_sent_again(
    backend: ScriptedBackend, make: MakeDialect, left: list[Any], held: Answer, sent: list[Any]
) -> None:
    before: list[Entry] = [UserSaid("Weather?"), CALLS]
    thread = in_conversation()
    thread.entries += [*before, *left]
    thread.covered = len(before)
    backend.on(ITEMS, held)
    backend.on(NEW, streams(*rec.answer("Hi!")))

    answer = await say(make(way=Way.CONVERSATION), thread=thread)

    assert answer.outcome == ("Hi!", Completed())
    assert inputs(backend) == [[*sent, user("Hello")]]

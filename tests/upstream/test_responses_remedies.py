"""What an earlier turn, or the back end itself, has left in the way of a message, and how that is put right."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from deep_chat_proxy.errors import CONTEXT_TOO_LONG, NOT_CONFIGURED, REJECTED
from deep_chat_proxy.turn.events import Completed, Failed, FileKind, ToolCall, ToolOutput
from deep_chat_proxy.turn.message import Attachment
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
from deep_chat_proxy.upstream.client import ApiClient
from deep_chat_proxy.upstream.notices import THREAD_ELSEWHERE, THREAD_LOST
from deep_chat_proxy.upstream.responses.options import Way
from upstream import responses_recording as rec
from upstream.backend import Answer, Gone, Json, ScriptedBackend, client_of
from upstream.responses_scenes import (
    ITEMS,
    NEW,
    OPEN,
    PARIS,
    ROME,
    assistant,
    dialect_of,
    inputs,
    opens_conversations,
    output,
    streams,
    user,
)
from upstream.saying import RememberingThread, say

HI = streams(*rec.answer("Hi!"))
LOCKED = Json(
    rec.refused(
        "Another process is currently operating on this conversation. Please retry in a few seconds.",
        "conversation_locked",
        "conversation",
    ),
    400,
)
WAITING = Json(rec.refused("No tool output found for function call call_2.", None, "input"), 400)
NO_CONVERSATION = Json(rec.refused("Conversation with id 'conv_abc' not found."), 404)
NO_RESPONSE = "Previous response with id 'resp_0' not found."
EARLIER: tuple[Entry, ...] = (UserSaid("My name is Ada"), AssistantSaid("Hi Ada!"))
EARLIER_ITEMS = [user("My name is Ada"), assistant("Hi Ada!")]
ASKED = (UserSaid("Weather?"), CallsMade((ToolCall(*PARIS), ToolCall(*ROME))))


@pytest.fixture(autouse=True)
def slept(sleeps: list[float]) -> list[float]:
    """No test of this file sleeps."""
    return sleeps


@pytest.fixture
def client(backend: ScriptedBackend, session: aiohttp.ClientSession) -> ApiClient:
    return client_of(session, backend.base_url)


def in_conversation(*entries: Entry, covered: int = 0) -> RememberingThread:
    return RememberingThread(*entries, anchor=rec.CONVERSATION, covered=covered)


def in_chain(*entries: Entry, covered: int | None = None) -> RememberingThread:
    known = len(entries) if covered is None else covered
    return RememberingThread(*entries, anchor="resp_0", kind=AnchorKind.RESPONSE, covered=known)


async def test_a_conversation_that_is_locked_is_asked_again(
    backend: ScriptedBackend, client: ApiClient, slept: list[float]
) -> None:
    backend.on(NEW, LOCKED, HI)

    answer = await say(dialect_of(client, way=Way.CONVERSATION), thread=in_conversation())

    assert answer.outcome == ("Hi!", Completed())
    assert (backend.lines, len(slept)) == ([NEW, NEW], 1)


@pytest.mark.parametrize("content", [[{"type": "input_text", "text": "Weather?"}], "Weather?"])
async def test_calls_that_a_conversation_waits_for_are_answered_with_the_message(
    backend: ScriptedBackend, client: ApiClient, content: Any
) -> None:
    # OGX shows a message as it was sent, be that a string.
    asked = {"id": "msg_0", "type": "message", "role": "user", "content": content}
    kept = [rec.message("Hm."), rec.call(*ROME), output("call_1", "Sunny"), rec.call(*PARIS), asked]
    backend.on(NEW, WAITING, HI)
    backend.on(ITEMS, Json(rec.listed(*kept)))
    thread = in_conversation()

    answer = await say(dialect_of(client, way=Way.CONVERSATION), thread=thread)

    assert answer.outcome == ("Hi!", Completed())
    assert inputs(backend) == [[user("Hello")], [output("call_2", INTERRUPTED), user("Hello")]]
    assert backend.requests[1].target.endswith("/items?limit=100&order=desc")
    assert thread.anchor == Anchor(AnchorKind.CONVERSATION, rec.CONVERSATION, "msg_1")


async def test_calls_that_a_chain_waits_for_are_answered_with_the_message(
    backend: ScriptedBackend, client: ApiClient
) -> None:
    backend.on(NEW, WAITING, HI)
    backend.on("GET /responses/resp_0", Json(rec.response("completed", rec.call(*PARIS), rec.call(*ROME))))

    answer = await say(dialect_of(client, way=Way.CHAIN), thread=in_chain(*EARLIER))

    assert answer.outcome == ("Hi!", Completed())
    assert inputs(backend)[1] == [
        output("call_1", INTERRUPTED),
        output("call_2", INTERRUPTED),
        user("Hello"),
    ]


@pytest.mark.parametrize("kept", [Json(rec.listed()), Json({}, 403), Json([])])
async def test_a_back_end_that_waits_for_calls_it_does_not_show_is_an_error(
    backend: ScriptedBackend, client: ApiClient, kept: Any
) -> None:
    backend.on(NEW, WAITING)
    backend.on(ITEMS, kept)

    answer = await say(dialect_of(client, way=Way.CONVERSATION), thread=in_conversation())

    assert answer.problem is not None
    assert backend.lines.count(NEW) == 1


PLACES = [
    (Way.CONVERSATION, {"anchor": rec.CONVERSATION, "kind": AnchorKind.CONVERSATION}),
    (Way.CHAIN, {"anchor": "resp_0", "kind": AnchorKind.RESPONSE}),
]


@pytest.mark.parametrize(("way", "place"), PLACES)
async def test_calls_of_a_turn_that_was_killed_are_answered_at_once(
    backend: ScriptedBackend, client: ApiClient, way: Way, place: Any
) -> None:
    backend.on(NEW, HI)

    answer = await say(dialect_of(client, way=way), thread=RememberingThread(*ASKED, covered=2, **place))

    assert answer.outcome == ("Hi!", Completed())
    assert inputs(backend) == [
        [output("call_1", INTERRUPTED), output("call_2", INTERRUPTED), user("Hello")],
    ]


@pytest.mark.parametrize(("way", "place"), PLACES)
async def test_outputs_and_words_of_a_turn_that_was_stopped_go_along_with_the_next_message(
    backend: ScriptedBackend, client: ApiClient, way: Way, place: Any
) -> None:
    outputs = OutputsGiven((ToolOutput("call_1", "Sunny"), ToolOutput("call_2", "Rain")))
    thread = RememberingThread(*ASKED, outputs, AssistantSaid("In Paris it"), covered=2, **place)
    backend.on(NEW, HI)
    backend.on(ITEMS, Json(rec.listed()))

    await say(dialect_of(client, way=way), thread=thread)

    assert inputs(backend) == [
        [output("call_1", "Sunny"), output("call_2", "Rain"), assistant("In Paris it"), user("Hello")],
    ]


async def test_a_conversation_that_is_gone_is_begun_anew_and_the_visitor_is_told(
    backend: ScriptedBackend, client: ApiClient
) -> None:
    opens_conversations(backend, "conv_2")
    backend.on(NEW, NO_CONVERSATION, HI)
    thread = in_conversation(*EARLIER, covered=2)

    answer = await say(dialect_of(client, way=Way.CONVERSATION), thread=thread)

    assert answer.outcome == (f"{THREAD_LOST}\n\nHi!", Completed())
    assert backend.lines == [NEW, OPEN, NEW]
    assert [backend.requests[at].json["conversation"] for at in (0, 2)] == [rec.CONVERSATION, "conv_2"]
    assert thread.anchor == Anchor(AnchorKind.CONVERSATION, "conv_2", "msg_1")
    assert inputs(backend)[1] == [user("Hello")]
    assert thread.entries == []


async def test_a_conversation_that_goes_while_tools_run_gets_no_outputs_without_their_calls(
    backend: ScriptedBackend, client: ApiClient
) -> None:
    opens_conversations(backend, "conv_2")
    backend.on(NEW, streams(*rec.calls_response(PARIS)), NO_CONVERSATION, HI)

    await say(dialect_of(client, way=Way.CONVERSATION), thread=in_conversation())

    for sent in inputs(backend)[2:]:
        made = {item["call_id"] for item in sent if item.get("type") == "function_call"}
        given = {item["call_id"] for item in sent if item.get("type") == "function_call_output"}
        assert given <= made


@pytest.mark.parametrize("way", [Way.CONVERSATION, Way.CHAIN])
async def test_a_model_that_is_not_there_is_no_lost_conversation(
    backend: ScriptedBackend, client: ApiClient, way: Way
) -> None:
    refusal = rec.refused("The model 'model-1' does not exist.", "model_not_found", "model")
    backend.on(NEW, Json(refusal, 404))
    thread = in_conversation() if way is Way.CONVERSATION else in_chain(*EARLIER)

    assert (await say(dialect_of(client, way=way), thread=thread)).problem == NOT_CONFIGURED
    assert backend.lines == [NEW]
    assert thread.anchor is not None


@pytest.mark.parametrize(
    "refusal",
    [
        Json(rec.refused(NO_RESPONSE, "previous_response_not_found", "previous_response_id"), 400),
        Json(rec.refused(NO_RESPONSE), 404),
        Json({"detail": NO_RESPONSE}, 404),
        Json({"error": {"message": "Not here.", "code": "previous_response_not_found"}}, 400),
        Json({"error": {"code": 400, "message": "This does not support 'previous_response_id'."}}, 400),
        Json({"detail": "Not Found"}, 404),
    ],
)
async def test_the_history_is_sent_where_a_response_is_forgotten(
    backend: ScriptedBackend, client: ApiClient, refusal: Json
) -> None:
    backend.on(NEW, refusal, HI, HI)
    thread = in_chain(*EARLIER)
    dialect = dialect_of(client, way=Way.CHAIN)

    answer = await say(dialect, thread=thread)

    assert answer.outcome == ("Hi!", Completed())
    first, second = (seen.json for seen in backend.requests)
    assert (first["previous_response_id"], first["input"]) == ("resp_0", [user("Hello")])
    assert "previous_response_id" not in second
    assert second["input"] == [*EARLIER_ITEMS, user("Hello")]
    assert thread.anchor == Anchor(AnchorKind.RESPONSE, rec.RESPONSE)
    assert thread.entries == [*EARLIER, UserSaid("Hello"), AssistantSaid("Hi!")]
    assert thread.covered == 4

    await say(dialect, "Again", thread=thread)
    assert backend.requests[2].json["previous_response_id"] == rec.RESPONSE
    assert inputs(backend)[2] == [user("Again")]


async def test_a_back_end_that_forgets_every_response_at_once_is_sent_the_history_from_then_on(
    backend: ScriptedBackend, client: ApiClient
) -> None:
    gone = Json(rec.refused(f"Response with id '{rec.RESPONSE}' not found."), 404)
    backend.on(NEW, HI, gone, HI)
    thread = RememberingThread()
    dialect = dialect_of(client, way=Way.CHAIN)

    for text in ("One", "Two", "Three"):
        assert (await say(dialect, text, thread=thread)).outcome == ("Hi!", Completed())

    assert [seen.json.get("previous_response_id") for seen in backend.requests] == [
        *(None, rec.RESPONSE, None, None)
    ]
    assert [seen.json.get("store") for seen in backend.requests] == [None, None, False, False]
    assert inputs(backend)[3] == [
        *(user("One"), assistant("Hi!"), user("Two"), assistant("Hi!"), user("Three")),
    ]


async def test_a_response_that_is_forgotten_while_tools_run_is_made_good_by_the_history(
    backend: ScriptedBackend, client: ApiClient
) -> None:
    gone = Json(rec.refused(f"Previous response with id '{rec.RESPONSE}' not found."), 400)
    backend.on(NEW, streams(*rec.calls_response(PARIS)), gone, HI)

    answer = await say(dialect_of(client, way=Way.CHAIN), thread=in_chain(*EARLIER))

    assert answer.outcome == ("Hi!", Completed())
    call = {"type": "function_call", "call_id": PARIS[0], "name": PARIS[1], "arguments": PARIS[2]}
    given = output("call_1", 'get_weather {"location":"Paris"}')
    assert inputs(backend)[1:] == [[given], [*EARLIER_ITEMS, user("Hello"), call, given]]


async def test_after_a_restart_each_round_is_asked_with_the_history_of_a_back_end_that_forgets_every_response(
    backend: ScriptedBackend, client: ApiClient
) -> None:
    def forgotten(response_id: str) -> Json:
        return Json(rec.refused(f"Previous response with id '{response_id}' not found."), 404)

    backend.on(NEW, forgotten("resp_0"), streams(*rec.calls_response(PARIS)), forgotten(rec.RESPONSE), HI)

    answer = await say(dialect_of(client, way=Way.CHAIN), thread=in_chain(*EARLIER))

    assert answer.outcome == ("Hi!", Completed())
    assert inputs(backend)[-1][:3] == [*EARLIER_ITEMS, user("Hello")]


@pytest.mark.parametrize("chained", [False, True])
async def test_a_conversation_begins_with_all_that_was_said_before_there_were_any(
    backend: ScriptedBackend, client: ApiClient, chained: bool
) -> None:
    opens_conversations(backend)
    backend.on(NEW, HI)
    thread = in_chain(*EARLIER) if chained else RememberingThread(*EARLIER)

    answer = await say(dialect_of(client, way=Way.CONVERSATION), thread=thread)

    assert answer.outcome == ("Hi!", Completed())
    assert inputs(backend) == [[*EARLIER_ITEMS, user("Hello")]]


async def test_a_thread_of_another_service_is_begun_anew_and_the_visitor_is_told(
    backend: ScriptedBackend, client: ApiClient
) -> None:
    backend.on(NEW, HI)
    for way in (Way.HISTORY, Way.CHAIN):
        answer = await say(dialect_of(client, way=way), thread=in_conversation(*EARLIER, covered=2))

        assert answer.outcome == (f"{THREAD_ELSEWHERE}\n\nHi!", Completed())
    assert inputs(backend) == [[user("Hello")]] * 2


async def test_no_remedy_is_tried_for_ever_and_the_thread_stays_what_it_was(
    backend: ScriptedBackend, client: ApiClient
) -> None:
    opens_conversations(backend, "conv_2")
    backend.on(NEW, NO_CONVERSATION)
    thread = in_conversation(*EARLIER, covered=2)

    answer = await say(dialect_of(client, way=Way.CONVERSATION), thread=thread)

    assert answer.problem == NOT_CONFIGURED
    assert backend.lines == [NEW, OPEN, NEW, "DELETE /conversations/conv_2"]
    assert thread.anchor == Anchor(AnchorKind.CONVERSATION, rec.CONVERSATION)
    assert (thread.entries, thread.covered) == ([*EARLIER], 2)


@pytest.mark.parametrize("deleted", [Json({"deleted": True}), Json({}, 404), Json({}, 500), Gone()])
async def test_uploads_of_a_refused_message_are_taken_back_whatever_becomes_of_its_conversation(
    backend: ScriptedBackend, client: ApiClient, deleted: Answer, tmp_path: Path
) -> None:
    opens_conversations(backend)
    backend.on(f"DELETE /conversations/{rec.CONVERSATION}", deleted)
    backend.on("POST /files", Json({"id": "file-1"}))
    backend.on("DELETE /files/file-1", Json({"deleted": True}))
    backend.on(NEW, Json(rec.refused("Invalid 'input'."), 400))
    spooled = tmp_path / "spooled"
    await asyncio.to_thread(spooled.write_bytes, b"%PDF")
    file = Attachment(spooled, "a.pdf", "application/pdf", FileKind.ANY, 4, "0" * 64)

    answer = await say(dialect_of(client, way=Way.CONVERSATION), "Look", file)

    assert answer.problem == REJECTED
    assert "DELETE /files/file-1" in backend.lines
    assert f"DELETE /conversations/{rec.CONVERSATION}" in backend.lines


TOO_LONG = [
    Json(rec.refused("Your input exceeds the context window.", "context_length_exceeded", "input"), 400),
    Json(rec.refused("This model's maximum context length is 4096 tokens."), 400),
    Json(
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
        400,
    ),
]


def long_history() -> Sequence[Entry]:
    return [
        entry
        for number in range(16)
        for entry in (UserSaid(f"{number} " + "x" * 400), AssistantSaid("y" * 400))
    ]


@pytest.mark.parametrize("refusal", TOO_LONG, ids=["openai", "vllm", "llama.cpp"])
async def test_less_of_the_history_is_sent_where_it_is_too_long(
    backend: ScriptedBackend, client: ApiClient, refusal: Json
) -> None:
    backend.on(NEW, refusal, HI)
    thread = RememberingThread(*long_history())

    answer = await say(dialect_of(client, history_tokens=4_000), thread=thread)

    assert answer.outcome == ("Hi!", Completed())
    first, second = inputs(backend)
    assert 0 < len(second) < len(first)
    assert first[-len(second) :] == second
    assert second[0]["role"] == "user"


async def test_a_message_that_is_too_long_by_itself_is_an_error(
    backend: ScriptedBackend, client: ApiClient
) -> None:
    backend.on(NEW, TOO_LONG[0])

    assert (await say(dialect_of(client))).problem == CONTEXT_TOO_LONG
    assert len(inputs(backend)) == 1


def asks_for_approval(*requests: str, calls: Sequence[rec.Call] = (), text: str = "") -> Any:
    asked = [rec.approval(request) for request in requests]
    made = [rec.call(*call) for call in calls]
    spoken = [rec.message(text)] if text else []
    return streams(*rec.beginning(), rec.state("completed", *spoken, *asked, *made))


def declined(request: str) -> dict[str, Any]:
    return {"type": "mcp_approval_response", "approval_request_id": request, "approve": False}


@pytest.mark.parametrize("way", [Way.CONVERSATION, Way.CHAIN])
async def test_what_needs_an_approval_is_declined_and_the_turn_goes_on(
    backend: ScriptedBackend, client: ApiClient, way: Way
) -> None:
    opens_conversations(backend)
    backend.on(NEW, asks_for_approval("mcpr_1", "mcpr_2", text="Let me see."), HI)

    answer = await say(dialect_of(client, way=way))

    assert answer.outcome == ("Let me see.\n\nHi!", Completed())
    assert inputs(backend) == [[user("Hello")], [declined("mcpr_1"), declined("mcpr_2")]]
    assert answer.tools.calls == []


async def test_approvals_and_outputs_go_back_together(backend: ScriptedBackend, client: ApiClient) -> None:
    opens_conversations(backend)
    backend.on(NEW, asks_for_approval("mcpr_1", calls=[PARIS]), HI)

    answer = await say(dialect_of(client, way=Way.CONVERSATION))

    assert answer.outcome == ("Hi!", Completed())
    assert inputs(backend)[1] == [
        declined("mcpr_1"),
        output("call_1", 'get_weather {"location":"Paris"}'),
    ]


async def test_a_model_that_never_stops_asking_for_approvals_is_stopped(
    backend: ScriptedBackend, client: ApiClient
) -> None:
    backend.on(NEW, *[asks_for_approval("mcpr_1")] * 120, HI)

    answer = await say(dialect_of(client, way=Way.CHAIN))

    assert isinstance(answer.end, Failed) or answer.error is not None
    assert len(inputs(backend)) < 100


async def test_a_refusal_that_nothing_helps_against_is_an_error(
    backend: ScriptedBackend, client: ApiClient
) -> None:
    backend.on(NEW, Json(rec.refused("Invalid 'input'."), 400))
    thread = in_chain(*EARLIER)

    answer = await say(dialect_of(client, way=Way.CHAIN), thread=thread)

    assert (answer.problem, backend.lines) == (REJECTED, [NEW])
    assert thread.anchor == Anchor(AnchorKind.RESPONSE, "resp_0")
    assert thread.entries == [*EARLIER]

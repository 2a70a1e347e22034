"""Messages on threads, over real sockets: whose thread it is, one turn at a time, stop, two visitors."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from aiohttp import FormData, web
from aiohttp.test_utils import TestClient, TestServer

from chat_server import STREAM, Client, FakeDialect, ask, ask_stream, chat_server, events_in, said
from deep_chat_proxy.app import create_app
from deep_chat_proxy.errors import SERVER_BUSY, THREAD_NOT_FOUND, TURN_ACTIVE, Problem
from deep_chat_proxy.settings import Settings
from deep_chat_proxy.tasks import Tasks
from deep_chat_proxy.turn.events import Accepted, Completed, Stopped, TextDelta
from deep_chat_proxy.turn.transcript import Anchor, AnchorKind
from playing import Step, csv_made, settle, soon, until

WAIT = 5
PNG = b"\x89PNG\r\n\x1a\n" + bytes(32)
NEVER: list[Step] = [[Accepted(), TextDelta("Once")], None]


def answer(text: str = "Hi", *, opened: str | None = None) -> list[Step]:
    opening = [] if opened is None else [Anchor(AnchorKind.THREAD, opened)]
    return [[Accepted()], *opening, [TextDelta(text), Completed()]]


async def refused_with(client: Client, problem: Problem, **fields: Any) -> dict[str, Any]:
    body: dict[str, Any]
    status, body = await ask(client, **fields)
    assert (status, body["error"]) == (problem.status, problem.sentence)
    return body


async def test_a_second_message_without_a_thread_goes_on_with_the_current_one() -> None:
    async with chat_server(answer(opened="thread_abc"), answer()) as server:
        client = await server.visitor()
        _, first = await ask(client)
        _, second = await ask(client)

        assert second["thread_id"] == first["thread_id"]
        assert [upstream_id for upstream_id, _ in server.dialect.asked] == [None, "thread_abc"]
        assert "thread_abc" not in str([first, second])


async def ask_as(client: Client, headers: dict[str, str]) -> bytes:
    async with client.post("/api/chat", json=said(), headers=headers) as response:
        return await response.read()


@pytest.mark.parametrize(("headers", "watched"), [(STREAM, True), ({}, False)], ids=["stream", "object"])
async def test_only_whoever_is_sent_a_stream_reads_along(headers: dict[str, str], watched: bool) -> None:
    go_on = asyncio.Event()
    script: list[Step] = [[Accepted(), TextDelta("Hi")], go_on, [Completed()]]
    async with chat_server(script) as server, asyncio.timeout(WAIT):
        client = await server.visitor()
        asking = Tasks().start(ask_as(client, headers), name="ask")
        await until(lambda: server.dialect.turns)
        (turn,) = server.dialect.turns
        await turn.begun.wait()
        await until(lambda: turn.watched() is watched)
        await settle()
        assert turn.watched() is watched
        go_on.set()
        await asking

        await until(lambda: not turn.watched())


@pytest.mark.parametrize("quoted", [False, True])
async def test_a_message_goes_to_the_thread_that_it_names(quoted: bool) -> None:
    async with chat_server(answer(opened="one"), answer(opened="two"), answer()) as server:
        client = await server.visitor()
        _, first = await ask(client)
        async with client.post("/api/threads") as response:
            assert response.status == 201
            second = await response.json()
        _, on_second = await ask(client)
        assert on_second["thread_id"] == second["thread_id"] != first["thread_id"]

        named = first["thread_id"]
        _, back = await ask(client, thread_id=json.dumps(named) if quoted else named)

        assert back["thread_id"] == named
        assert server.dialect.asked[-1][0] == "one"


async def test_a_thread_that_was_named_is_the_current_one_from_then_on() -> None:
    async with chat_server(answer(), answer(), answer()) as server:
        client = await server.visitor()
        _, first = await ask(client)
        async with client.post("/api/threads"):
            pass
        await ask(client, thread_id=first["thread_id"])

        assert (await ask(client))[1]["thread_id"] == first["thread_id"]


@pytest.mark.parametrize("none", [None, "", "undefined", "null"])
async def test_a_page_that_has_no_thread_yet_stays_in_the_current_one(none: str | None) -> None:
    async with chat_server(answer(), answer()) as server:
        client = await server.visitor()
        _, first = await ask(client, thread_id=none)
        _, second = await ask(client, thread_id=none)

        assert second["thread_id"] == first["thread_id"]


async def test_the_session_of_an_earlier_answer_names_the_thread_too() -> None:
    async with chat_server(answer(opened="one"), answer(), answer()) as server:
        client = await server.visitor()
        _, first = await ask(client)
        async with client.post("/api/threads"):
            pass
        history = [
            {"role": "ai", "text": "Hi", "_sessionId": "made-up"},
            {"role": "ai", "text": "Hi", "_sessionId": first["_sessionId"]},
            {"role": "user", "text": "Again"},
        ]
        async with client.post("/api/chat", json={"messages": history}) as response:
            assert (await response.json())["thread_id"] == first["thread_id"]


@pytest.mark.parametrize(
    "wrong", ["made-up", "thread_abc", "asst_local", "../../etc/passwd", "' OR 1=1 --", "日本", "x" * 200]
)
async def test_a_thread_that_is_not_there_is_a_404_and_nothing_is_posted(wrong: str) -> None:
    async with chat_server(answer(opened="thread_abc")) as server:
        client = await server.visitor()
        _, first = await ask(client)
        body = await refused_with(client, THREAD_NOT_FOUND, thread_id=wrong)

        assert body["thread_id"] == first["thread_id"]
        assert len(server.dialect.asked) == 1


async def test_the_thread_of_another_visitor_is_the_same_404() -> None:
    async with chat_server(answer(), answer()) as server:
        owner, other = await server.visitor(), await server.visitor()
        _, theirs = await ask(owner)
        await refused_with(other, THREAD_NOT_FOUND, thread_id=theirs["thread_id"])
        async with other.post("/api/chat/stop", json={"thread_id": theirs["thread_id"]}) as response:
            assert response.status == 404
            assert (await response.json())["error"] == THREAD_NOT_FOUND.sentence

        _, own = await ask(other)
        assert own["thread_id"] != theirs["thread_id"]


async def test_the_session_of_another_visitor_is_passed_over() -> None:
    async with chat_server(answer(), answer()) as server:
        owner, other = await server.visitor(), await server.visitor()
        _, theirs = await ask(owner)
        messages = [{"role": "ai", "text": "x", "_sessionId": theirs["thread_id"]}, *said()["messages"]]  # type: ignore[misc]
        async with other.post("/api/chat", json={"messages": messages}) as response:
            assert (await response.json())["thread_id"] != theirs["thread_id"]


async def test_a_thread_of_another_dialect_begins_anew_at_this_back_end() -> None:
    async with chat_server(answer(opened="one"), answer()) as server:
        client = await server.visitor()
        _, first = await ask(client)
        anchor = Anchor(AnchorKind.CONVERSATION, "conv_1")
        await server.chat.store.record(first["thread_id"], "another turn", anchor=anchor)
        await ask(client)

        assert [upstream_id for upstream_id, _ in server.dialect.asked] == [None, None]


async def test_every_event_of_a_stream_carries_the_thread() -> None:
    async with chat_server(
        [[Accepted()], [TextDelta("a")], [TextDelta("b"), Completed()]], answer()
    ) as server:
        client = await server.visitor()
        _, stream = await ask_stream(client)
        thread_ids = {event.get("thread_id") for event in events_in(stream)}

        assert len(thread_ids) == 1
        assert (await ask(client))[1]["thread_id"] in thread_ids


def with_file(**fields: str) -> FormData:
    form = FormData(quote_fields=False)
    form.add_field("files", PNG, filename="a.png", content_type="image/png")
    form.add_field("message1", json.dumps({"role": "user", "text": "Look"}))
    for name, value in fields.items():
        form.add_field(name, value)
    return form


async def test_a_thread_goes_on_when_files_are_sent_with_the_quoted_id() -> None:
    async with chat_server(answer(opened="one"), answer()) as server:
        client = await server.visitor()
        _, first = await ask(client)
        async with client.post(
            "/api/chat", data=with_file(thread_id=json.dumps(first["thread_id"]))
        ) as response:
            assert (await response.json())["thread_id"] == first["thread_id"]

        upstream_id, message = server.dialect.asked[-1]
        assert (upstream_id, message.text) == ("one", "Look")
        assert [attachment.name for attachment in message.attachments] == ["a.png"]


@pytest.fixture
def uploads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where uploads are kept while they are needed."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def left_in(folder: Path) -> list[Path]:
    # Beside the shelf, where a visitor finds again what they sent.
    return [path for path in folder.iterdir() if "shelf" not in path.name]


async def test_the_files_of_a_message_to_a_foreign_thread_are_removed(uploads: Path) -> None:
    async with chat_server(answer()) as server:
        client = await server.visitor()
        async with client.post("/api/chat", data=with_file(thread_id="made-up")) as response:
            assert response.status == 404

    assert not left_in(uploads)


async def test_the_files_of_a_message_that_cannot_be_started_are_removed(uploads: Path) -> None:
    async with chat_server(NEVER, answer(), max_turns=1, grace=60.0) as server:
        first, second = await server.visitor(), await server.visitor()
        async with first.post("/api/chat", json=said(), headers=STREAM) as stream:
            await soon(stream.content.readuntil(b"Once"))
            async with second.post("/api/chat", data=with_file()) as response:
                assert response.status == 503
                assert (await response.json())["error"] == SERVER_BUSY.sentence
            assert not left_in(uploads)


async def test_a_message_whose_visitor_leaves_while_it_waits_is_answered_all_the_same(uploads: Path) -> None:
    async with chat_server(NEVER, answer(), busy_wait=60.0) as server:
        client = await server.visitor()
        async with client.post("/api/chat", json=said(), headers=STREAM) as stream:
            await soon(stream.content.readuntil(b"Once"))
            async with asyncio.TaskGroup() as group:
                waiting = group.create_task(client.post("/api/chat", data=with_file()))
                await until(lambda: left_in(uploads))
                await until(lambda: len(server.chat.tasks))
                await settle()
                waiting.cancel()
        await until(lambda: len(server.dialect.asked) == 2)
        await until(lambda: not server.chat.turns)

        message = server.dialect.asked[1][1]
        assert message.text == "Look"
        # They are the turn's, which lets go of them.
        assert left_in(uploads) == [attachment.path for attachment in message.attachments]


async def test_the_files_of_a_visitor_who_left_are_removed_where_the_message_is_not_taken(
    uploads: Path,
) -> None:
    async with chat_server(NEVER, busy_wait=0.3) as server:
        client = await server.visitor()
        async with client.post("/api/chat", json=said(), headers=STREAM) as stream:
            await soon(stream.content.readuntil(b"Once"))
            async with asyncio.TaskGroup() as group:
                waiting = group.create_task(client.post("/api/chat", data=with_file()))
                await until(lambda: left_in(uploads))
                waiting.cancel()
            await until(lambda: not left_in(uploads))


async def test_two_messages_at_once_on_one_thread_are_answered_one_after_the_other() -> None:
    goes_on = asyncio.Event()
    first_script: list[Step] = [[Accepted()], goes_on, [TextDelta("one"), Completed()]]
    async with chat_server(answer(), first_script, answer("two")) as server:
        client = await server.visitor()
        await ask(client)
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            one = group.create_task(ask(client, "One"))
            two = group.create_task(ask(client, "Two"))
            await until(lambda: len(server.dialect.turns) == 2)
            await until(server.dialect.turns[1].begun.is_set)
            await settle()
            assert len(server.dialect.turns) == 2
            goes_on.set()

        assert sorted([one.result()[1]["text"], two.result()[1]["text"]]) == ["one", "two"]


async def test_a_second_message_is_refused_while_the_first_is_answered_for_long() -> None:
    async with chat_server(NEVER, answer(), busy_wait=0.01) as server:
        client = await server.visitor()
        async with client.post("/api/chat", json=said(), headers=STREAM) as stream:
            await soon(stream.content.readuntil(b"Once"))
            await refused_with(client, TURN_ACTIVE, text="And now?")


async def test_the_next_message_after_a_reload_takes_over() -> None:
    async with chat_server(NEVER, answer("two"), grace=60.0) as server:
        client = await server.visitor()
        async with client.post("/api/chat", json=said(), headers=STREAM) as stream:
            await soon(stream.content.readuntil(b"Once"))
            stream.close()

        assert (await ask(client, "Next"))[1]["text"] == "two"


@pytest.mark.parametrize("named", [True, False])
async def test_a_stop_ends_the_turn_and_its_stream_and_the_next_message_works(named: bool) -> None:
    async with chat_server(NEVER, answer("two"), grace=60.0) as server:
        client = await server.visitor()
        async with client.post("/api/chat", json=said(), headers=STREAM) as stream:
            await soon(stream.content.readuntil(b"Once"))
            async with client.get("/no-such-address") as response:
                thread_id = (await response.json())["thread_id"]
            body = {"thread_id": thread_id} if named else {}
            async with client.post("/api/chat/stop", json=body) as response:
                assert await response.json() == {"stopped": True, "thread_id": thread_id}
            await soon(stream.read())

        assert (await ask(client))[1]["text"] == "two"


@pytest.mark.parametrize("body", [b"", b"not json", b"[1]", b'{"thread_id": null}'])
async def test_a_stop_with_nothing_to_stop_says_so(body: bytes) -> None:
    async with chat_server(answer()) as server:
        client = await server.visitor()
        async with client.post("/api/chat/stop", data=body) as response:
            assert await response.json() == {"stopped": False}
        await ask(client)
        async with client.post("/api/chat/stop", data=body) as response:
            assert (await response.json())["stopped"] is False


async def test_a_stop_that_comes_when_the_answer_has_ended_stopped_nothing() -> None:
    async with chat_server(answer()) as server:
        client = await server.visitor()
        async with client.post("/api/chat", json=said(), headers=STREAM) as stream:
            server.dialect.turns[0].may_close.clear()
            await soon(stream.read())
            async with client.post("/api/chat/stop") as response:
                assert (await response.json())["stopped"] is False
            server.dialect.turns[0].may_close.set()


async def test_a_stop_of_too_many_bytes_is_refused() -> None:
    async with chat_server() as server:
        client = await server.visitor()
        async with client.post("/api/chat/stop", data=b"x" * 5000) as response:
            assert response.status == 413


async def test_a_stop_with_a_damaged_body_is_the_senders_fault() -> None:
    async with chat_server() as server:
        client = await server.visitor()
        headers = {"Content-Encoding": "gzip"}
        async with client.post("/api/chat/stop", data=b"no gzip", headers=headers) as response:
            assert response.status == 400


async def test_a_turn_that_is_stopped_before_it_began_ends_its_stream_with_a_word() -> None:
    async with chat_server([[Stopped()]]) as server:
        status, stream = await ask_stream(await server.visitor())

        assert status == 200
        assert [event["text"] for event in events_in(stream)] == ["*Stopped.*"]


async def test_the_app_works_under_a_prefix() -> None:
    dialect = FakeDialect([[Accepted(), csv_made("upstream"), Completed()]])
    dialect.files.there["upstream"] = [b"a,b"]

    @asynccontextmanager
    async def backend(*_: object) -> AsyncIterator[FakeDialect]:
        yield dialect

    sub = await asyncio.to_thread(create_app, Settings(store="sqlite::memory:", secret="x" * 32))
    app = web.Application()
    app.add_subapp("/help", sub)
    with patch("deep_chat_proxy.app.open_backend", backend):
        async with TestClient(TestServer(app)) as client:
            async with client.post("/help/api/chat", json=said()) as response:
                body = await response.json()
                assert "Set-Cookie" in response.headers
            assert body["files"][0]["src"].startswith("/help/api/files/")
            async with client.get(body["files"][0]["src"]) as response:
                assert await response.read() == b"a,b"
            assert len(dialect.asked) == 1


async def test_a_compressed_message_is_refused_unread() -> None:
    async with chat_server() as server:
        client = await server.visitor()
        async with client.post(
            "/api/chat", data=b"\x1f\x8b", headers={"Content-Encoding": "gzip"}
        ) as response:
            assert response.status == 415
            assert await response.json() == {"error": "Please send the message uncompressed."}

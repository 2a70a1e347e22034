"""Whose a thread or a file is: by the cookie, or, without any, by the id that a request names."""

import asyncio
import time
from unittest.mock import patch

import pytest
from aiohttp import FormData

from chat_server import STREAM, Client, ask, ask_stream, chat_server, events_in, said
from deep_chat_proxy.browser.ownership import may_touch, own_file, own_thread
from deep_chat_proxy.errors import FILE_NOT_FOUND, THREAD_NOT_FOUND, ChatError
from deep_chat_proxy.middleware.sealing import SessionData
from deep_chat_proxy.middleware.session import Session
from deep_chat_proxy.store.records import FileRecord, ThreadRecord
from deep_chat_proxy.turn.events import Accepted, Completed, FileKind, FileMade, TextDelta
from playing import Step

DAY = 24 * 3600
ANSWER: list[Step] = [[Accepted(), TextDelta("Hi"), Completed()]]
MADE: list[Step] = [[Accepted(), FileMade("file-upstream", "plot.png", FileKind.IMAGE), Completed()]]
GONE = {"error": "This conversation was not found. Please start a new one."}
GONE_FILE = {"error": "This file was not found."}


class CountedStore:
    """Holds a thread and a file of it, and counts what is asked."""

    def __init__(self, visitor: str, used_at: float) -> None:
        self.asked: list[str] = []
        self._threads = {"thread": ThreadRecord("thread", visitor, used_at)}
        self._files = {"file": FileRecord("file", "thread", visitor, "file-upstream", "a", FileKind.ANY)}

    async def thread(self, thread_id: str) -> ThreadRecord | None:
        self.asked.append("thread")
        return self._threads.get(thread_id)

    async def file(self, file_id: str) -> FileRecord | None:
        self.asked.append("file")
        return self._files.get(file_id)


@pytest.mark.parametrize("name", ["thread", "made up"])
@pytest.mark.parametrize(
    "session",
    [Session(SessionData("B")), Session(SessionData("B"), handle_lifetime=DAY)],
    ids=["cookie", "handle"],
)
async def test_what_is_not_the_visitors_is_as_much_work_as_what_is_not_there(
    session: Session, name: str
) -> None:
    store = CountedStore("A", time.time() - 2 * DAY)
    with pytest.raises(ChatError) as refused:
        await own_thread(store, session, name)  # type: ignore[arg-type]
    with pytest.raises(ChatError) as refused_file:
        await own_file(store, session, name.replace("thread", "file"))  # type: ignore[arg-type]

    assert (refused.value.problem, refused.value.cause) == (THREAD_NOT_FOUND, "")
    assert (refused_file.value.problem, refused_file.value.cause) == (FILE_NOT_FOUND, "")
    assert store.asked == ["thread", "file", "thread"]


def test_a_cookie_opens_the_threads_of_its_visitor_whenever_they_were_used() -> None:
    session = Session(SessionData("A"))

    assert may_touch(session, ThreadRecord("thread", "A", 0.0))
    assert not may_touch(session, ThreadRecord("thread", "B", time.time()))


@pytest.mark.parametrize(("ago", "opens"), [(0, True), (DAY - 60, True), (DAY + 1, False)])
def test_without_cookies_an_id_opens_its_thread_for_a_while_after_its_last_use(
    ago: float, opens: bool
) -> None:
    session = Session(SessionData("whoever"), handle_lifetime=DAY)

    assert may_touch(session, ThreadRecord("thread", "A", time.time() - ago)) is opens


async def stop(client: Client, **body: str) -> tuple[int, object]:
    async with client.post("/api/chat/stop", json=body) as response:
        return response.status, await response.json()


async def test_without_cookies_a_conversation_goes_on_by_its_id_from_anywhere() -> None:
    async with chat_server(ANSWER, ANSWER, ANSWER, ANSWER, visitors="handle") as server:
        one, other = await server.visitor(), await server.visitor()
        _, first = await ask(one)
        thread_id = first["thread_id"]
        _, named = await ask(other, "By name", thread_id=thread_id)
        form = FormData({"message1": '{"role":"user","text":"In a form"}', "thread_id": f'"{thread_id}"'})
        async with other.post("/api/chat", data=form, headers=STREAM) as response:
            streamed = events_in(await response.read())
            assert "Set-Cookie" not in response.headers
        messages = [
            {"role": "ai", "text": "Hi", "_sessionId": thread_id},
            {"role": "user", "text": "By echo"},
        ]
        _, echoed = await ask(other, messages=messages)

        assert {named["thread_id"], *(event["thread_id"] for event in streamed), echoed["thread_id"]} == {
            thread_id
        }
        assert not len(one.session.cookie_jar)
        assert not len(other.session.cookie_jar)


async def test_without_cookies_and_without_an_id_every_message_is_a_new_visitors() -> None:
    async with chat_server(ANSWER, ANSWER, visitors="handle") as server:
        client = await server.visitor()
        (_, first), (_, second) = await ask(client), await ask(client)
        records = [await server.chat.store.thread(body["thread_id"]) for body in (first, second)]
        visitors = {record.visitor for record in records if record is not None}

        assert len(visitors) == 2
        assert await stop(client) == (200, {"stopped": False})
        async with client.get("/api/chat/resume") as response:
            assert response.status == 204


async def test_without_cookies_a_turn_is_followed_and_stopped_by_the_id_of_its_thread() -> None:
    async with chat_server([[Accepted(), TextDelta("Hi")], None], visitors="handle") as server:
        client = await server.visitor()
        async with asyncio.timeout(5), client.post("/api/chat", json=said(), headers=STREAM) as response:
            (turn,) = server.chat.turns._active.values()
            assert await stop(client) == (200, {"stopped": False})
            async with client.get("/api/chat/resume", params={"thread_id": turn.thread_id}) as resumed:
                assert resumed.status == 200
                assert await stop(client, thread_id=turn.thread_id) == (
                    200,
                    {"stopped": True, "thread_id": turn.thread_id},
                )
                await resumed.read()
            await response.read()


async def test_without_cookies_a_cookie_of_before_counts_for_nothing() -> None:
    async with chat_server(ANSWER, secret="k" * 16) as before:
        of_before = await before.visitor()
        await ask(of_before)
        cookies = {cookie.key: cookie.value for cookie in of_before.session.cookie_jar}
    async with chat_server(ANSWER, ANSWER, secret="k" * 16, visitors="handle") as server:
        client = await server.visitor()
        client.session.cookie_jar.update_cookies(cookies)
        (_, first), (_, second) = await ask(client), await ask(client)

        assert cookies
        assert first["thread_id"] != second["thread_id"]


async def test_an_id_that_has_expired_is_as_one_that_never_was() -> None:
    async with chat_server(MADE, visitors="handle", handle_days=1) as server:
        server.dialect.files.there["file-upstream"] = [b"png"]
        client = await server.visitor()
        _, body = await ask(client)
        address, thread_id = body["files"][0]["src"], body["thread_id"]
        async with client.get(address) as response:
            assert response.status == 200

        later = time.time() + 1.1 * DAY
        with patch("deep_chat_proxy.browser.ownership.time.time", return_value=later):
            for name in (thread_id, "made-up"):
                assert await ask(client, thread_id=name) == (404, GONE)
                assert await stop(client, thread_id=name) == (404, GONE)
                async with client.get("/api/chat/resume", params={"thread_id": name}) as response:
                    assert (response.status, await response.json()) == (404, GONE)
            for path in (address, "/api/files/made-up/plot.png"):
                async with client.get(path) as response:
                    assert (response.status, await response.json()) == (404, GONE_FILE)


async def test_an_error_names_the_thread_that_a_message_was_sent_to_without_cookies_too() -> None:
    async with chat_server([ChatError(THREAD_NOT_FOUND)], visitors="handle") as server:
        status, body = await ask_stream(await server.visitor())

        assert status == 404
        assert b'"thread_id"' in body

"""A visitor's threads over real sockets: listed, opened, named and deleted, and all of them at once."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import FormData

from browser.test_chat import NEVER, PNG, answer
from chat_server import STREAM, ChatServer, Client, ask, chat_server, events_in, said
from deep_chat_proxy.errors import THREAD_NOT_FOUND, TOO_MANY_THREADS, UNREACHABLE, ChatError
from deep_chat_proxy.turn.events import Accepted, Completed, FileKind, FileMade, TextDelta
from deep_chat_proxy.turn.held import Held, HeldKind
from deep_chat_proxy.turn.transcript import Anchor, AnchorKind
from playing import Step, csv_made, soon, until

NOT_FOUND = (404, {"error": THREAD_NOT_FOUND.sentence})


async def call(client: Client, method: str, path: str, **fields: Any) -> tuple[int, Any]:
    async with asyncio.timeout(5), client.request(method, path, **fields) as response:
        return response.status, await response.json()


async def titles(client: Client, page: int = 0) -> list[str]:
    status, body = await call(client, "GET", f"/api/threads?page={page}")
    assert status == 200
    return [thread["title"] for thread in body["threads"]]


async def new_thread(client: Client) -> str:
    status, body = await call(client, "POST", "/api/threads")
    assert status == 201
    return str(body["thread_id"])


async def thread_with(client: Client, text: str = "Hello") -> str:
    """A new thread with a message on it."""
    thread_id = await new_thread(client)
    status, body = await ask(client, text)
    assert (status, body["thread_id"]) == (200, thread_id)
    return thread_id


async def test_threads_are_listed_with_the_one_that_was_used_last_first() -> None:
    async with chat_server(answer(), answer(), answer()) as server:
        client = await server.visitor()
        first, second = [await thread_with(client, text) for text in ("What is a thread?", "And this?")]
        await ask(client, "Once more", thread_id=first)

        _, body = await call(client, "GET", "/api/threads")

        assert [(each["title"], each["thread_id"], each["current"]) for each in body["threads"]] == [
            ("What is a thread?", first, True),
            ("And this?", second, False),
        ]
        assert body["more"] is False
        assert all(each["used_at"] > 1_700_000_000 and not each["answering"] for each in body["threads"])


async def test_a_thread_that_is_being_answered_says_so() -> None:
    async with chat_server(NEVER) as server:
        client = await server.visitor()
        async with client.post("/api/chat", json=said(), headers=STREAM) as stream:
            await soon(stream.content.readuntil(b"Once"))
            _, body = await call(client, "GET", "/api/threads")

            assert [each["answering"] for each in body["threads"]] == [True]


async def test_threads_without_a_message_are_not_listed() -> None:
    async with chat_server() as server:
        client = await server.visitor()
        await new_thread(client)

        assert await titles(client) == []


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("  What\n is\tthis? ", "What is this?"),
        ("a" * 100, "a" * 59 + "…"),
        ("word " * 30, ("word " * 11).strip() + "…"),
        ("日本語" * 30, "日本語" * 19 + "日本…"),
    ],
)
async def test_a_thread_is_called_after_its_first_message(text: str, title: str) -> None:
    async with chat_server(answer(), answer()) as server:
        client = await server.visitor()
        await ask(client, text)
        await ask(client, "Something else")

        assert await titles(client) == [title]


async def test_a_thread_that_begins_with_a_file_is_called_after_it() -> None:
    async with chat_server(answer()) as server:
        client = await server.visitor()
        async with asyncio.timeout(5), client.post("/api/chat", data=with_file()) as response:
            assert response.status == 200

        assert await titles(client) == ["cat.png"]


def with_file() -> FormData:
    form = FormData()
    form.add_field("files", PNG, filename="cat.png", content_type="image/png")
    return form


async def test_a_title_is_made_by_a_model_where_one_is_set() -> None:
    async with chat_server(answer(), answer(), title_model="small-1") as server:
        client = await server.visitor()
        await ask(client, "Hello")
        await ask(client, "Something else")
        await until(lambda: len(server.chat.tasks) == 0)

        assert await titles(client) == ["small-1: Hello"]


async def test_a_thread_keeps_its_first_words_where_no_model_makes_a_title() -> None:
    async with chat_server(answer(), answer(), title_model="small-1") as server:
        client = await server.visitor()
        await thread_with(client, "no title")
        server.dialect.down = ChatError(UNREACHABLE, "down")
        await thread_with(client, "Hello")
        await until(lambda: len(server.chat.tasks) == 0)

        assert sorted(await titles(client)) == ["Hello", "no title"]


async def test_a_thread_can_be_opened_and_the_next_message_goes_there() -> None:
    async with chat_server(answer(), answer(), answer()) as server:
        client = await server.visitor()
        first, _ = await thread_with(client), await thread_with(client)

        assert await call(client, "POST", f"/api/threads/{first}") == (200, {"thread_id": first})
        _, body = await ask(client)

        assert body["thread_id"] == first


async def test_a_thread_can_be_named() -> None:
    async with chat_server(answer()) as server:
        client = await server.visitor()
        thread_id = await thread_with(client)
        named = await call(client, "PATCH", f"/api/threads/{thread_id}", json={"title": "  My \n cat\u202e "})

        assert named == (200, {"thread_id": thread_id, "title": "My cat"})
        assert await titles(client) == ["My cat"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b'"x"',
        b'{"title": null}',
        b'{"title": 5}',
        b'{"title": " \\n "}',
        b'{"title": "' + b"x" * 201 + b'"}',
        b"{",
    ],
)
async def test_a_title_that_is_none_is_refused(body: bytes) -> None:
    async with chat_server(answer()) as server:
        client = await server.visitor()
        thread_id = await thread_with(client)
        status, told = await call(client, "PATCH", f"/api/threads/{thread_id}", data=body)

        assert (status, told["error"]) == (400, "A title must have 1 to 200 characters.")
        assert await titles(client) == ["Hello"]


async def test_a_title_that_is_much_too_long_is_refused_unread() -> None:
    async with chat_server(answer()) as server:
        client = await server.visitor()
        thread_id = await thread_with(client)

        assert (await call(client, "PATCH", f"/api/threads/{thread_id}", data=b"x" * 5000))[0] == 413


async def test_a_list_has_pages() -> None:
    async with chat_server(*[answer()] * 51) as server:
        client = await server.visitor()
        for number in range(51):
            await thread_with(client, f"Thread {number}")
        _, first = await call(client, "GET", "/api/threads")
        _, second = await call(client, "GET", "/api/threads?page=1")

        assert (len(first["threads"]), first["more"]) == (50, True)
        assert ([each["title"] for each in second["threads"]], second["more"]) == (["Thread 0"], False)


@pytest.mark.parametrize("page", ["-1", "x", "1.5", "", "9" * 30, "٣"])
async def test_a_page_that_is_none_is_refused(page: str) -> None:
    async with chat_server() as server:
        client = await server.visitor()
        for path in ("/api/threads", "/api/history"):
            assert (await call(client, "GET", path, params={"page": page}))[0] == 400


async def test_a_thread_that_was_deleted_is_not_there_any_more() -> None:
    async with chat_server(answer(opened="thread_abc"), answer()) as server:
        client = await server.visitor()
        thread_id = await thread_with(client)

        assert await call(client, "DELETE", f"/api/threads/{thread_id}") == (200, {"deleted": True})

        assert await titles(client) == []
        for method, path in (
            ("POST", f"/api/threads/{thread_id}"),
            ("DELETE", f"/api/threads/{thread_id}"),
            ("GET", f"/api/history?thread_id={thread_id}"),
            ("GET", f"/api/chat/resume?thread_id={thread_id}"),
        ):
            assert await call(client, method, path) == NOT_FOUND
        _, body = await ask(client)
        assert body["thread_id"] != thread_id


async def test_what_the_back_end_holds_of_a_thread_is_deleted_too() -> None:
    script: list[Step] = [[Accepted(), csv_made("file-made"), TextDelta("Hi"), Completed()]]
    async with chat_server(answer(opened="thread_abc"), script) as server:
        client = await server.visitor()
        thread_id = await thread_with(client)
        await ask(client)
        await call(client, "DELETE", f"/api/threads/{thread_id}")
        await until(lambda: len(server.dialect.deleted) == 2)

        assert set(server.dialect.deleted) == {
            Held(HeldKind.THREAD, "thread_abc"),
            Held(HeldKind.FILE, "file-made"),
        }


async def test_a_turn_that_goes_on_is_stopped_when_its_thread_is_deleted() -> None:
    async with chat_server(NEVER) as server:
        client = await server.visitor()
        async with client.post("/api/chat", json=said(), headers=STREAM) as stream:
            beginning = await soon(stream.content.readuntil(b"Once"))
            thread_id = (await call(client, "GET", "/api/threads"))[1]["threads"][0]["thread_id"]
            deleted = await call(client, "DELETE", f"/api/threads/{thread_id}")
            await soon(stream.content.read())

        assert beginning
        assert deleted == (200, {"deleted": True})
        assert server.dialect.turns[0].closed == 1
        assert not server.chat.turns


async def test_files_of_a_thread_go_with_it(tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.write_bytes(b"1,2")
    script: list[Step] = [[Accepted(), FileMade("", "a.csv", FileKind.ANY, made), Completed()]]
    store = tmp_path / "store" / "s.sqlite3"
    async with chat_server(script, store=f"sqlite:{store}") as server:
        client = await server.visitor()
        async with asyncio.timeout(5), client.post("/api/chat", data=with_file()) as response:
            body = await response.json()
        folder = store.with_suffix(".files")
        assert len(await asyncio.to_thread(list, folder.iterdir())) == 2

        await call(client, "DELETE", f"/api/threads/{body['thread_id']}")

        await until(lambda: not list(folder.iterdir()))
        async with client.get(body["files"][0]["src"]) as response:
            assert response.status == 404


async def test_a_visitor_can_have_so_many_threads_and_those_without_a_message_make_room() -> None:
    async with chat_server(answer(), answer(), answer(), max_threads=2) as server:
        client = await server.visitor()
        first = await thread_with(client)
        await new_thread(client)
        await thread_with(client)

        assert await call(client, "POST", "/api/threads") == (
            409,
            {"error": TOO_MANY_THREADS.sentence, "thread_id": (await current(client))},
        )
        await call(client, "DELETE", f"/api/threads/{first}")
        await thread_with(client)


async def current(client: Client) -> str:
    _, body = await call(client, "GET", "/api/threads")
    return next(str(each["thread_id"]) for each in body["threads"] if each["current"])


async def test_threads_that_were_not_used_for_long_go_by_themselves(tmp_path: Path) -> None:
    store = f"sqlite:{tmp_path / 's.sqlite3'}"
    async with chat_server(answer(opened="thread_abc"), store=store) as server:
        client = await server.visitor()
        await thread_with(client)
    # 864 seconds.
    async with chat_server(store=store, keep_days=0.01) as server:
        await age(server, 800)
        assert not await gone(server)
        await age(server, 900)
        assert await gone(server)
        server.chat.leaving.hurry()
        await until(lambda: server.dialect.deleted == [Held(HeldKind.THREAD, "thread_abc")])


async def age(server: ChatServer, seconds: float) -> None:
    database = server.chat.threads._database  # type: ignore[attr-defined]
    await database.insert("UPDATE thread SET used_at = unixepoch() - ?", (seconds,))


async def gone(server: ChatServer) -> bool:
    threads: Any = server.chat.threads
    return bool(await threads.expire(864.0))


async def test_everything_of_a_visitor_goes_with_their_session() -> None:
    async with chat_server(answer(opened="one"), answer(opened="two"), answer()) as server:
        client, other = await server.visitor(), await server.visitor()
        mine = [await thread_with(client), await thread_with(client)]
        await ask(other, "Mine")

        async with client.delete("/api/session") as response:
            assert (response.status, await response.json()) == (200, {"deleted": True})
            assert "deep_chat_session=" in response.headers["Set-Cookie"]

        assert await titles(client) == []
        assert [await call(client, "POST", f"/api/threads/{each}") for each in mine] == [NOT_FOUND] * 2
        assert await titles(other) == ["Mine"]
        await until(lambda: {held.held_id for held in server.dialect.deleted} == {"one", "two"})


async def test_without_cookies_there_is_no_session_to_end() -> None:
    async with chat_server(answer(), visitors="handle") as server:
        client = await server.visitor()
        _, body = await ask(client)

        assert (await call(client, "DELETE", "/api/session"))[0] == 400
        history = f"/api/history?thread_id={body['thread_id']}"
        assert len((await call(client, "GET", history))[1]) == 2


async def test_a_turn_whose_thread_was_deleted_under_it_ends_as_one_that_is_not_there() -> None:
    goes_on = asyncio.Event()
    script: list[Step] = [
        [Accepted(), TextDelta("Once")],
        goes_on,
        Anchor(AnchorKind.THREAD, "thread_abc"),
        [Completed()],
    ]
    async with chat_server(script) as server:
        client = await server.visitor()
        async with client.post("/api/chat", json=said(), headers=STREAM) as stream:
            await soon(stream.content.readuntil(b"Once"))
            # As another process does, which does not know that a turn goes on here.
            await server.chat.threads.delete(await current(client))
            goes_on.set()
            rest = await soon(stream.content.read())

        assert events_in(rest)[-1]["error"] == THREAD_NOT_FOUND.sentence

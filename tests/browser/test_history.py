"""What was said on a thread, in the shapes that Deep Chat's `loadHistory` takes, in pages."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import FormData
from yarl import URL

from browser.test_chat import NEVER, PNG, answer
from browser.test_threads import call, thread_with
from chat_server import STREAM, ChatServer, Client, ask, chat_server, said
from deep_chat_proxy.browser.frames import CUT_NOTES, FILES_ONLY
from deep_chat_proxy.errors import FAILED, Problem
from deep_chat_proxy.turn.events import (
    Accepted,
    Cited,
    Completed,
    Cut,
    Failed,
    Stopped,
    TextDelta,
    UpstreamEvent,
)
from playing import csv_made, soon, until


def turn(*events: UpstreamEvent) -> Sequence[Sequence[UpstreamEvent]]:
    return [[Accepted(), *events]]


async def history(client: Client, **query: Any) -> list[Any]:
    status, body = await call(client, "GET", "/api/history", params=query)
    assert status == 200
    assert isinstance(body, list)
    return body


async def last_turn(server: ChatServer, client: Client) -> list[Any]:
    """The elements of a thread's one exchange, without the ids in them."""
    await until(lambda: not server.chat.turns)
    items = await history(client)
    for item in items:
        custom = item.get("custom", {})
        assert isinstance(custom.pop("turn_id", ""), str)
        item.pop("_sessionId", None)
    return items


async def test_an_exchange_is_what_was_asked_and_what_was_answered() -> None:
    async with chat_server(answer("Hello yourself.")) as server:
        client = await server.visitor()
        _, body = await ask(client, "Hello")

        assert await history(client) == [
            {"role": "user", "text": "Hello", "custom": {"turn_id": body["turn_id"]}},
            {
                "role": "ai",
                "text": "Hello yourself.",
                "custom": {"turn_id": body["turn_id"]},
                "_sessionId": body["thread_id"],
            },
        ]


@pytest.mark.parametrize(
    ("events", "shown"),
    [
        ([TextDelta("Half"), Stopped()], [{"text": "Half\n\n*Stopped.*", "custom": {"ended": "stopped"}}]),
        ([Stopped()], [{"text": "*Stopped.*", "custom": {"ended": "stopped"}}]),
        (
            [TextDelta("Half"), Failed(FAILED)],
            [{"text": "Half", "custom": {"ended": "failed"}}, {"error": FAILED.sentence}],
        ),
        ([Failed(FAILED)], [{"error": FAILED.sentence}]),
        (
            [TextDelta("Half"), Completed(Cut.LENGTH)],
            [{"text": f"Half\n\n{CUT_NOTES[Cut.LENGTH]}", "custom": {"ended": "cut"}}],
        ),
        ([Completed(Cut.LENGTH)], [{"text": CUT_NOTES[Cut.LENGTH], "custom": {"ended": "cut"}}]),
    ],
)
async def test_how_a_turn_ended_is_marked(events: list[UpstreamEvent], shown: list[dict[str, Any]]) -> None:
    async with chat_server(turn(*events)) as server:
        client = await server.visitor()
        await ask(client, "Hello")

        _, *answered = await last_turn(server, client)

        assert answered == [each if "error" in each else {"role": "ai", **each} for each in shown]


async def test_a_turn_that_goes_on_has_its_message_only() -> None:
    async with chat_server(NEVER) as server:
        client = await server.visitor()
        async with client.post("/api/chat", json=said("Hello"), headers=STREAM) as stream:
            await soon(stream.content.readuntil(b"Once"))
            items = await history(client)

        assert [item["role"] for item in items] == ["user"]


async def test_files_of_the_assistant_are_shown_with_the_answer() -> None:
    async with chat_server(turn(TextDelta("There:"), csv_made(), Completed())) as server:
        client = await server.visitor()
        _, body = await ask(client)

        (_, answered) = await last_turn(server, client)

        assert (answered["text"], answered["files"]) == ("There:", body["files"])


async def test_sources_are_shown_as_they_were() -> None:
    cited = Cited("S", "https://s.example", marker="【4:0†source】")
    async with chat_server(turn(TextDelta("One【4:0†source】."), cited, Completed())) as server:
        client = await server.visitor()
        _, body = await ask(client, "Hello")
        (_, shown) = await last_turn(server, client)

        assert (shown["text"], shown["custom"]) == (body["text"], body["custom"])


async def test_an_answer_of_files_alone_says_so_as_it_did_before() -> None:
    async with chat_server(turn(csv_made(), Completed())) as server:
        client = await server.visitor()
        _, body = await ask(client)

        (_, answered) = await last_turn(server, client)

        assert answered["text"] == FILES_ONLY == body["text"]


async def send(client: Client, text: str | None, *files: tuple[str, bytes]) -> Any:
    form = FormData(quote_fields=False)
    for name, data in files:
        form.add_field("files", data, filename=name, content_type="application/octet-stream")
    if text is not None:
        form.add_field("message1", '{"role": "user", "text": "' + text + '"}')
    async with asyncio.timeout(5), client.post("/api/chat", data=form) as response:
        return await response.json()


async def test_files_that_were_sent_can_be_fetched_again() -> None:
    async with chat_server(answer()) as server:
        client = await server.visitor()
        await send(client, "Look", ("cat.png", PNG), ("a b.csv", b"1,2"))

        asked, _ = await last_turn(server, client)

        assert [(file["name"], file["type"]) for file in asked["files"]] == [
            ("cat.png", "image"),
            ("a b.csv", "any"),
        ]
        for file, data in zip(asked["files"], [PNG, b"1,2"], strict=True):
            async with client.get(file["src"]) as response:
                assert (response.status, await response.read()) == (200, data)


async def test_a_message_of_files_alone_has_no_text() -> None:
    async with chat_server(answer()) as server:
        client = await server.visitor()
        await send(client, None, ("cat.png", PNG))

        asked, _ = await last_turn(server, client)

        assert "text" not in asked
        assert [file["name"] for file in asked["files"]] == ["cat.png"]


async def test_files_that_had_to_make_room_are_named_only() -> None:
    async with chat_server(answer(), kept_files=len(PNG)) as server:
        client = await server.visitor()
        await send(client, "Look", ("old.png", PNG), ("new.png", PNG))

        asked, _ = await last_turn(server, client)

        old, new = asked["files"]
        assert old == {"name": "old.png", "type": "any"}
        assert new["src"].endswith("/new.png")


async def test_of_files_that_were_refused_nothing_stays_but_their_names(tmp_path: Path) -> None:
    store = tmp_path / "s.sqlite3"
    refusal = Failed(Problem("file_not_taken", 415, "The assistant cannot read it."))
    async with chat_server([[refusal]], store=f"sqlite:{store}") as server:
        client = await server.visitor()
        await send(client, "Look", ("cat.png", PNG))

        asked, failed = await last_turn(server, client)
        await until(lambda: not list(store.with_suffix(".files").iterdir()))

        assert asked["files"] == [{"name": "cat.png", "type": "any"}]
        assert failed == {"error": "The assistant cannot read it."}


@pytest.mark.parametrize("by_cursor", [False, True])
async def test_pages_go_from_the_newest_to_the_oldest(by_cursor: bool) -> None:
    async with chat_server(*[answer()] * 5, history_page=2) as server:
        client = await server.visitor()
        for number in range(5):
            await ask(client, str(number))
        found, query = [], {"page": "0"}
        for page in range(3):
            async with client.get("/api/history", params=query) as response:
                body = await response.json()
                link = response.links.get("next")
            *items, more = body if page < 2 else [*body, None]
            assert more is (False if page < 2 else None)
            assert (link is not None) is (page < 2)
            found.append([item["text"] for item in items if item["role"] == "user"])
            cursor = dict(URL(str(link["url"])).query) if by_cursor and link is not None else None
            query = cursor or {"page": str(page + 1)}

        assert found == [["3", "4"], ["1", "2"], ["0"]]


async def test_a_cursor_stays_where_it_is_while_messages_are_added() -> None:
    async with chat_server(*[answer()] * 4, history_page=1) as server:
        client = await server.visitor()
        for number in range(3):
            await ask(client, str(number))
        async with client.get("/api/history") as response:
            query = URL(str(response.links["next"]["url"])).query
        await ask(client, "3")
        items = await history(client, **query)

        assert items[0]["text"] == "1"


async def test_there_is_nothing_of_a_thread_without_a_message_or_of_none() -> None:
    async with chat_server() as server:
        client = await server.visitor()
        assert await history(client) == []
        await call(client, "POST", "/api/threads")
        assert await history(client) == []


async def test_a_page_beyond_the_oldest_is_empty() -> None:
    async with chat_server(answer()) as server:
        client = await server.visitor()
        await ask(client)

        assert await history(client, page="7") == []
        assert await history(client, before="0") == []


async def test_history_is_that_of_the_thread_which_is_named() -> None:
    async with chat_server(answer(), answer()) as server:
        client = await server.visitor()
        first = await thread_with(client, "One")
        await thread_with(client, "Two")

        items = await history(client, thread_id=first)

        assert items[0]["text"] == "One"


async def test_history_outlives_a_restart(tmp_path: Path) -> None:
    store = f"sqlite:{tmp_path / 's.sqlite3'}"
    async with chat_server(answer("Yes."), store=store) as server:
        client = await server.visitor()
        await send(client, "Look", ("cat.png", PNG))
        before = await history(client)
    async with chat_server(store=store) as server:
        again = await server.visitor(of=client)
        assert await history(again) == before
        async with again.get(before[0]["files"][0]["src"]) as response:
            assert await response.read() == PNG


async def test_there_is_nothing_of_a_current_thread_that_has_gone() -> None:
    async with chat_server(answer()) as server:
        client = await server.visitor()
        _, body = await ask(client)
        await server.chat.threads.delete(body["thread_id"])

        assert await history(client) == []
        async with client.get("/api/chat/resume") as response:
            assert response.status == 204
        assert await call(client, "POST", "/api/chat/stop") == (200, {"stopped": False})


async def test_a_page_of_another_origin_gets_whole_addresses() -> None:
    origin = "https://shop.example"
    async with chat_server(answer(), answer(), history_page=1, allowed_origins=(origin,)) as server:
        client = await server.visitor()
        for _ in range(2):
            await ask(client)
        async with client.get("/api/history", headers={"Origin": origin}) as response:
            older = str(response.links["next"]["url"])
            assert response.headers["Link"].startswith(f"<http://{server.host}/api/history?")

        assert older.startswith(f"http://{server.host}/api/history?")

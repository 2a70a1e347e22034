"""A turn followed once more, from wherever a page was: in the end it shows what every other page shows."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec import Struct

from chat_server import STREAM, ChatServer, Client, ask, ask_stream, chat_server, events_in, said
from deep_chat_proxy.errors import CUT_OFF, FAILED, THREAD_NOT_FOUND, ChatError
from deep_chat_proxy.turn.events import (
    Accepted,
    Completed,
    Cut,
    Failed,
    PartStarted,
    Status,
    Stopped,
    TextDelta,
    TextReplaced,
    UpstreamEvent,
    Usage,
)
from playing import Step, csv_made, settle, soon, until

RESUME = "/api/chat/resume"


class Shown(Struct, frozen=True):
    """What a page has in front of it: the bubble, its files, and the error behind it."""

    text: str = ""
    files: tuple[str, ...] = ()
    error: str | None = None

    def after(self, events: Sequence[Any]) -> "Shown":
        text, files, error = self.text, self.files, self.error
        for event in events:
            if "text" in event:
                text = event["text"] if event.get("overwrite") else text + event["text"]
            files += tuple(file["src"] for file in event.get("files", ()))
            error = event.get("error", error)
        return Shown(text, files, error)


def in_pieces(stream: bytes) -> list[tuple[str, bytes]]:
    """A stream cut behind every event that has an id: that id, and all up to it."""
    return [
        (found[1].decode(), stream[: found.end()])
        for found in re.finditer(rb"id: (\S+)\ndata: [^\n]*\n\n", stream)
    ]


async def resumed(
    client: Client, event_id: str | None = None, thread_id: str | None = None
) -> tuple[int, bytes]:
    """Ask for the turn of a thread once more; status and body."""
    headers = {} if event_id is None else {"Last-Event-ID": event_id}
    params = {} if thread_id is None else {"thread_id": thread_id}
    async with asyncio.timeout(5), client.get(RESUME, headers=headers, params=params) as response:
        return response.status, await response.read()


async def ended(server: ChatServer) -> None:
    """Nothing of a turn runs any more, so that what is left of it is in the store."""
    await until(lambda: not server.chat.turns)


ANSWERS: dict[str, list[Sequence[UpstreamEvent]]] = {
    "text": [[Accepted()], [TextDelta("One ")], [TextDelta("two ")], [TextDelta("three.")], [Completed()]],
    "all at once": [[Accepted(), TextDelta("One "), TextDelta("two."), Completed()]],
    "statuses": [[Status("Queued")], [Accepted()], [Status("Thinking")], [TextDelta("Hi")], [Completed()]],
    "files": [[Accepted()], [TextDelta("See ")], [csv_made("f1")], [TextDelta("here.")], [csv_made("f2")], [Completed()]],
    "files alone": [[Accepted()], [csv_made("f1")], [Completed()]],
    "replaced": [[Accepted()], [TextDelta("Wrong")], [TextReplaced("Right")], [TextDelta(".")], [Completed()]],
    "taken back": [[Accepted()], [TextDelta("Wrong")], [TextReplaced("")], [TextDelta("Right.")], [Completed()]],
    "cut": [[Accepted()], [TextDelta("One ")], [Completed(Cut.LENGTH)]],
    "empty and cut": [[Accepted()], [Completed(Cut.CONTENT_FILTER)]],
    "stopped": [[Accepted()], [TextDelta("One ")], [Stopped()]],
    "stopped early": [[Accepted()], [Stopped()]],
    "failed": [[Accepted()], [TextDelta("One ")], [Failed(FAILED)]],
    "failed early": [[Accepted()], [Failed(FAILED)]],
    "parts": [[Accepted()], [TextDelta("One.")], [PartStarted(), TextDelta("Two."), Usage(1, 2)], [Completed()]],
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("log_events", [100, 2])
async def test_a_page_that_was_at_any_event_of_a_turn_that_ended_shows_what_every_page_shows(
    name: str, log_events: int
) -> None:
    async with chat_server(list(ANSWERS[name]), log_events=log_events, grace=60.0) as server:
        client = await server.visitor()
        _, stream = await ask_stream(client)
        await ended(server)
        whole = Shown().after(events_in(stream))

        for event_id, seen in in_pieces(stream):
            before = Shown().after(events_in(seen))
            status, rest = await resumed(client, event_id)
            assert (event_id, status) == (event_id, 200 if events_in(rest) else 204)
            assert (event_id, before.after(events_in(rest))) == (event_id, whole)


@pytest.mark.parametrize("name", ANSWERS)
async def test_pages_that_come_back_to_a_turn_under_way_show_what_every_page_shows(name: str) -> None:
    gates = [asyncio.Event() for _ in ANSWERS[name]]
    steps: list[Step] = [
        step for gate, batch in zip(gates, ANSWERS[name], strict=True) for step in (gate, batch)
    ]
    async with chat_server(steps, grace=60.0) as server:
        client = await server.visitor()
        async with client.post("/api/threads"):
            # Who the visitor is comes with the headers of the first answer.
            pass
        places: list[int] = []
        async with asyncio.TaskGroup() as group:
            pages = [group.create_task(ask_stream(client))]
            await until(lambda: followers(server) == 1)
            for gate in gates:
                # Two more before each batch of events: one that was reloaded, and one that lost its connection.
                (turn,) = server.chat.turns._active.values()
                places.append(turn.log.last_id)
                pages.append(group.create_task(resumed(client)))
                pages.append(group.create_task(resumed(client, f"{turn.log_id}-{places[-1]}")))
                await until(lambda: followers(server) == len(pages))
                gate.set()
                await settle()

        stream = pages[0].result()[1]
        whole = Shown().after(events_in(stream))
        rests = [events_in(page.result()[1]) for page in pages[1:]]
        for place, anew, rest in zip(places, rests[::2], rests[1::2], strict=True):
            assert (place, Shown().after(anew)) == (place, whole)
            seen = [
                up_to for event_id, up_to in in_pieces(stream) if int(event_id.rpartition("-")[2]) <= place
            ]
            before = Shown().after(events_in(seen[-1])) if seen else Shown()
            assert (place, before.after(rest)) == (place, whole)


def followers(server: ChatServer) -> int:
    """How many pages follow the one turn that is under way."""
    return sum(turn._followers for turn in server.chat.turns._active.values())


@asynccontextmanager
async def left_in_the_middle(
    *batches: Sequence[UpstreamEvent], until_text: bytes, **settings: Any
) -> AsyncIterator[tuple[ChatServer, Client, bytes, asyncio.Event]]:
    """A turn whose page has gone when it had this text; it goes on when the event is set."""
    goes_on = asyncio.Event()
    first, *others = batches
    script: list[Step] = [first, goes_on, *others]
    chosen = {"grace": 60.0, "shutdown": 1.0, **settings}
    async with chat_server(script, **chosen) as server:
        client = await server.visitor()
        async with client.post("/api/chat", json=said(), headers=STREAM) as response:
            seen = await soon(response.content.readuntil(until_text))
            seen += await soon(response.content.readuntil(b"\n\n"))
            response.close()
        await until(lambda: not followers(server))
        yield server, client, seen, goes_on


async def test_a_page_that_lost_its_connection_goes_on_where_it_was() -> None:
    async with left_in_the_middle(
        [Accepted(), TextDelta("One ")], [TextDelta("two."), Completed()], until_text=b"One"
    ) as (server, client, seen, goes_on):
        ((event_id, _),) = in_pieces(seen)
        async with asyncio.TaskGroup() as group:
            again = group.create_task(resumed(client, event_id))
            await until(lambda: followers(server))
            goes_on.set()
        status, rest = again.result()

        assert (status, Shown().after(events_in(seen)).after(events_in(rest)).text) == (200, "One two.")
        assert [event["text"] for event in events_in(rest)] == ["two."]


async def test_a_page_that_was_reloaded_has_all_of_it() -> None:
    async with left_in_the_middle(
        [Accepted(), TextDelta("One ")], [TextDelta("two."), Completed()], until_text=b"One"
    ) as (server, client, _, goes_on):
        async with asyncio.TaskGroup() as group:
            again = group.create_task(resumed(client))
            await until(lambda: followers(server))
            goes_on.set()

        assert Shown().after(events_in(again.result()[1])).text == "One two."


async def test_whoever_comes_back_keeps_the_turn_going() -> None:
    async with (
        left_in_the_middle(
            [Accepted(), TextDelta("One ")], [TextDelta("two."), Completed()], until_text=b"One", grace=1.0
        ) as (server, client, _, goes_on),
        asyncio.timeout(5),
        client.get(RESUME) as response,
    ):
        assert response.status == 200
        assert followers(server) == 1
        (turn,) = server.chat.turns._active.values()
        assert turn._grace is None
        goes_on.set()
        assert b"two." in await response.read()


async def test_a_stream_that_is_asked_for_again_has_the_headers_of_a_stream() -> None:
    async with chat_server([[Accepted(), TextDelta("Hi"), Completed()]]) as server:
        client = await server.visitor()
        await ask_stream(client)
        async with client.get(RESUME) as response:
            assert response.headers["Content-Type"] == "text/event-stream"
            assert response.headers["Cache-Control"] == "no-cache"
            assert response.headers["X-Accel-Buffering"] == "no"


async def test_the_id_of_an_event_of_another_turn_is_none_of_this_one() -> None:
    script: list[Step] = [[Accepted(), TextDelta("Hi")], [TextDelta("!"), Completed()]]
    async with chat_server(script, script) as server:
        client = await server.visitor()
        first = in_pieces((await ask_stream(client, "One"))[1])
        whole = Shown().after(events_in((await ask_stream(client, "Two"))[1]))

        for event_id, _ in first:
            _, stream = await resumed(client, event_id)
            assert Shown().after(events_in(stream)) == whole


@pytest.mark.parametrize(
    "nonsense",
    ["", "1", "-", "x", "{turn}", "{turn}-", "{turn}-0", "{turn}--1", "{turn}-x", "{turn}-1.5", "{turn}-٣",
     "{turn}-" + "9" * 5000, "-1", "{turn}-1 ", "a-{turn}-1", "{turn}-+1", "日本-1"],
)  # fmt: skip
async def test_an_id_that_is_none_of_ours_counts_as_none(nonsense: str) -> None:
    async with chat_server([[Accepted(), TextDelta("Hi"), Completed()]]) as server:
        client = await server.visitor()
        _, stream = await ask_stream(client)
        ((event_id, _), *_) = in_pieces(stream)
        given = nonsense.format(turn=event_id.rpartition("-")[0])
        status, again = await resumed(client, given)

        # Spaces around the value of a header are not part of it.
        assert status == 200 or given.strip() == event_id
        assert status == 204 or Shown().after(events_in(again)) == Shown().after(events_in(stream))


async def test_an_id_that_no_event_has_yet_counts_as_none() -> None:
    async with chat_server([[Accepted(), TextDelta("Hi"), Completed()]]) as server:
        client = await server.visitor()
        _, stream = await ask_stream(client)
        turn_id = in_pieces(stream)[0][0].rpartition("-")[0]
        _, again = await resumed(client, f"{turn_id}-99999")

        assert Shown().after(events_in(again)).text == "Hi"


async def test_there_is_nothing_for_one_who_never_said_anything() -> None:
    async with chat_server([[Accepted(), TextDelta("Hi"), Completed()]]) as server:
        client, other = await server.visitor(), await server.visitor()
        assert await resumed(client) == (204, b"")
        async with client.post("/api/threads"):
            pass
        assert await resumed(client) == (204, b"")

        await ask(other)
        assert await resumed(client) == (204, b"")


async def test_there_is_nothing_on_a_new_thread_and_the_old_one_can_be_named() -> None:
    async with chat_server([[Accepted(), TextDelta("Hi"), Completed()]]) as server:
        client = await server.visitor()
        _, body = await ask(client)
        async with client.post("/api/threads"):
            pass

        assert await resumed(client) == (204, b"")
        status, stream = await resumed(client, thread_id=body["thread_id"])
        assert (status, Shown().after(events_in(stream)).text) == (200, "Hi")


async def test_there_is_nothing_of_a_turn_that_ended_long_ago() -> None:
    async with chat_server([[Accepted(), TextDelta("Hi"), Completed()]], readable=0.0) as server:
        client = await server.visitor()
        await ask_stream(client)
        await ended(server)

        assert await resumed(client) == (204, b"")


async def test_a_turn_can_be_followed_again_and_again() -> None:
    async with chat_server([[Accepted(), TextDelta("Hi"), Completed()]]) as server:
        client = await server.visitor()
        await ask_stream(client)
        await ended(server)
        streams = [(await resumed(client))[1] for _ in range(3)]

        assert len(set(streams)) == 1
        assert Shown().after(events_in(streams[0])).text == "Hi"


@pytest.mark.parametrize("wrong", ["made-up", "../../etc/passwd", "' OR 1=1 --", "日本"])
async def test_a_thread_that_is_not_there_is_a_404(wrong: str) -> None:
    async with chat_server([[Accepted(), TextDelta("Hi"), Completed()]]) as server:
        client = await server.visitor()
        await ask(client)
        async with client.get(RESUME, params={"thread_id": wrong}) as response:
            assert response.status == 404
            assert (await response.json())["error"] == THREAD_NOT_FOUND.sentence


async def test_the_turn_of_another_visitor_is_the_same_404() -> None:
    async with left_in_the_middle([Accepted(), TextDelta("Secret")], [Completed()], until_text=b"Secret") as (
        server,
        client,
        seen,
        goes_on,
    ):
        other = await server.visitor()
        thread_id = events_in(seen)[0]["thread_id"]
        ((event_id, _),) = in_pieces(seen)
        for given in (None, event_id):
            status, body = await resumed(other, given, thread_id)
            assert status == 404
            assert b"Secret" not in body
        goes_on.set()
        assert (await resumed(client))[0] == 200


async def test_a_file_that_was_shown_before_is_not_shown_again() -> None:
    async with chat_server(list(ANSWERS["files"]), log_events=2) as server:
        client = await server.visitor()
        _, stream = await ask_stream(client)
        await ended(server)
        for event_id, seen in in_pieces(stream):
            _, rest = await resumed(client, event_id)
            files = Shown().after(events_in(seen)).after(events_in(rest)).files
            assert (event_id, len(files), len(set(files))) == (event_id, 2, 2)


async def test_a_message_whose_answer_never_reached_its_page_is_answered_by_the_same_turn() -> None:
    async with left_in_the_middle(
        [Accepted(), TextDelta("One ")], [TextDelta("two."), Completed()], until_text=b"One"
    ) as (server, client, _, goes_on):
        async with asyncio.TaskGroup() as group:
            again = group.create_task(ask_stream(client))
            await until(lambda: followers(server))
            goes_on.set()

        assert Shown().after(events_in(again.result()[1])).text == "One two."
        assert len(server.dialect.asked) == 1


async def test_a_message_whose_turn_ended_unseen_gets_its_answer_without_being_asked_again() -> None:
    async with left_in_the_middle(
        [Accepted(), TextDelta("One ")], [TextDelta("two."), csv_made(), Completed()], until_text=b"One"
    ) as (server, client, _, goes_on):
        goes_on.set()
        await ended(server)
        status, body = await ask(client)

        assert (status, body["text"], len(body["files"])) == (200, "One two.", 1)
        assert len(server.dialect.asked) == 1


async def test_the_same_words_after_an_answer_that_was_read_are_a_new_message() -> None:
    script: list[Step] = [[Accepted(), TextDelta("Heads"), Completed()]]
    other: list[Step] = [[Accepted(), TextDelta("Tails"), Completed()]]
    async with chat_server(script, other, script, other) as server:
        client = await server.visitor()
        texts = [(await ask(client, "Toss a coin"))[1]["text"] for _ in range(2)]
        for _ in range(2):
            _, stream = await ask_stream(client, "Toss a coin")
            texts.append(Shown().after(events_in(stream)).text)

        assert texts == ["Heads", "Tails", "Heads", "Tails"]


async def test_a_failure_is_told_to_whoever_comes_back() -> None:
    script: list[Step] = [[Accepted(), TextDelta("Half")], ChatError(CUT_OFF)]
    async with chat_server(script) as server:
        client = await server.visitor()
        await ask_stream(client)
        await ended(server)
        _, stream = await resumed(client)

        assert Shown().after(events_in(stream)) == Shown("Half", error=CUT_OFF.sentence)

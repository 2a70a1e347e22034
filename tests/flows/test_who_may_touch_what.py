"""Two visitors and every address of the app: what is one's own works, anything else is the same 404."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

import pytest

from deep_chat_proxy.browser.keys import CHAT
from deep_chat_proxy.store.database import Database
from deep_chat_proxy.store.sqlite import SqliteStore
from flows.server import Site, site
from flows.upstream_view import conversations
from flows.visitor import CSV, Answer, Visitor, answer_of

Asking = Callable[[Visitor, str], Awaitable[Answer]]

SECRET = "canary of the first visitor"
THREAD_GONE = "This conversation was not found. Please start a new one."
FILE_GONE = "This file was not found."


async def send(visitor: Visitor, method: str, path: str, **more: Any) -> Answer:
    """Ask as a page of the server itself does."""
    headers = {"Origin": visitor.url, **more.pop("headers", {})}
    url = visitor.url + path
    async with visitor.session.request(method, url, headers=headers, **more) as response:
        return await answer_of(response)


def at(method: str, path: str, **more: Any) -> Asking:
    """A request whose path holds the id."""

    async def ask(visitor: Visitor, named: str) -> Answer:
        return await send(visitor, method, path.format(quote(named, safe="")), **more)

    return ask


def queried(path: str) -> Asking:
    """A request whose query holds the id."""

    async def ask(visitor: Visitor, named: str) -> Answer:
        return await send(visitor, "GET", path, params={"thread_id": named})

    return ask


async def say(visitor: Visitor, named: str) -> Answer:
    return await visitor.say("what is my name?", thread_id=named)


async def say_as_stream(visitor: Visitor, named: str) -> Answer:
    return await visitor.say("what is my name?", thread_id=named, stream=True)


async def say_in_a_form(visitor: Visitor, named: str) -> Answer:
    return await visitor.say("what is in this file?", CSV, thread_id=named)


async def stop(visitor: Visitor, named: str) -> Answer:
    return await visitor.post("/api/chat/stop", {"thread_id": named})


# Every address that takes the id of a thread; what deletes it comes last.
THREADS: dict[tuple[str, str], list[Asking]] = {
    ("POST", "/api/chat"): [say, say_as_stream, say_in_a_form],
    ("POST", "/api/chat/stop"): [stop],
    ("GET", "/api/chat/resume"): [queried("/api/chat/resume")],
    ("GET", "/api/history"): [queried("/api/history"), queried("/api/history?page=0&before=1")],
    ("POST", "/api/threads/{thread_id}"): [at("POST", "/api/threads/{}")],
    ("PATCH", "/api/threads/{thread_id}"): [at("PATCH", "/api/threads/{}", json={"title": "Named anew"})],
    ("DELETE", "/api/threads/{thread_id}"): [at("DELETE", "/api/threads/{}")],
}
FILES: dict[tuple[str, str], list[Asking]] = {
    ("GET", "/api/files/{file_id}/{name}"): [
        at("GET", "/api/files/{}/cities.csv"),
        at("HEAD", "/api/files/{}/a"),
    ],
}
# These go by the visitor alone.
WITHOUT_IDS = {
    ("GET", "/api/threads"),
    ("POST", "/api/threads"),
    ("DELETE", "/api/session"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/"),
    ("GET", "/page/{name}"),
}
OF_THREADS = [asking for askings in THREADS.values() for asking in askings]
OF_FILES = [asking for askings in FILES.values() for asking in askings]

# Nothing is called so. Words like `undefined` stand for no thread at all.
MALFORMED = [
    "x" * 200,
    "a\0b",
    "ключ-🗝",
    "\xed\xa0\x80",
    "' OR 1=1 --",
    "%",
    "..%2f",
    "a/b",
    "../session",
    "-",
]


class Scene:
    """A visitor with a conversation and a file, and another one with their own."""

    def __init__(self, running: Site, owner: Visitor, other: Visitor) -> None:
        self.running = running
        self.owner = owner
        self.other = other
        self.thread = ""
        self.others_thread = ""
        self.file = ""

    async def begin(self) -> None:
        """Have both talk."""
        await self.owner.say(f"my name is {SECRET}")
        named = await self.owner.say("make a csv")
        self.thread, self.file = named.thread_id, named.files[0]["src"].split("/")[3]
        self.others_thread = (await self.other.say("hello")).thread_id

    @property
    def database(self) -> Database:
        store = self.running.app[CHAT].store
        assert isinstance(store, SqliteStore)
        return store.database

    async def everything(self) -> dict[str, Any]:
        """All that is kept, here and at the back end."""
        tables = await self.database.read("SELECT name FROM sqlite_master WHERE type = 'table'")
        # The names are those of the tables there are.
        kept = {name: set(await self.database.read(f"SELECT * FROM {name}")) for (name,) in tables}  # noqa: S608
        return kept | {"back end": conversations(self.running.state)}

    async def seen_by_owner(self) -> list[tuple[int, bytes]]:
        """What the first visitor sees of what is theirs."""
        answers = [
            await self.owner.get("/api/threads"),
            await self.owner.get(f"/api/history?thread_id={self.thread}"),
            await self.owner.get(f"/api/files/{self.file}/cities.csv"),
        ]
        return [(answer.status, answer.body) for answer in answers]

    def not_theirs(self) -> list[str]:
        """Ids that open nothing for the other visitor: the first one's, made up, and the back end's."""
        upstream = [*self.running.state.threads, *self.running.state.files]
        return [self.thread, self.file, "x" * 22, "made-up", *upstream, *MALFORMED]

    @contextmanager
    def reads(self) -> Iterator[list[str]]:
        """The statements that the store is asked."""
        asked: list[str] = []
        read = self.database.read

        async def counted(statement: str, values: Any = ()) -> list[Any]:
            asked.append(statement)
            return await read(statement, values)

        with patch.object(self.database, "read", counted):
            yield asked


def plain(answer: Answer) -> tuple[int, dict[str, str], bytes]:
    """An answer without when it was given and which thread the visitor is in otherwise."""
    headers = {name: value for name, value in answer.headers.items() if name != "Date"}
    body = json.loads(answer.body) if answer.body else {}
    body.pop("thread_id", None)
    return answer.status, headers, json.dumps(body).encode()


def same(answers: Sequence[Answer], sentence: str) -> None:
    """All of them refuse, in the same words and under the same headers."""
    first, *others = map(plain, answers)
    assert [answer for answer in others if answer != first] == []
    status, headers, body = first
    assert status == 404
    assert body in {json.dumps({"error": sentence}).encode(), b"{}"}
    assert "Set-Cookie" not in headers


@asynccontextmanager
async def set_up(visitors: str, *, expired: bool = False) -> AsyncIterator[Scene]:
    """Two visitors with cookies, or without; then what is too old is nobody's, and everything else everybody's."""
    async with (
        site(grace=0, visitors=visitors, handle_days=1) as running,
        running.visitor() as owner,
        running.visitor() as other,
    ):
        scene = Scene(running, owner, other)
        await scene.begin()
        if expired:
            await scene.database.insert(
                "UPDATE thread SET used_at = used_at - 2 * 24 * 3600 WHERE thread_id = ?", (scene.thread,)
            )
        yield scene


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with set_up("cookie") as scene:
        yield scene


@pytest.fixture(params=["cookie", "handle"])
async def closed(request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    """The second visitor may touch nothing of the first one's, for the one reason or for the other."""
    async with set_up(request.param, expired=request.param == "handle") as scene:
        yield scene


async def test_every_address_of_the_app_is_in_the_tables_of_this_test(scene: Scene) -> None:
    routes = {
        (route.method, resource.canonical)
        for resource in scene.running.app.router.resources()
        for route in resource
        if route.method != "HEAD"
    }

    assert routes == {*THREADS, *FILES, *WITHOUT_IDS}


@pytest.mark.parametrize("visitors", ["cookie", "handle"])
async def test_every_address_serves_whose_thread_and_file_it_is(visitors: str) -> None:
    async with set_up(visitors) as scene:
        for ask in OF_FILES:
            assert (await ask(scene.owner, scene.file)).status == 200
        for ask in OF_THREADS:
            assert (await ask(scene.owner, scene.thread)).status in {200, 204}
        assert (await say(scene.owner, scene.thread)).status == 404


async def test_ids_of_others_and_ids_of_nothing_get_the_very_same_answer_and_change_nothing(
    closed: Scene,
) -> None:
    scene = closed
    before = await scene.everything()
    seen = await scene.seen_by_owner()
    for ask in OF_THREADS:
        same([await ask(scene.other, named) for named in scene.not_theirs()], THREAD_GONE)
    for ask in OF_FILES:
        same([await ask(scene.other, named) for named in scene.not_theirs()], FILE_GONE)

    assert await scene.everything() == before
    assert await scene.seen_by_owner() == seen


async def test_ids_of_others_are_as_much_work_as_ids_of_nothing(closed: Scene) -> None:
    scene = closed
    for ask, there in [
        *((ask, scene.thread) for ask in OF_THREADS),
        *((ask, scene.file) for ask in OF_FILES),
    ]:
        with scene.reads() as of_theirs:
            await ask(scene.other, there)
        with scene.reads() as of_nothing:
            await ask(scene.other, "made-up")
        assert of_theirs == of_nothing
        assert of_theirs


async def test_what_goes_by_the_visitor_alone_shows_and_changes_nothing_of_another(scene: Scene) -> None:
    seen = await scene.seen_by_owner()
    answers = [await send(scene.other, method, path.replace("{name}", "x")) for method, path in WITHOUT_IDS]

    for answer in answers:
        for secret in (SECRET, scene.thread, scene.file):
            assert secret.encode() not in answer.body
            assert secret not in str(answer.headers)
    assert await scene.seen_by_owner() == seen


async def test_hints_of_another_visitors_thread_lead_to_ones_own(scene: Scene) -> None:
    seen = await scene.seen_by_owner()
    hinting = {"role": "ai", "text": "Hi", "_sessionId": scene.thread}
    answer = await send(
        scene.other,
        "POST",
        "/api/chat",
        json={"messages": [hinting, {"role": "user", "text": "what is my name?"}]},
    )

    assert answer.status == 200
    assert answer.thread_id == scene.others_thread
    assert await scene.seen_by_owner() == seen


async def test_an_id_too_long_to_be_one_is_refused_to_everybody_alike(scene: Scene) -> None:
    for ask in OF_THREADS:
        answers = [await ask(visitor, "x" * 300) for visitor in (scene.owner, scene.other)]
        assert plain(answers[0]) == plain(answers[1])
        assert answers[0].status in {400, 404}

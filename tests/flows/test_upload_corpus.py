"""Whatever is uploaded is taken for what it is or refused with a sentence, and leaves nothing where it was refused."""

import asyncio
import io
import tempfile
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from deep_chat_proxy.browser.keys import CHAT
from deep_chat_proxy.turn.message import Attachment, UserMessage
from flows.corpus import BOUNDARY, BROKEN, FILE, NAMES, REFUSED, TAKEN, end, part
from flows.raw import connection, exchange, read_answer
from flows.server import Site, site
from flows.visitor import WAIT, Answer, Visitor, answer_of

FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
MIB = 2**20


class Place:
    """A server whose files all lie in `folder`; `taken` are the messages that reached a turn."""

    def __init__(self, running: Site, visitor: Visitor, folder: Path) -> None:
        self.running = running
        self.visitor = visitor
        self.taken: list[UserMessage] = []
        self._folder = folder
        self._watch()

    def _watch(self) -> None:
        turns = self.running.app[CHAT].turns
        take = turns.take

        async def watched(thread_id: str, visitor: str, message: UserMessage, *, first: bool = False) -> Any:
            self.taken.append(message)
            return await take(thread_id, visitor, message, first=first)

        turns.take = watched  # type: ignore[method-assign]

    async def send(self, body: bytes, headers: dict[str, str] | None = None) -> Answer:
        url = f"{self.running.url}/api/chat"
        async with (
            asyncio.timeout(WAIT),
            self.visitor.session.post(url, data=io.BytesIO(body), headers=headers or FORM) as response,
        ):
            return await answer_of(response)

    async def attached(self) -> Attachment:
        """The one file that was taken, which is no longer where it was while its turn had it."""
        ((attachment,),) = [message.attachments for message in self.taken]
        await self.running.quiet()
        assert await self.left_over() == []
        assert len(await self.kept()) <= 1
        return attachment

    async def left_over(self) -> list[Path]:
        """Files of visitors in the spool and in the system's folder."""
        return [path for folder in ("tmp", "store.processes") for path in await self._files_in(folder)]

    async def kept(self) -> list[bytes]:
        """What the shelf holds."""
        found = await self._files_in("store.files")
        return [await asyncio.to_thread(path.read_bytes) for path in found]

    async def _files_in(self, folder: str) -> list[Path]:
        found = await asyncio.to_thread(lambda: list((self._folder / folder).rglob("*")))
        # How a process tells that it lives.
        return [path for path in found if path.is_file() and not path.name.startswith("lock")]

    async def is_as_before(self) -> None:
        """Nothing came of what was refused, and the visitor can go on."""
        assert (await self.left_over(), await self.kept()) == ([], [])
        assert (self.running.state.files, self.taken) == ({}, [])
        answer = await self.visitor.say("hello")
        assert (answer.status, answer.error) == (200, None)
        assert self.running.app[CHAT].memory.held == 0


@pytest.fixture
async def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    # A secret of its own has the app read no file while it is made.
    store = f"sqlite:{tmp_path}/store.sqlite3"
    async with site(store=store, secret="x" * 32) as running, running.visitor() as visitor:
        yield Place(running, visitor, tmp_path)


@pytest.mark.parametrize("case", TAKEN)
async def test_a_file_is_taken_for_what_it_is_and_reaches_the_back_end_as_it_came(
    case: str, place: Place
) -> None:
    name, data, media_type = TAKEN[case]
    answer = await place.send(part("files", data, name) + end())

    attachment = await place.attached()
    assert (answer.status, attachment.media_type, attachment.name) == (200, media_type, name)
    (kept,) = place.running.state.files.values()
    assert (kept.data, kept.file.filename) == (data, name)


@pytest.mark.parametrize("case", REFUSED)
async def test_a_file_that_cannot_be_taken_is_refused_with_a_sentence_and_leaves_nothing(
    case: str, place: Place
) -> None:
    name, data, status, words = REFUSED[case]
    answer = await place.send(FILE + part("files", data, name) + end())

    assert (answer.status, words in (answer.error or "")) == (status, True), answer.error
    assert (answer.error or "").startswith(f'"{name}" ')
    await place.is_as_before()


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_is_made_one_that_can_be_shown_and_sent_on(name: str, place: Place) -> None:
    answer = await place.send(part("files", b"text", name) + end())

    assert (answer.status, (await place.attached()).name) == (200, NAMES[name])
    (kept,) = place.running.state.files.values()
    assert kept.file.filename == NAMES[name].replace('"', "'")


@pytest.mark.parametrize("case", BROKEN)
async def test_a_broken_form_is_refused_and_leaves_nothing(case: str, place: Place) -> None:
    body, status = BROKEN[case]
    tracemalloc.start()
    try:
        answer = await place.send(body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert answer.status in ({200, 400} if status is None else {status}), answer.body
    assert peak < 8 * MIB
    if answer.status != 200:
        assert (answer.error or "").endswith(".")
        await place.is_as_before()


@pytest.mark.parametrize("boundary", ["", "x" * 71, '"'])
async def test_a_boundary_that_is_none_is_read_off_the_form_itself(boundary: str, place: Place) -> None:
    body = FILE + end()
    request = (
        b"POST /api/chat HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\nContent-Length: %d\r\n"
        b"Content-Type: multipart/form-data; boundary=%b\r\n\r\n%b"
    ) % (place.running.port, len(body), boundary.encode(), body)
    answer = await exchange(place.running.port, request)

    assert answer is not None
    assert answer.status == 200


async def test_a_length_that_is_too_short_cuts_the_form_and_the_rest_is_no_second_message(
    place: Place,
) -> None:
    body = FILE + end()
    answer = await lying(place, body, f"Content-Length: {len(body) - 20}")

    assert answer.status == 400
    await place.is_as_before()


async def test_a_length_that_is_too_long_is_waited_for_until_the_visitor_leaves(place: Place) -> None:
    port = place.running.port
    body = part("files", b"a" * 300_000, "a.txt")[:-2]
    async with connection(port) as (_, writer):
        writer.write(head(port, f"Content-Length: {60 * MIB}") + body)
        await until(place, spooled=True)
        writer.transport.abort()
    await until(place, spooled=False)

    await place.is_as_before()


@pytest.mark.parametrize(
    "framing",
    [
        "Content-Length: 10\r\nContent-Length: 20",
        "Content-Length: -1",
        "Content-Length: 1e3",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: gzip",
    ],
)
async def test_a_length_that_says_two_things_is_refused(framing: str, place: Place) -> None:
    answer = await lying(place, FILE + end(), framing)

    assert answer.status == 400
    await place.is_as_before()


async def test_a_gigabyte_is_refused_by_its_length_before_it_comes(place: Place) -> None:
    answer = await lying(place, FILE, f"Content-Length: {10**9}")

    assert (answer.status, answer.error) == (
        413,
        "The files are too large together: one message can hold at most 64 MB.",
    )
    await place.is_as_before()


def head(port: int, framing: str) -> bytes:
    """The head of a form whose length is what `framing` says."""
    lines = ["POST /api/chat HTTP/1.1", f"Host: 127.0.0.1:{port}", "Connection: close", framing]
    return "\r\n".join([*lines, f"Content-Type: {FORM['Content-Type']}", "", ""]).encode()


async def lying(place: Place, body: bytes, framing: str) -> Answer:
    """The answer to such a form; what comes behind it is not looked at."""
    async with asyncio.timeout(WAIT), connection(place.running.port) as (reader, writer):
        writer.write(head(place.running.port, framing) + body)
        answer = await read_answer(reader)
    assert answer is not None
    return answer


async def until(place: Place, *, spooled: bool) -> None:
    async with asyncio.timeout(WAIT):
        while bool(await place.left_over()) is not spooled:
            pass

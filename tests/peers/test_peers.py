"""Two processes that ask each other, over a real socket: what one plays, the other follows, waits for and ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from deep_chat_proxy.errors import SHUTTING_DOWN, TURN_ACTIVE, ChatError
from deep_chat_proxy.peers.answering import PeerServer
from deep_chat_proxy.peers.asking import Peers
from deep_chat_proxy.peers.wire import MOST_ANSWER
from deep_chat_proxy.turn.events import Accepted, Completed, Failed, Stopped, TextDelta, TextReplaced
from deep_chat_proxy.turn.message import UserMessage
from deep_chat_proxy.turn.others import RemoteTurn, Waited
from playing import ScriptedTurn, Step, settle, soon, until
from turn.bench import Bench

SAME = UserMessage("Same").fingerprint


class Site:
    """The turns of a process (`bench`) that answers at `path`, and another one that asks it."""

    def __init__(self, path: Path, bench: Bench) -> None:
        self.path = path
        self.bench = bench
        self.peers = Peers(lambda name: path if name == "one" else path.with_name(name))

    async def follow(self) -> RemoteTurn:
        turn = await soon(self.peers.follow("one", "a"))
        assert turn is not None
        return turn


@asynccontextmanager
async def site_at(path: Path, **limits: Any) -> AsyncIterator[Site]:
    bench = Bench(grace=0, **limits)
    server = await PeerServer.open(path, bench.turns)
    site = Site(path, bench)
    try:
        yield site
    finally:
        await soon(site.peers.close(0))
        await soon(bench.turns.close())
        await soon(server.close())


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with site_at(tmp_path / "turns") as found:
        yield found


async def test_a_turn_is_followed_to_its_end_with_its_ids(site: Site) -> None:
    goes_on = asyncio.Event()
    turn = await site.bench.begin(
        script=[[Accepted(), TextDelta("Hi ")], goes_on, [TextDelta("there"), Completed()]]
    )
    remote = await site.follow()
    with remote.attached() as log:
        assert (log.text, log.last_id) == ("Hi ", turn.log.last_id)
        goes_on.set()
        await soon(log.ended())

    assert (remote.turn_id, remote.log_id) == (turn.turn_id, turn.log_id)
    assert log.after(0) == turn.log.after(0)


async def test_the_last_one_to_leave_there_lets_the_turn_go(site: Site) -> None:
    turn = await site.bench.begin()
    with (await site.follow()).attached():
        with turn.attached():
            pass
        await settle()
        assert turn.log.end is None
    await soon(turn.gone.wait())

    assert turn.log.end == Stopped()


async def test_a_turn_that_nobody_comes_to_follow_is_let_go(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deep_chat_proxy.peers.remote._ATTACHING", 0.01)
    turn = await site.bench.begin()
    await site.follow()
    await soon(turn.gone.wait())

    assert turn.log.end == Stopped()


async def test_a_turn_that_is_followed_is_known_to_be_alive(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deep_chat_proxy.peers.answering._REPORT", 0.01)
    turn = await site.bench.begin()
    with (await site.follow()).attached() as log:
        log.heard(1000)
        turn.log.extend([])
        await until(lambda: log.silent_for < 100)


async def test_a_follower_that_was_too_slow_has_all_of_it_in_the_end(tmp_path: Path) -> None:
    """Of a log that grows faster than it is read nothing but the newest events is still there."""
    async with site_at(tmp_path / "turns", log_events=2) as site:
        turn = await site.bench.begin(script=[[Accepted(), TextDelta("one ")], None])
        with (await site.follow()).attached() as copy:
            turn.log.extend([TextDelta("two "), TextDelta("three ")])
            turn.log.extend([TextDelta("four "), TextDelta("five "), TextDelta("six ")])
            await until(lambda: copy.last_id == turn.log.last_id)
            turn.stop()
            await soon(copy.ended())

    assert copy.text == "one two three four five six "
    for event_id in range(copy.last_id + 1):
        assert (copy.after(event_id), copy.anew(event_id)) == (
            turn.log.after(event_id),
            turn.log.anew(event_id),
        )


async def test_the_message_that_a_turn_answers_joins_it(site: Site) -> None:
    turn = await site.bench.begin(text="Same")
    with turn.attached():
        joined = await soon(site.peers.take("one", "a", SAME, 0))

    assert not isinstance(joined, Waited)
    assert joined.turn_id == turn.turn_id


async def test_another_message_waits_until_the_turn_is_gone(site: Site) -> None:
    goes_on = asyncio.Event()
    turn = await site.bench.begin(script=[[Accepted()], goes_on, [Completed()]])
    async with asyncio.TaskGroup() as group:
        with turn.attached():
            waiting = group.create_task(site.peers.take("one", "a", SAME, 60))
            await settle()
            assert not waiting.done()
            goes_on.set()
            await soon(turn.log.ended())

    assert waiting.result() is Waited.OVER


async def test_a_turn_that_is_followed_goes_on_while_messages_wait_in_vain(site: Site) -> None:
    turn = await site.bench.begin()
    with turn.attached(), pytest.raises(ChatError) as raised:
        await soon(site.peers.take("one", "a", SAME, 0))

    assert raised.value.problem is TURN_ACTIVE


async def test_a_message_that_no_longer_waits_does_not_stop_the_turn(site: Site) -> None:
    turn = await site.bench.begin()
    with turn.attached():
        waiting = asyncio.get_running_loop().create_task(site.peers.take("one", "a", SAME, 60))
        await until(lambda: turn._awaiting)
        waiting.cancel()
        await until(lambda: not turn._awaiting)

        assert turn.log.end is None


async def test_a_turn_is_stopped_and_ended(site: Site) -> None:
    first = await site.bench.begin("a")
    second = await site.bench.begin("b")

    assert await soon(site.peers.stop("one", "a"))
    await soon(site.peers.end("one", "b"))
    assert second.gone.is_set()
    assert first.log.end == second.log.end == Stopped()


async def test_a_process_that_plays_no_turn_on_the_thread_says_so(site: Site) -> None:
    assert await soon(site.peers.follow("one", "a")) is None
    assert await soon(site.peers.take("one", "a", SAME, 0)) is Waited.UNKNOWN
    assert not await soon(site.peers.stop("one", "a"))
    await soon(site.peers.end("one", "a"))


async def test_a_turn_that_is_left_to_the_next_process_is_not_given_out_any_more(site: Site) -> None:
    upstream = ScriptedTurn([[Accepted()], None])
    turn = await site.bench.take(upstream)
    await soon(turn.log.begun())
    assert turn.leave()

    assert await soon(site.peers.follow("one", "a")) is None
    assert await soon(site.peers.take("one", "a", turn.message.fingerprint, 0)) is Waited.UNKNOWN


async def test_a_process_that_is_no_more_is_not_waited_for(site: Site) -> None:
    assert await soon(site.peers.follow("two", "a")) is None
    assert await soon(site.peers.take("two", "a", SAME, 60)) is Waited.UNKNOWN


async def test_what_is_followed_ends_with_an_error_when_the_process_here_ends(site: Site) -> None:
    turn = await site.bench.begin()
    remote = await site.follow()
    with turn.attached(), remote.attached() as log:
        await soon(site.peers.close(0))
        await soon(log.ended())
        assert turn.log.end is None

    assert log.end == Failed(SHUTTING_DOWN)
    assert await soon(site.peers.follow("one", "a")) is None


async def test_what_is_followed_may_come_to_its_end_before_the_process_here_ends(site: Site) -> None:
    script: list[Step] = [[Accepted()], goes_on := asyncio.Event(), [TextReplaced("Hi"), Completed()]]
    await site.bench.begin(script=script)
    async with asyncio.TaskGroup() as group:
        with (await site.follow()).attached() as log:
            closing = group.create_task(site.peers.close(60))
            await settle()
            assert not closing.done()
            goes_on.set()
            await soon(log.ended())

    assert log.end == Completed()


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0\0\0\1\xc1",
        b"\0\0\0\2\x81\xa1",
        (MOST_ANSWER + 1).to_bytes(4),
        b"\0\0\0\0",
    ],
    ids=["nothing", "http", "no message", "half a message", "too long", "empty"],
)
async def test_what_is_no_request_is_not_answered_and_harms_nobody(
    site: Site, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    turn = await site.bench.begin()
    reader, writer = await asyncio.open_unix_connection(str(site.path))
    writer.write(sent)
    writer.write_eof()
    assert await soon(reader.read()) == b""
    writer.close()

    assert await soon(site.peers.stop("one", "a"))
    await soon(turn.gone.wait())
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    "answered", [b"", b"\0\0\0\1\xc1", (MOST_ANSWER + 1).to_bytes(4)], ids=["none", "no message", "too long"]
)
async def test_a_process_of_another_version_counts_as_one_that_does_not_answer(
    tmp_path: Path, answered: bytes
) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answered)
        writer.close()

    async with await asyncio.start_unix_server(answer, tmp_path / "turns"):
        assert await soon(Peers(lambda _: tmp_path / "turns").follow("one", "a")) is None


async def test_only_the_user_of_a_process_can_ask_it(site: Site) -> None:
    assert site.path.stat().st_mode & 0o077 == 0


async def test_a_path_of_any_length_will_do(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 100) / ("y" * 100)
    deep.mkdir(parents=True)
    async with site_at(deep / "turns") as site:
        await site.bench.begin()
        assert await soon(site.peers.stop("one", "a"))


async def test_a_process_that_cannot_be_asked_works_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with site_at(tmp_path / "missing" / "turns") as site:
        await site.bench.begin()
        assert await soon(site.peers.follow("one", "a")) is None

    assert "other processes with this store cannot follow or stop turns of this one" in caplog.text

"""A turn's hold on the store: what it leaves there is its thread's and its visitor's."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from deep_chat_proxy.store.keeper import StoreKeeper
from deep_chat_proxy.store.processes import Process
from deep_chat_proxy.store.records import FileRecord, ThreadRecord
from deep_chat_proxy.store.shelf import Shelf
from deep_chat_proxy.store.sqlite import SqliteStore
from deep_chat_proxy.store.turns import SqliteTurns
from deep_chat_proxy.turn.events import FileKind, FileMade, ToolCall, ToolOutput
from deep_chat_proxy.turn.held import Held, HeldKind
from deep_chat_proxy.turn.message import Attachment
from deep_chat_proxy.turn.transcript import Anchor, AnchorKind, AssistantSaid, Memory, UserSaid
from playing import ended_turn, opened_turn

ANCHOR = Anchor(AnchorKind.THREAD, "thread_1")
SAID = UserSaid("Hello")


class Kept:
    """A store with one thread, and keepers of its turns."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.shelf = Shelf(None, 1000)
        self.turns = SqliteTurns(store.database, Process(None))

    def keeper(self, turn_id: str = "turn-1") -> StoreKeeper:
        return StoreKeeper(self.store, self.turns, self.shelf, opened_turn(turn_id))


@pytest.fixture
async def kept() -> AsyncIterator[Kept]:
    kept = Kept(await SqliteStore.open(":memory:"))
    await kept.store.add_thread(ThreadRecord("thread-1", "visitor-1"))
    yield kept
    await kept.shelf.close()
    await kept.store.close()


async def test_a_file_that_a_turn_made_belongs_to_its_thread_and_visitor(kept: Kept) -> None:
    shown = await kept.keeper().file_made(FileMade("file-abc", None, FileKind.IMAGE))

    assert await kept.store.file(shown.file_id) == FileRecord(
        shown.file_id, "thread-1", "visitor-1", "file-abc", "image.png", FileKind.IMAGE
    )
    assert "file-abc" not in str(shown)


async def test_a_file_that_is_told_of_once_more_is_the_same_one(kept: Kept) -> None:
    made = FileMade("file-abc", "a.csv", FileKind.ANY)
    first = await kept.keeper().file_made(made)

    assert await kept.keeper().file_made(made) == first
    assert await kept.keeper().file_made(FileMade("file-def", "a.csv", FileKind.ANY)) != first


async def test_a_file_of_the_thread_is_known_by_the_back_ends_name(kept: Kept) -> None:
    file = await kept.keeper().file_made(FileMade("file-abc", "a.csv", FileKind.ANY))

    assert await kept.keeper().known_file("file-abc") == file
    assert await kept.keeper().known_file("file-def") is None
    assert await kept.keeper().known_file("") is None


async def test_files_that_have_no_name_at_the_back_end_are_different_ones(kept: Kept, tmp_path: Path) -> None:
    shown = []
    for number in range(2):
        path = tmp_path / f"made-{number}"
        path.write_bytes(b"1,2")
        shown.append(await kept.keeper().file_made(FileMade("", "a.csv", FileKind.ANY, path)))

    assert shown[0].file_id != shown[1].file_id


async def test_a_file_that_the_back_end_does_not_keep_is_on_the_shelf(kept: Kept, tmp_path: Path) -> None:
    path = tmp_path / "made"
    path.write_bytes(b"1,2")
    shown = await kept.keeper().file_made(FileMade("", "../a.csv", FileKind.ANY, path))
    record = await kept.store.file(shown.file_id)

    assert record is not None
    assert (record.name, await kept.shelf.read(record.key or "")) == ("a.csv", b"1,2")


async def test_what_a_visitor_sent_is_kept_as_a_copy(kept: Kept, tmp_path: Path) -> None:
    path = tmp_path / "sent"
    path.write_bytes(b"sent")
    key = await kept.keeper().keep_file(Attachment(path, "a", "image/png", FileKind.IMAGE, 4, "0"))

    assert await kept.keeper().read_file(key) == b"sent"
    assert path.exists()


async def test_what_one_turn_wrote_is_own_to_it_and_earlier_to_the_next(kept: Kept) -> None:
    await kept.keeper().record([SAID], anchor=ANCHOR, covered=True)

    assert await kept.keeper().memory() == Memory(ANCHOR, own=(SAID,), own_covered=1)
    assert await kept.keeper("turn-2").memory() == Memory(ANCHOR, (SAID,), 1)


async def test_a_turn_names_itself_and_knows_its_own_last_checkpoint_only(kept: Kept) -> None:
    keeper = kept.keeper()
    assert keeper.turn_id == "turn-1"
    assert await keeper.begin()
    await keeper.checkpoint(b"first")
    await keeper.checkpoint(b"second")

    assert (await keeper.memory()).checkpoint == b"second"
    assert (await kept.keeper("turn-2").memory()).checkpoint is None


async def test_a_turn_knows_from_its_beginning_on_what_was_said_before_it(kept: Kept) -> None:
    await kept.keeper().record([SAID], anchor=ANCHOR, covered=True)
    keeper = kept.keeper("turn-2")
    assert await keeper.begin()

    assert await keeper.memory() == await keeper.memory() == Memory(ANCHOR, (SAID,), 1)


HELD = Held(HeldKind.FILE, "file-1", "a")
Writes = Callable[[StoreKeeper], Awaitable[None]]


@pytest.mark.parametrize(
    "writes",
    [
        lambda keeper: keeper.hold(Held(HeldKind.FILE, "file-2", "b")),
        lambda keeper: keeper.release(HELD),
        lambda keeper: keeper.record([AssistantSaid("Hi")]),
        lambda keeper: keeper.restart(),
    ],
    ids=["hold", "release", "record", "restart"],
)
async def test_a_turn_that_has_written_something_knows_that_too(kept: Kept, writes: Writes) -> None:
    await kept.keeper("turn-0").record([SAID], anchor=ANCHOR, covered=True)
    await kept.keeper("turn-0").hold(HELD)
    keeper = kept.keeper()
    before = await kept.keeper().memory()
    assert await keeper.begin()
    await writes(keeper)

    assert await keeper.memory() == await kept.keeper().memory() != before


async def test_a_thread_that_begins_anew_forgets_what_its_turn_has_said_too(kept: Kept) -> None:
    keeper = kept.keeper()
    await keeper.record([SAID], anchor=ANCHOR, covered=True)
    await keeper.restart()
    assert await keeper.memory() == Memory()

    await keeper.record([AssistantSaid("Hi")])
    assert await keeper.memory() == Memory(own=(AssistantSaid("Hi"),))


async def test_a_turn_is_under_way_from_its_beginning_to_its_end(kept: Kept) -> None:
    keeper, other = kept.keeper(), kept.keeper("turn-2")
    assert await keeper.begin()
    await keeper.stopping()
    await keeper.end(ended_turn(), seen=True)

    assert await kept.turns.last("thread-1", 60) == ended_turn()
    assert await other.begin()


async def test_calls_are_known_as_begun_with_their_outputs_to_whoever_picks_their_turn_up(kept: Kept) -> None:
    keeper = kept.keeper()
    calls = [ToolCall("call_1", "weather", "{}"), ToolCall("call_2", "clock", "{}")]
    await keeper.begin()
    assert await keeper.begin_calls(calls, picked_up=False) == {}
    await keeper.call_ended(ToolOutput("call_2", "noon"))

    assert await keeper.begin_calls(calls, picked_up=True) == {
        "call_1": None,
        "call_2": ToolOutput("call_2", "noon"),
    }

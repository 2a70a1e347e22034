"""The turns in the embedded store: those under way, what tools they ran, and what became of them."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from sqlite3 import Connection, IntegrityError

import msgspec

from deep_chat_proxy.errors import THREAD_NOT_FOUND, ChatError
from deep_chat_proxy.store import exchanges, holding
from deep_chat_proxy.store.database import Database, Row, rows
from deep_chat_proxy.store.processes import Process
from deep_chat_proxy.store.records import FileRecord
from deep_chat_proxy.store.sqlite import add_file, keep_checkpoint, require_thread
from deep_chat_proxy.turn.events import ChatFile, Completed, ToolCall, ToolOutput
from deep_chat_proxy.turn.held import Held
from deep_chat_proxy.turn.journal import EndedTurn, OpenTurn
from deep_chat_proxy.turn.message import UserMessage

_message = msgspec.json.Decoder(
    UserMessage, dec_hook=lambda wanted, value: Path(value) if issubclass(wanted, Path) else value
)
_output = msgspec.json.Decoder(ToolOutput)

# A turn may be what its processes die of, such as by a tool that takes all memory.
_MOST_PICKED_UP = 2

_CLEAR_AWAY = "DELETE FROM turn WHERE ended_at < ?"
# A process has at most one turn on a thread, so what it left open there was never ended because of a fault.
_LEFT_OPEN = "UPDATE turn SET ended_at = 0 WHERE thread_id = ? AND process = ? AND ended_at IS NULL"
_BEGIN = """
INSERT INTO turn (turn_id, thread_id, visitor, process, fingerprint, message) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING
"""
_END = "UPDATE turn SET ended_at = ?, seen = ?, checkpoint = NULL WHERE turn_id = ?"
_OPEN = """
SELECT turn_id, thread_id, visitor, message, stopping, picked_up FROM turn
WHERE ended_at IS NULL AND process = ?
"""
_ELSEWHERE = "SELECT process FROM turn WHERE thread_id = ? AND ended_at IS NULL AND process <> ?"
_ADOPT = "UPDATE turn SET process = ?, picked_up = picked_up + 1 WHERE ended_at IS NULL AND process = ?"
_NEWEST = """
SELECT turn_id, fingerprint, seen, answered FROM turn JOIN exchange USING (turn_id)
WHERE turn.thread_id = ?1 AND ended_at >= ?2 AND answered IS NOT NULL
AND NOT EXISTS (SELECT 1 FROM turn WHERE thread_id = ?1 AND ended_at IS NULL)
ORDER BY ended_at DESC LIMIT 1
"""
_BEGIN_CALL = "INSERT INTO call (turn_id, call_id, name, arguments, output) VALUES (?, ?, ?, ?, ?)"
_BEGUN = "SELECT call_id, name, arguments, output FROM call WHERE turn_id = ?"
_CALL_ENDED = "UPDATE call SET output = ? WHERE turn_id = ? AND call_id = ?"


class SqliteTurns:
    """The turns of all processes that share a store, as `process` sees them; implements the turn's `Journal`.

    What a turn came to is kept for so many seconds.
    """

    def __init__(self, database: Database, process: Process, *, kept: float = 300.0) -> None:
        self._database = database
        self._process = process
        self._kept = kept

    @property
    def durable(self) -> bool:
        """As in `Journal`."""
        return self._process.folder is not None

    async def begin(self, turn: OpenTurn, behind: Callable[[Connection], None] | None = None) -> bool:
        """Keep a new turn, and do what comes `behind` it in the same transaction; False where another one is under way
        on its thread.
        """
        message = msgspec.json.encode(turn.message, enc_hook=str)
        own = (turn.turn_id, turn.thread_id, turn.visitor, self._process.name)

        def write(connection: Connection) -> bool:
            new = (*own, turn.message.fingerprint, message)
            try:
                begun = bool(connection.execute(_BEGIN, new).rowcount)
                if not begun:
                    connection.execute(_LEFT_OPEN, (turn.thread_id, self._process.name))
                    begun = bool(connection.execute(_BEGIN, new).rowcount)
            except IntegrityError as fault:
                raise ChatError(THREAD_NOT_FOUND, "the thread was deleted") from fault
            if begun:
                exchanges.begin(connection, turn)
                if behind is not None:
                    behind(connection)
            return begun

        return await self._database.write(write)

    async def clear_away(self) -> None:
        """Forget the messages of turns that ended so long ago that nobody follows them any more."""
        await self._database.insert(_CLEAR_AWAY, (time.time() - self._kept,))

    async def checkpoint(self, turn: OpenTurn, body: bytes, *held: Held) -> None:
        """Keep where a turn is, and what is held for its thread from now on."""

        def write(connection: Connection) -> None:
            require_thread(connection, turn.thread_id)
            keep_checkpoint(connection, turn.turn_id, body)
            holding.hold(connection, turn.thread_id, held)

        await self._database.write(write)

    async def keep_files(self, turn: OpenTurn, files: Sequence[FileRecord]) -> None:
        """The files of a turn's message are kept, and can be fetched."""

        def write(connection: Connection) -> None:
            for file in files:
                add_file(connection, file)
            holding.hold(
                connection, turn.thread_id, [holding.on_shelf(file.key) for file in files if file.key]
            )
            shown = tuple(ChatFile(file.file_id, file.name, file.kind) for file in files)
            exchanges.keep_files(connection, turn.turn_id, shown)

        await self._database.write(write)

    async def drop_files(self, turn: OpenTurn) -> list[str]:
        """The files of a turn's message are refused: nothing stays of them but their names. Returns the keys that they
        had.
        """

        def write(connection: Connection) -> list[str]:
            keys = []
            for file_id in exchanges.drop_files(connection, turn.turn_id):
                for (key,) in rows(
                    connection, "DELETE FROM file WHERE file_id = ? RETURNING key", (file_id,)
                ):
                    # Where the process ends now, another one finds it there.
                    holding.leave(connection, holding.on_shelf(key), time.time())
                    keys.append(key)
            return keys

        return await self._database.write(write)

    async def stopping(self, turn_id: str) -> None:
        """A turn was asked to end."""
        await self._database.insert("UPDATE turn SET stopping = 1 WHERE turn_id = ?", (turn_id,))

    async def begin_calls(
        self, turn_id: str, calls: Sequence[ToolCall], *, picked_up: bool
    ) -> Mapping[str, ToolOutput | None]:
        """As in the turn's `Keeper`."""

        def write(connection: Connection) -> Mapping[str, ToolOutput | None]:
            begun = _begun(connection, turn_id, calls) if picked_up else {}
            # Some servers give the calls of each round the same ids.
            connection.execute("DELETE FROM call WHERE turn_id = ?", (turn_id,))
            for call in calls:
                output = begun.get(call.call_id)
                body = None if output is None else msgspec.json.encode(output)
                connection.execute(_BEGIN_CALL, (turn_id, call.call_id, call.name, call.arguments, body))
            return begun

        return await self._database.write(write)

    async def call_ended(self, turn_id: str, output: ToolOutput) -> None:
        """A call has its output."""
        await self._database.insert(_CALL_ENDED, (msgspec.json.encode(output), turn_id, output.call_id))

    async def end(self, ended: EndedTurn, *, seen: bool) -> None:
        """A turn is over: what it came to stays, what it needed to be picked up does not."""

        def write(connection: Connection) -> None:
            connection.execute(_END, (time.time(), seen, ended.turn_id))
            exchanges.answer(connection, ended)
            connection.execute("DELETE FROM call WHERE turn_id = ?", (ended.turn_id,))

        await self._database.write(write)

    async def last(self, thread_id: str, within: float) -> EndedTurn | None:
        """As in `Journal`."""
        row = await self._newest(thread_id, within)
        return None if row is None else exchanges.answered(row[3])

    async def unseen(self, thread_id: str, message: UserMessage, within: float) -> EndedTurn | None:
        """As in `Journal`."""
        row = await self._newest(thread_id, within)
        if row is None or row[2] or row[1] != message.fingerprint:
            return None
        ended = exchanges.answered(row[3])
        if not isinstance(ended.end, Completed):
            return None
        await self.saw(ended.turn_id)
        return ended

    async def saw(self, turn_id: str) -> None:
        """As in `Journal`."""
        await self._database.insert("UPDATE turn SET seen = 1 WHERE turn_id = ?", (turn_id,))

    async def _newest(self, thread_id: str, within: float) -> Row | None:
        found = await self._database.read(_NEWEST, (thread_id, time.time() - within))
        return next(iter(found), None)

    async def files(self) -> set[Path]:
        """The files of the messages that are being answered, in any process."""
        found = await self._database.read("SELECT message FROM turn WHERE ended_at IS NULL")
        return {file.path for row in found for file in _message.decode(row[0]).attachments}

    async def elsewhere(self, thread_id: str) -> str | None:
        """As in `Journal`."""
        found = await self._database.read(_ELSEWHERE, (thread_id, self._process.name))
        return next((str(row[0]) for row in found), None)

    async def adopt(self) -> Sequence[OpenTurn]:
        """As in `Journal`."""
        found = await self._database.read(
            "SELECT DISTINCT process FROM turn WHERE ended_at IS NULL AND process <> ?", (self._process.name,)
        )
        gone = await self._process.gone(str(row[0]) for row in found)
        return [turn for name in gone for turn in await self._adopt(name)]

    async def _adopt(self, name: str) -> list[OpenTurn]:
        def write(connection: Connection) -> list[OpenTurn]:
            found = [_opened(row) for row in rows(connection, _OPEN, (name,))]
            connection.execute(_ADOPT, (self._process.name, name))
            for turn in found:
                # One that an earlier version has begun is not part of its thread yet.
                exchanges.begin(connection, turn)
            return found

        return await self._database.write(write)


def _opened(row: Row) -> OpenTurn:
    turn_id, thread_id, visitor, message, stopping, picked_up = row
    return OpenTurn(
        *(turn_id, thread_id, visitor),
        _message.decode(message),
        stopping=bool(stopping),
        picked_up=True,
        lost=picked_up >= _MOST_PICKED_UP,
    )


def _begun(connection: Connection, turn_id: str, calls: Sequence[ToolCall]) -> dict[str, ToolOutput | None]:
    wanted = {(call.call_id, call.name, call.arguments) for call in calls}
    return {
        row[0]: None if row[3] is None else _output.decode(row[3])
        for row in rows(connection, _BEGUN, (turn_id,))
        if (row[0], row[1], row[2]) in wanted
    }

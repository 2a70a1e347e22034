"""The turns in the embedded store: those under way, what tools they ran, and what became of them."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from sqlite3 import Connection

import msgspec

from deep_chat_proxy.store.database import Database, Row, rows
from deep_chat_proxy.store.processes import Process
from deep_chat_proxy.turn.events import Completed, ToolCall, ToolOutput
from deep_chat_proxy.turn.journal import EndedTurn, OpenTurn
from deep_chat_proxy.turn.message import UserMessage

_message = msgspec.json.Decoder(
    UserMessage, dec_hook=lambda wanted, value: Path(value) if issubclass(wanted, Path) else value
)
_ended = msgspec.json.Decoder(EndedTurn)
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
_END = "UPDATE turn SET ended_at = ?, ended = ?, seen = ?, checkpoint = NULL WHERE turn_id = ?"
_OPEN = """
SELECT turn_id, thread_id, visitor, message, stopping, picked_up FROM turn
WHERE ended_at IS NULL AND process = ?
"""
_ADOPT = "UPDATE turn SET process = ?, picked_up = picked_up + 1 WHERE ended_at IS NULL AND process = ?"
_NEWEST = """
SELECT turn_id, fingerprint, seen, ended FROM turn
WHERE thread_id = ?1 AND ended_at >= ?2 AND ended IS NOT NULL
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

    async def begin(self, turn: OpenTurn) -> bool:
        """Keep a new turn; False where another one is under way on its thread."""
        message = msgspec.json.encode(turn.message, enc_hook=str)
        own = (turn.turn_id, turn.thread_id, turn.visitor, self._process.name)

        def write(connection: Connection) -> bool:
            connection.execute(_CLEAR_AWAY, (time.time() - self._kept,))
            connection.execute(_LEFT_OPEN, (turn.thread_id, self._process.name))
            connection.execute(_BEGIN, (*own, turn.message.fingerprint, message))
            return bool(rows(connection, "SELECT 1 FROM turn WHERE turn_id = ?", (turn.turn_id,)))

        return await self._database.write(write)

    async def checkpoint(self, turn_id: str, body: bytes) -> None:
        """Keep where a turn is."""
        await self._database.insert("UPDATE turn SET checkpoint = ? WHERE turn_id = ?", (body, turn_id))

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
            body = msgspec.json.encode(ended)
            connection.execute(_END, (time.time(), body, seen, ended.turn_id))
            connection.execute("DELETE FROM call WHERE turn_id = ?", (ended.turn_id,))

        await self._database.write(write)

    async def last(self, thread_id: str, within: float) -> EndedTurn | None:
        """As in `Journal`."""
        row = await self._newest(thread_id, within)
        return None if row is None else _ended.decode(row[3])

    async def unseen(self, thread_id: str, message: UserMessage, within: float) -> EndedTurn | None:
        """As in `Journal`."""
        row = await self._newest(thread_id, within)
        if row is None or row[2] or row[1] != message.fingerprint:
            return None
        ended = _ended.decode(row[3])
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

    async def adopt(self) -> Sequence[OpenTurn]:
        """As in `Journal`."""
        found = await self._database.read(
            "SELECT DISTINCT process FROM turn WHERE ended_at IS NULL AND process <> ?", (self._process.name,)
        )
        gone = await self._process.gone(str(row[0]) for row in found)
        return [turn for name in gone for turn in await self._adopt(name)]

    async def _adopt(self, name: str) -> list[OpenTurn]:
        def write(connection: Connection) -> list[Row]:
            found = rows(connection, _OPEN, (name,))
            connection.execute(_ADOPT, (self._process.name, name))
            return found

        return [
            OpenTurn(
                row[0],
                row[1],
                row[2],
                _message.decode(row[3]),
                stopping=bool(row[4]),
                picked_up=True,
                lost=row[5] >= _MOST_PICKED_UP,
            )
            for row in await self._database.write(write)
        ]


def _begun(connection: Connection, turn_id: str, calls: Sequence[ToolCall]) -> dict[str, ToolOutput | None]:
    wanted = {(call.call_id, call.name, call.arguments) for call in calls}
    return {
        row[0]: None if row[3] is None else _output.decode(row[3])
        for row in rows(connection, _BEGUN, (turn_id,))
        if (row[0], row[1], row[2]) in wanted
    }

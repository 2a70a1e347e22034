"""The turns in the embedded store: those under way, what tools they ran, and what became of them."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from deep_chat_proxy.store.database import Database, Row
from deep_chat_proxy.store.processes import Process
from deep_chat_proxy.turn.events import Completed, ToolCall, ToolOutput
from deep_chat_proxy.turn.journal import EndedTurn, OpenTurn
from deep_chat_proxy.turn.message import UserMessage

_message = msgspec.json.Decoder(
    UserMessage, dec_hook=lambda wanted, value: Path(value) if issubclass(wanted, Path) else value
)
_ended = msgspec.json.Decoder(EndedTurn)
_output = msgspec.json.Decoder(ToolOutput)

# A process has at most one turn on a thread, so what it left open there was never ended because of a fault.
_FORGET = "UPDATE turn SET ended_at = 0 WHERE thread_id = ? AND process = ? AND ended_at IS NULL"
_CLEAR_AWAY = "DELETE FROM turn WHERE ended_at < ?"
_BEGIN = """
INSERT INTO turn (turn_id, thread_id, visitor, process, fingerprint, message) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING
"""
_OPEN = "SELECT turn_id, thread_id, visitor, message, stopping FROM turn"
_NEWEST = "SELECT turn_id, fingerprint, seen, ended FROM turn WHERE thread_id = ? AND ended_at >= ?"
_CALL_ENDED = "UPDATE call SET output = ? WHERE turn_id = ? AND call_id = ?"
_BEGIN_CALL = "INSERT INTO call (turn_id, call_id, name, arguments) VALUES (?, ?, ?, ?)"


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
        return await self._database.write(self._begin(turn))

    async def _begin(self, turn: OpenTurn) -> bool:
        message = msgspec.json.encode(turn.message, enc_hook=str)
        own = (turn.turn_id, turn.thread_id, turn.visitor, self._process.name)
        async with self._database.transaction():
            await self._database.execute(_CLEAR_AWAY, (time.time() - self._kept,))
            await self._database.execute(_FORGET, (turn.thread_id, self._process.name))
            await self._database.execute(_BEGIN, (*own, turn.message.fingerprint, message))
            rows = await self._database.read("SELECT 1 FROM turn WHERE turn_id = ?", (turn.turn_id,))
        return bool(rows)

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
        return await self._database.write(self._begin_calls(turn_id, calls, picked_up=picked_up))

    async def _begin_calls(
        self, turn_id: str, calls: Sequence[ToolCall], *, picked_up: bool
    ) -> Mapping[str, ToolOutput | None]:
        async with self._database.transaction():
            begun = await self._begun(turn_id, calls) if picked_up else {}
            # Some servers give the calls of each round the same ids.
            await self._database.execute("DELETE FROM call WHERE turn_id = ?", (turn_id,))
            for call in calls:
                await self._database.execute(_BEGIN_CALL, (turn_id, call.call_id, call.name, call.arguments))
                if (output := begun.get(call.call_id)) is not None:
                    await self._database.execute(_CALL_ENDED, _ended_call(turn_id, output))
        return begun

    async def _begun(self, turn_id: str, calls: Sequence[ToolCall]) -> dict[str, ToolOutput | None]:
        rows = await self._database.read(
            "SELECT call_id, name, arguments, output FROM call WHERE turn_id = ?", (turn_id,)
        )
        wanted = {(call.call_id, call.name, call.arguments) for call in calls}
        return {
            row[0]: None if row[3] is None else _output.decode(row[3])
            for row in rows
            if (row[0], row[1], row[2]) in wanted
        }

    async def call_ended(self, turn_id: str, output: ToolOutput) -> None:
        """A call has its output."""
        await self._database.insert(_CALL_ENDED, _ended_call(turn_id, output))

    async def end(self, ended: EndedTurn, *, seen: bool) -> None:
        """A turn is over: what it came to stays, what it needed to be picked up does not."""
        await self._database.write(self._end(ended, seen=seen))

    async def _end(self, ended: EndedTurn, *, seen: bool) -> None:
        async with self._database.transaction():
            await self._database.execute(
                "UPDATE turn SET ended_at = ?, ended = ?, seen = ?, checkpoint = NULL WHERE turn_id = ?",
                (time.time(), msgspec.json.encode(ended), seen, ended.turn_id),
            )
            await self._database.execute("DELETE FROM call WHERE turn_id = ?", (ended.turn_id,))

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
        await self._database.insert("UPDATE turn SET seen = 1 WHERE turn_id = ?", (ended.turn_id,))
        return ended

    async def _newest(self, thread_id: str, within: float) -> Row | None:
        rows = await self._database.read(
            f"{_NEWEST} AND ended IS NOT NULL ORDER BY ended_at DESC LIMIT 1",
            (thread_id, time.time() - within),
        )
        return next(iter(rows), None)

    async def files(self) -> set[Path]:
        """The files of the messages that are being answered, in any process."""
        rows = await self._database.read("SELECT message FROM turn WHERE ended_at IS NULL")
        return {file.path for row in rows for file in _message.decode(row[0]).attachments}

    async def adopt(self) -> Sequence[OpenTurn]:
        """As in `Journal`."""
        rows = await self._database.read(
            "SELECT DISTINCT process FROM turn WHERE ended_at IS NULL AND process <> ?", (self._process.name,)
        )
        gone = await self._process.gone(str(row[0]) for row in rows)
        return [turn for name in gone for turn in await self._database.write(self._adopt(name))]

    async def _adopt(self, name: str) -> list[OpenTurn]:
        async with self._database.transaction():
            rows = await self._database.read(f"{_OPEN} WHERE ended_at IS NULL AND process = ?", (name,))
            await self._database.execute(
                "UPDATE turn SET process = ? WHERE ended_at IS NULL AND process = ?",
                (self._process.name, name),
            )
        return [
            OpenTurn(row[0], row[1], row[2], _message.decode(row[3]), bool(row[4]), picked_up=True)
            for row in rows
        ]


def _ended_call(turn_id: str, output: ToolOutput) -> tuple[bytes, str, str]:
    return msgspec.json.encode(output), turn_id, output.call_id

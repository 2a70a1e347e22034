"""What threads are shown as: each message of a visitor with its answer, in the order in which they came."""

import time
from sqlite3 import Connection

import msgspec

from deep_chat_proxy.store.database import Database, Row, rows
from deep_chat_proxy.turn.events import ChatFile
from deep_chat_proxy.turn.exchange import Asked, Exchange, title_of
from deep_chat_proxy.turn.journal import EndedTurn, OpenTurn

_asked = msgspec.json.Decoder(Asked)
_answered = msgspec.json.Decoder(EndedTurn)

_BEGIN = """
INSERT INTO exchange (thread_id, position, turn_id, asked)
SELECT ?1, COALESCE(MAX(position), 0) + 1, ?2, ?3 FROM exchange WHERE thread_id = ?1
ON CONFLICT (turn_id) DO NOTHING
"""
_USED = "UPDATE thread SET used_at = ?, title = COALESCE(title, ?) WHERE thread_id = ?"
_PAGE = """
SELECT position, turn_id, asked, answered FROM exchange
WHERE thread_id = ? AND position < ? ORDER BY position DESC LIMIT ? OFFSET ?
"""


def begin(connection: Connection, turn: OpenTurn) -> None:
    """The turn's message is part of its thread from now on, with the names of its files."""
    now = time.time()
    connection.execute(_USED, (now, title_of(turn.message), turn.thread_id))
    files = tuple(ChatFile("", each.name, each.kind) for each in turn.message.attachments)
    asked = msgspec.json.encode(Asked(turn.message.text, files, now))
    connection.execute(_BEGIN, (turn.thread_id, turn.turn_id, asked))


def keep_files(connection: Connection, turn_id: str, files: tuple[ChatFile, ...]) -> None:
    """The files of the turn's message can be fetched now, or no longer."""
    for (body,) in rows(connection, "SELECT asked FROM exchange WHERE turn_id = ?", (turn_id,)):
        asked = msgspec.structs.replace(_asked.decode(body), files=files)
        connection.execute(
            "UPDATE exchange SET asked = ? WHERE turn_id = ?", (msgspec.json.encode(asked), turn_id)
        )


def drop_files(connection: Connection, turn_id: str) -> list[str]:
    """The files of the turn's message are known by their names only; returns the ids that they had."""
    found = rows(connection, "SELECT asked FROM exchange WHERE turn_id = ?", (turn_id,))
    kept = [file for (body,) in found for file in _asked.decode(body).files]
    keep_files(connection, turn_id, tuple(msgspec.structs.replace(file, file_id="") for file in kept))
    return [file.file_id for file in kept if file.file_id]


def answer(connection: Connection, ended: EndedTurn) -> None:
    """The turn has come to its end."""
    body = msgspec.json.encode(ended)
    connection.execute("UPDATE exchange SET answered = ? WHERE turn_id = ?", (body, ended.turn_id))


def answered(body: bytes) -> EndedTurn:
    """What `answer` has written."""
    return _answered.decode(body)


async def page(
    database: Database, thread_id: str, *, before: int | None, size: int, skipped: int
) -> tuple[list[Exchange], bool]:
    """The `size` exchanges in front of the position `before` (None: the newest), but for the `skipped` ones nearest to
    it, oldest first; and whether there are any older ones.
    """
    highest = before if before is not None else 1 << 62
    found = await database.read(_PAGE, (thread_id, highest, size + 1, skipped))
    return [_exchange(row) for row in reversed(found[:size])], len(found) > size


def _exchange(row: Row) -> Exchange:
    return Exchange(row[0], row[1], _asked.decode(row[2]), None if row[3] is None else answered(row[3]))

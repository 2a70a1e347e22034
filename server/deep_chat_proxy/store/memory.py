"""What is known of a conversation, for a turn that goes on with it."""

from collections.abc import Iterable
from sqlite3 import Connection

import msgspec

from deep_chat_proxy.store import holding
from deep_chat_proxy.store.database import Row, rows
from deep_chat_proxy.turn.transcript import Anchor, AnchorKind, Entry, Memory

_entry = msgspec.json.Decoder(Entry)

_THREAD = """
SELECT anchor, upstream_id, newest, covered, (SELECT checkpoint FROM turn WHERE turn_id = ?)
FROM thread WHERE thread_id = ?
"""
_NEWEST = """
SELECT position, body, turn_id FROM (
    SELECT position, body, turn_id, SUM(LENGTH(body)) OVER (ORDER BY position DESC) AS together
    FROM entry WHERE thread_id = ?
) WHERE together <= ? ORDER BY position
"""


def read_memory(connection: Connection, thread_id: str, turn_id: str, most: int) -> Memory:
    """As `Store.memory`, within a transaction."""
    threads = rows(connection, _THREAD, (turn_id, thread_id))
    newest_entries = rows(connection, _NEWEST, (thread_id, most))
    kind, upstream_id, newest, covered, checkpoint = next(iter(threads), ("", None, None, 0, None))
    own = [row for row in newest_entries if row[2] == turn_id]
    earlier = newest_entries[: len(newest_entries) - len(own)]
    return Memory(
        anchor=Anchor(AnchorKind(kind), upstream_id, newest) if upstream_id is not None else None,
        entries=_entries(earlier),
        covered=_covered(earlier, covered),
        own=_entries(own),
        own_covered=_covered(own, covered),
        checkpoint=checkpoint,
        uploads=holding.uploads(connection, thread_id),
    )


def _entries(rows: Iterable[Row]) -> tuple[Entry, ...]:
    return tuple(_entry.decode(row[1]) for row in rows)


def _covered(rows: Iterable[Row], covered: int) -> int:
    return sum(row[0] <= covered for row in rows)

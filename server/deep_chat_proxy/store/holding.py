"""What is held elsewhere for each thread, and what of it is on its way out: statements within a transaction.

Nothing is forgotten before it is gone: what is held for a thread is written down before the thread is needed, and
goes from one table to the other in the transaction that deletes the thread.
"""

import time
from collections.abc import Iterable
from sqlite3 import Connection

from deep_chat_proxy.store.database import rows
from deep_chat_proxy.turn.held import Held, HeldKind

# A turn may outlive its thread by a moment; what it makes then has nobody to be held for.
_HOLD = """
INSERT INTO held (thread_id, kind, held_id, content)
SELECT thread_id, ?2, ?3, ?4 FROM thread WHERE thread_id = ?1
ON CONFLICT (thread_id, kind, held_id) DO UPDATE SET content = excluded.content
"""
_LEAVE = """
INSERT INTO leaving (kind, held_id, due_at) VALUES (?, ?, ?)
ON CONFLICT (kind, held_id) DO UPDATE SET due_at = MIN(due_at, excluded.due_at)
"""
_LEAVE_ALL = """
INSERT INTO leaving (kind, held_id, due_at) SELECT kind, held_id, ?2 FROM held WHERE thread_id = ?1
ON CONFLICT (kind, held_id) DO UPDATE SET due_at = excluded.due_at
"""
_UPLOADS = "SELECT content, held_id FROM held WHERE thread_id = ? AND kind = 'file' AND content <> ''"


def hold(connection: Connection, thread_id: str, held: Iterable[Held]) -> None:
    """These are held for the thread; where it is no more, they leave at once."""
    for each in held:
        values = (thread_id, each.kind.value, each.held_id, each.content)
        if not connection.execute(_HOLD, values).rowcount:
            leave(connection, each, time.time())


def leave(connection: Connection, held: Held, due_at: float) -> None:
    """It is to be deleted from `due_at` (Unix seconds) on."""
    connection.execute(_LEAVE, (held.kind.value, held.held_id, due_at))


def stay(connection: Connection, thread_id: str, held: Held) -> bool:
    """It is needed after all; False where it is being deleted already."""
    values = (held.kind.value, held.held_id)
    connection.execute("DELETE FROM leaving WHERE kind = ? AND held_id = ?", values)
    found = rows(
        connection,
        "SELECT 1 FROM held WHERE thread_id = ? AND kind = ? AND held_id = ?",
        (thread_id, *values),
    )
    return bool(found)


def delete_thread(connection: Connection, thread_id: str) -> bool:
    """The thread goes with all that is its own; what was held for it leaves. False where it was not there."""
    connection.execute(_LEAVE_ALL, (thread_id, time.time()))
    return connection.execute("DELETE FROM thread WHERE thread_id = ?", (thread_id,)).rowcount > 0


def uploads(connection: Connection, thread_id: str) -> dict[str, str]:
    """The files of the thread that are stored at the back end: its ids by `Attachment.identity`."""
    return dict(rows(connection, _UPLOADS, (thread_id,)))


def on_shelf(key: str) -> Held:
    """A file that is kept under `key`."""
    return Held(HeldKind.SHELF, key)

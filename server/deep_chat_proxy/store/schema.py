"""The tables of the SQLite store, and how those of earlier versions become them."""

# WAL lets other processes read while one writes, and NORMAL is durable enough against a crash of ours. What a visitor
# has deleted is overwritten.
SET_UP = """
PRAGMA journal_mode=WAL;
PRAGMA synchronous=NORMAL;
PRAGMA foreign_keys=ON;
PRAGMA secure_delete=ON;
"""

# Each step is one version: `PRAGMA user_version` says how many of them a file has gone through. They are tried in
# one transaction each, and a table of the first version may be there without a version.
STEPS = (
    """
    CREATE TABLE IF NOT EXISTS thread (
        thread_id TEXT PRIMARY KEY,
        visitor TEXT NOT NULL,
        dialect TEXT NOT NULL,
        upstream_id TEXT,
        created_at INTEGER NOT NULL DEFAULT (unixepoch())
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS file (
        file_id TEXT PRIMARY KEY,
        thread_id TEXT NOT NULL REFERENCES thread ON DELETE CASCADE,
        visitor TEXT NOT NULL,
        upstream_id TEXT NOT NULL,
        name TEXT NOT NULL,
        kind TEXT NOT NULL,
        created_at INTEGER NOT NULL DEFAULT (unixepoch())
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS file_of_thread ON file (thread_id);
    """,
    """
    ALTER TABLE thread ADD COLUMN anchor TEXT;
    UPDATE thread SET anchor = 'thread' WHERE upstream_id IS NOT NULL;
    ALTER TABLE thread DROP COLUMN dialect;
    ALTER TABLE thread ADD COLUMN covered INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE file ADD COLUMN key TEXT;
    CREATE TABLE entry (
        thread_id TEXT NOT NULL REFERENCES thread ON DELETE CASCADE,
        position INTEGER NOT NULL,
        body BLOB NOT NULL,
        PRIMARY KEY (thread_id, position)
    ) WITHOUT ROWID;
    """,
    """
    ALTER TABLE entry ADD COLUMN turn_id TEXT;
    ALTER TABLE thread ADD COLUMN newest TEXT;
    CREATE TABLE turn (
        turn_id TEXT PRIMARY KEY,
        thread_id TEXT NOT NULL REFERENCES thread ON DELETE CASCADE,
        visitor TEXT NOT NULL,
        process TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        message BLOB NOT NULL,
        checkpoint BLOB,
        stopping INTEGER NOT NULL DEFAULT 0,
        picked_up INTEGER NOT NULL DEFAULT 0,
        ended_at REAL,
        ended BLOB,
        seen INTEGER NOT NULL DEFAULT 0
    );
    CREATE UNIQUE INDEX turn_under_way ON turn (thread_id) WHERE ended_at IS NULL;
    CREATE INDEX turn_of_thread ON turn (thread_id, ended_at);
    CREATE INDEX ended_turn ON turn (ended_at) WHERE ended_at IS NOT NULL;
    CREATE TABLE call (
        turn_id TEXT NOT NULL REFERENCES turn ON DELETE CASCADE,
        call_id TEXT NOT NULL,
        name TEXT NOT NULL,
        arguments TEXT NOT NULL,
        output BLOB,
        PRIMARY KEY (turn_id, call_id)
    ) WITHOUT ROWID;
    """,
    """
    ALTER TABLE thread ADD COLUMN title TEXT;
    ALTER TABLE thread ADD COLUMN used_at REAL NOT NULL DEFAULT 0;
    UPDATE thread SET used_at = created_at;
    CREATE INDEX thread_of_visitor ON thread (visitor, used_at);
    CREATE INDEX thread_by_age ON thread (used_at);
    ALTER TABLE file ADD COLUMN content TEXT;
    DELETE FROM turn WHERE ended_at IS NOT NULL;
    ALTER TABLE turn DROP COLUMN ended;
    CREATE TABLE exchange (
        thread_id TEXT NOT NULL REFERENCES thread ON DELETE CASCADE,
        position INTEGER NOT NULL,
        turn_id TEXT NOT NULL,
        asked BLOB NOT NULL,
        answered BLOB,
        PRIMARY KEY (thread_id, position)
    ) WITHOUT ROWID;
    CREATE UNIQUE INDEX exchange_of_turn ON exchange (turn_id);
    CREATE TABLE held (
        thread_id TEXT NOT NULL REFERENCES thread ON DELETE CASCADE,
        kind TEXT NOT NULL,
        held_id TEXT NOT NULL,
        content TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (thread_id, kind, held_id)
    ) WITHOUT ROWID;
    INSERT INTO held (thread_id, kind, held_id)
    SELECT thread_id, anchor, upstream_id FROM thread WHERE upstream_id IS NOT NULL AND anchor IS NOT NULL;
    INSERT INTO held (thread_id, kind, held_id) SELECT thread_id, 'shelf', key FROM file WHERE key IS NOT NULL;
    INSERT OR IGNORE INTO held (thread_id, kind, held_id)
    SELECT entry.thread_id, 'shelf', json_extract(attached.value, '$.key')
    FROM entry, json_each(CAST(entry.body AS TEXT), '$.files') AS attached
    WHERE json_extract(attached.value, '$.key') IS NOT NULL;
    CREATE TABLE leaving (
        kind TEXT NOT NULL,
        held_id TEXT NOT NULL,
        due_at REAL NOT NULL,
        tries INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (kind, held_id)
    ) WITHOUT ROWID;
    CREATE INDEX leaving_due ON leaving (due_at);
    CREATE TABLE allowance (
        visitor TEXT NOT NULL,
        day INTEGER NOT NULL,
        files INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        PRIMARY KEY (visitor, day)
    ) WITHOUT ROWID;
    """,
)

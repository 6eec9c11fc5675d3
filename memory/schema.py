"""The tables of a memory, their versions, and the seal by which each row is known to be whole."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from daytwo.errors import InputError

VERSION = 2

# Columns that are sealed, in order; a column `digest` follows in every table.
TABLES: dict[str, tuple[str, ...]] = {
    "about": ("copy", "value"),  # what the memory belongs to and its version, twice
    "episode": (
        *("id", "day", "trial", "attempt", "task", "skill", "arm", "driver", "policy", "software"),
        *("started", "success", "terminated", "context", "steps", "bytes", "content"),
    ),
    # Beside the episode's row, so that metadata stays quick to scan; it says again what that row
    # says, so that losing the one costs nothing of the other.
    "arrays": ("id", "metadata", "blob"),
    "frames": ("id", "video"),
    "state": ("key", "value"),
    "dropped": ("id", "why"),  # every id up to the last is an episode or stands here
}

EPISODE = """
CREATE TABLE {name} (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice
    day INTEGER NOT NULL, trial INTEGER NOT NULL, attempt INTEGER NOT NULL,
    task TEXT NOT NULL, skill TEXT NOT NULL, arm TEXT NOT NULL, driver TEXT NOT NULL,
    policy TEXT NOT NULL, software TEXT NOT NULL, started TEXT NOT NULL,
    success INTEGER NOT NULL, terminated INTEGER NOT NULL,
    context TEXT NOT NULL, -- JSON list
    steps INTEGER NOT NULL, bytes INTEGER NOT NULL,
    content BLOB NOT NULL, -- digest of what was attempted, wherever it is kept
    digest BLOB NOT NULL
);
"""

ARRAYS = """
CREATE TABLE {name} (
    id INTEGER PRIMARY KEY,
    metadata TEXT NOT NULL, -- `describe`d
    blob BLOB NOT NULL, digest BLOB NOT NULL
);
"""

# What names everything else lies at the beginning of the file, where a cut spares it.
CREATE = f"""
{EPISODE.format(name="episode")}
CREATE TABLE about (copy INTEGER PRIMARY KEY, value TEXT NOT NULL, digest BLOB NOT NULL);
CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL, digest BLOB NOT NULL);
CREATE INDEX episode_by_day ON episode (day, task);
{ARRAYS.format(name="arrays")}
CREATE TABLE frames (id INTEGER PRIMARY KEY, video BLOB NOT NULL, digest BLOB NOT NULL);
CREATE TABLE dropped (id INTEGER PRIMARY KEY, why TEXT NOT NULL, digest BLOB NOT NULL);
"""


def seal(table: str, values: Sequence[Any]) -> bytes:
    """Digest of a row's sealed columns (int, str, bytes or None), (16,) bytes."""
    blobs = [value for value in values if isinstance(value, bytes)]
    plain = [(len(value),) if isinstance(value, bytes) else value for value in values]
    digest = blake2b(repr((table, plain)).encode("utf-8", "replace"), digest_size=16)
    for blob in blobs:
        digest.update(blob)
    return digest.digest()


def insert(db: sqlite3.Connection, table: str, values: Sequence[Any], clash: str = "ABORT") -> None:
    """Put a row in, sealed; `clash` is what SQLite does if there is one with the same key."""
    marks = ", ".join("?" * (len(values) + 1))
    columns = ", ".join((*TABLES[table], "digest"))
    db.execute(
        f"INSERT OR {clash} INTO {table} ({columns}) VALUES ({marks})",
        (*values, seal(table, values)),
    )


def is_whole(table: str, row: Sequence[Any]) -> bool:
    """Whether a row (sealed columns and digest) is as it was written."""
    return bool(row[-1] == seal(table, row[:-1]))


def select(table: str) -> str:
    """`SELECT` of a table's sealed columns and digest."""
    return f"SELECT {', '.join((*TABLES[table], 'digest'))} FROM {table}"


def describe(episode: Mapping[str, Any]) -> str:
    """Columns of `episode` but for the id, as JSON, which `arrays` keeps too."""
    *values, content = (episode[name] for name in TABLES["episode"][1:])
    return json.dumps([*values, content.hex()])


def described(metadata: str) -> dict[str, Any]:
    """The columns that were `describe`d."""
    *values, content = json.loads(metadata)
    return dict(zip(TABLES["episode"][1:], [*values, bytes.fromhex(content)], strict=True))


def write_about(db: sqlite3.Connection, about: dict[str, Any]) -> None:
    """Say what the memory belongs to, twice: what names everything else must outlive damage."""
    for copy in (1, 2):
        insert(db, "about", (copy, json.dumps(about)), "REPLACE")


def read_about(db: sqlite3.Connection) -> dict[str, Any] | None:
    """What the memory belongs to, from the first copy that is whole; None if none is."""
    for row in db.execute(select("about")):
        if is_whole("about", row):
            return dict(json.loads(row[1]))
    return None


def migrate(db: sqlite3.Connection, about: dict[str, Any]) -> dict[str, Any]:
    """Bring an older memory up to this version; the caller's transaction makes it whole or undone.

    Raises:
        InputError: the memory was written by a newer version of daytwo.
    """
    refuse_newer(about["schema"])
    while about["schema"] < VERSION:
        MIGRATIONS[about["schema"]](db)
        about = {**about, "schema": about["schema"] + 1}
        write_about(db, about)
    return about


def refuse_newer(schema: int) -> None:
    if schema > VERSION:
        raise InputError(
            f"memory: schema {schema} was written by a newer daytwo; this one knows up to "
            f"{VERSION}: update daytwo; nothing was changed"
        )


def _to_version_2(db: sqlite3.Connection) -> None:
    """Version 1 -> 2: `trial` (a first attempt began one), `context` (not estimated then),
    `dropped`, where ids that are missing are noted, and metadata beside the arrays too."""
    old = [name for name in TABLES["episode"] if name not in ("trial", "context")]
    (last,) = db.execute("SELECT max(seq) FROM sqlite_sequence").fetchone()
    missing, trial, metadata = set(range(1, (last or 0) + 1)), -1, dict[int, str]()
    # A new table: added columns would stand last, and rows are also read without SQLite.
    db.execute(EPISODE.format(name="fresh"))
    marks = ", ".join("?" * (len(TABLES["episode"]) + 1))
    for row in db.execute(f"SELECT {', '.join(old)}, digest FROM episode ORDER BY id").fetchall():
        named = dict(zip(old, row, strict=False))
        trial = max(trial + (named["attempt"] == 1), 0)
        new = [{**named, "trial": trial, "context": "[]"}[name] for name in TABLES["episode"]]
        digest = row[-1]  # of a damaged row it does not fit: that must not pass as whole
        if is_whole("episode", row):
            digest = seal("episode", new)
            metadata[named["id"]] = describe(dict(zip(TABLES["episode"], new, strict=True)))
        db.execute(f"INSERT INTO fresh VALUES ({marks})", (*new, digest))
        missing.discard(named["id"])
    db.execute("DROP TABLE episode")
    db.execute("ALTER TABLE fresh RENAME TO episode")
    db.execute("CREATE INDEX episode_by_day ON episode (day, task)")
    db.execute(ARRAYS.format(name="fresh"))
    for id, blob, digest in db.execute("SELECT id, blob, digest FROM arrays"):
        said = (id, metadata.get(id, ""), blob)
        if id in metadata and is_whole("arrays", (id, blob, digest)):
            digest = seal("arrays", said)
        db.execute("INSERT INTO fresh VALUES (?, ?, ?, ?)", (*said, digest))
    db.execute("DROP TABLE arrays")
    db.execute("ALTER TABLE fresh RENAME TO arrays")
    db.execute("CREATE TABLE dropped (id INTEGER PRIMARY KEY, why TEXT NOT NULL, digest BLOB)")
    for id in sorted(missing):
        insert(db, "dropped", (id, "before version 2"))


MIGRATIONS: dict[int, Callable[[sqlite3.Connection], None]] = {1: _to_version_2}

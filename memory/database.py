"""The SQLite file of a memory: how it is made and opened, and what its errors mean."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from daytwo.errors import InputError
from daytwo.memory import schema
from daytwo.memory.durable import sync

NAME = "memory.sqlite"
PAGE = 4096  # [bytes]; told to SQLite, so that a damaged header need not be asked

_MEANING = {
    sqlite3.SQLITE_FULL: "the disk is full; nothing was changed; free space",
    sqlite3.SQLITE_READONLY: "it cannot be written; nothing was changed; make the disk writable",
    sqlite3.SQLITE_IOERR: "the disk refused (full or failing); nothing was changed; free space or "
    "choose another folder",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check the folder's permissions",
    sqlite3.SQLITE_BUSY: "another program holds it; end that program",
}
_DAMAGE = (
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_ERROR,
)  # last: no such table
# What SQLite raises; a damaged name in its message cannot even be decoded.
ERRORS = (sqlite3.Error, UnicodeDecodeError)
REPAIR = "; `daytwo memory verify --repair` keeps what is whole"


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Raise what the disk or a damaged file cause as InputError; errors of ours as they are."""
    try:
        yield
    except ERRORS as error:
        code = code_of(error)
        if code in _DAMAGE:
            raise InputError(f"{path}: it is damaged ({error}){REPAIR}") from error
        if code not in _MEANING:
            raise
        raise InputError(f"{path}: {_MEANING[code]} ({error})") from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; nothing was changed") from error


def code_of(error: Exception) -> int:
    """SQLite's primary result code; -1 for an error of ours."""
    unnamed = sqlite3.SQLITE_ERROR if isinstance(error, UnicodeDecodeError) else -1
    code = int(getattr(error, "sqlite_errorcode", unnamed))
    return code & 0xFF if code >= 0 else code


def connect(path: Path, write: bool) -> sqlite3.Connection:
    """Open a memory's file. A commit returns when it is on the disk (`synchronous=FULL`)."""
    mode = "rw" if write else "ro"
    if not write and not os.access(path.parent, os.W_OK) and not has_log(path):
        mode = "ro&immutable=1"  # a reader's notes (-shm) cannot be written there, nor anything
    db = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode={mode}",
        uri=True,
        timeout=10.0,
        isolation_level=None,  # transactions begin where we say
        check_same_thread=False,  # `Store` takes turns
        cached_statements=64,
    )
    # A damaged text must be readable to be named: its seal tells.
    db.text_factory = lambda data: data.decode("utf-8", "replace")
    if write:
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA secure_delete = ON")  # what was dropped does not come back in a repair
        db.execute("PRAGMA wal_autocheckpoint = 2000")  # a slow append in hundreds, not in dozens
    return db


def make(path: Path, about: dict[str, Any] | None) -> sqlite3.Connection:
    """A new file with a memory's tables, open in rollback mode; `publish` puts it in place."""
    for old in (path, Path(f"{path}-journal")):
        old.unlink(missing_ok=True)
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(f"PRAGMA page_size = {PAGE}")
    db.execute("PRAGMA auto_vacuum = INCREMENTAL")
    db.execute("PRAGMA secure_delete = ON")
    db.executescript(f"BEGIN; {schema.CREATE} COMMIT;")
    if about is not None:
        with transaction(db):
            schema.write_about(db, about)
    return db


def publish(db: sqlite3.Connection, fresh: Path, path: Path) -> None:
    """Close a file that was made and rename it to `path`, all of it on the disk."""
    finish(db, fresh)
    fresh.rename(path)
    sync(path.parent)


def finish(db: sqlite3.Connection, fresh: Path) -> None:
    """Close a file that was made, all of it on the disk."""
    db.execute("PRAGMA journal_mode = WAL")
    db.close()
    sync(fresh)


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All of what is done within, or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def has_log(path: Path) -> bool:
    """Whether something is in a memory's log that is not in its file yet."""
    log = Path(f"{path}-wal")
    return log.exists() and log.stat().st_size > 0

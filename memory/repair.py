"""What is left of a damaged memory, and a whole one made of it."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from daytwo.errors import InputError
from daytwo.memory import database, salvage, schema
from daytwo.memory.database import explained, transaction
from daytwo.memory.durable import make_folder, sync
from daytwo.memory.entry import drop_episodes, put_episode

LOG = ("-wal", "-shm")
QUARANTINE = "quarantine"  # folder for damaged files; whoever needs none of it may delete it
MOST_MISSING = 100_000  # episodes; a sequence that claims more is damaged itself

Named = tuple[str, tuple[Any, ...]]  # table and row (sealed columns and digest)


@dataclass
class Survey:
    """Which rows of a memory are whole."""

    about: dict[str, Any] | None = None
    metadata: set[int] = field(default_factory=set)
    size: dict[int, int] = field(default_factory=dict)  # id -> bytes of arrays and frames, as said
    arrays: dict[int, int] = field(default_factory=dict)  # id -> bytes
    frames: dict[int, int] = field(default_factory=dict)
    dropped: set[int] = field(default_factory=set)
    sequence: int = 0

    def watch(self, rows: Iterable[Named]) -> Iterator[Named]:
        """Pass rows on and note them."""
        size = schema.TABLES["episode"].index("bytes")
        for table, row in rows:
            if table == "episode":
                self.metadata.add(row[0])
                self.size[row[0]] = row[size]
            elif table == "arrays":
                self.arrays[row[0]] = len(row[2])
                self.size[row[0]] = schema.described(row[1])["bytes"]
            elif table == "frames":
                self.frames[row[0]] = len(row[1])
            elif table == "dropped":
                self.dropped.add(row[0])
            elif table == "about":
                self.about = json.loads(row[1])
            elif table == "sqlite_sequence":
                self.sequence = row[1]
            yield table, row

    def lost(self) -> dict[int, str]:
        """What is missing of each episode that was never dropped: every id up to the last is
        either whole or dropped."""
        last = max([*self.metadata, *self.arrays, *self.frames, *self.dropped], default=0)
        if last < self.sequence <= last + MOST_MISSING:
            last = self.sequence
        missing = {}
        for id in range(1, last + 1):
            if id in self.dropped:
                continue
            if id not in self.arrays:
                missing[id] = "arrays" if id in self.metadata else "everything"
                continue
            parts = ["metadata"] if id not in self.metadata else []
            if self.size[id] != self.arrays[id] + self.frames.get(id, 0):
                parts.append("frames")
            if parts:
                missing[id] = " and ".join(parts)
        return missing


def survey(path: Path) -> Survey:
    """What is whole in a damaged file."""
    found = Survey()
    with explained(path):
        for _ in found.watch(salvage.rows(path)):
            pass
    return found


def rebuild(path: Path) -> Path:
    """Put a memory of all that is whole in place of a damaged one.

    The caller holds the writer's lock.

    Returns:
        Where the damaged file lies now.

    Raises:
        InputError: nothing says what the memory belongs to, or it is of an older version, or the
            disk is full; nothing was changed.
    """
    fresh = path.with_name(f".{path.name}.new")
    with explained(path):
        db = database.make(fresh, None)
        try:
            found = Survey()
            with transaction(db):
                _fill(db, found, path)
        except BaseException:
            db.close()
            fresh.unlink()
            raise
        try:
            database.finish(db, fresh)  # from here on nothing needs room on the disk
            aside = path.parent / QUARANTINE / f"memory-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.sqlite"
            make_folder(aside.parent)
            os.link(path, aside)
            for kind in LOG:  # they belong to the damaged file alone
                if (log := Path(f"{path}{kind}")).exists():
                    log.rename(f"{aside}{kind}")
            sync(aside.parent)
            fresh.replace(path)
        except BaseException:
            fresh.unlink(missing_ok=True)
            take_back(path)
            raise
        sync(path.parent)
    return aside


def take_back(path: Path) -> None:
    """Undo a repair that ended before the whole file was in place: the damaged one has its log
    again, in which episodes may be that are nowhere else.
    """
    for aside in path.parent.glob(f"{QUARANTINE}/*.sqlite"):
        if aside.samefile(path):
            for kind in LOG:
                if (log := Path(f"{aside}{kind}")).exists():
                    log.rename(f"{path}{kind}")
            aside.unlink()
            sync(path.parent)


def _fill(db: sqlite3.Connection, found: Survey, path: Path) -> None:
    """Insert what is whole of episodes of which enough is."""
    for table, row in found.watch(salvage.rows(path)):
        if table in ("state", "about"):
            schema.insert(db, table, row[:-1], "REPLACE")
        elif table != "sqlite_sequence":
            schema.insert(db, table, row[:-1], "IGNORE")  # as whole as the first
    if found.about is None:
        raise InputError(
            f"{path}: nothing in it says what it belongs to, so it cannot be repaired; restore it "
            "from a copy; nothing was changed"
        )
    if found.about["schema"] != schema.VERSION:
        raise InputError(
            f"{path}: damaged and of schema {found.about['schema']}; repair it with the daytwo "
            "that wrote it; nothing was changed"
        )
    schema.write_about(db, found.about)
    for id, what in found.lost().items():
        if id not in found.arrays:
            drop_episodes(db, [id], f"damaged: {what}")
            continue
        query = "SELECT metadata, blob FROM arrays WHERE id = ?"
        metadata, blob = db.execute(query, (id,)).fetchone()
        size = len(blob) + found.frames.get(id, 0)
        put_episode(db, id, {**schema.described(metadata), "bytes": size}, blob, "REPLACE")
    for id in found.dropped:  # of a page that was no longer in use
        for table in ("episode", "arrays", "frames"):
            db.execute(f"DELETE FROM {table} WHERE id = ?", (id,))

"""The episode store: everything an arm ever tried, in one SQLite file that outlives power cuts."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from daytwo.errors import InputError
from daytwo.memory import database, schema
from daytwo.memory.about import About
from daytwo.memory.database import explained, transaction
from daytwo.memory.durable import make_folder
from daytwo.memory.entry import (
    Entry,
    add_episode,
    condition,
    drop_episodes,
    from_record,
    to_entry,
    to_record,
)
from daytwo.memory.lock import WriterLock
from daytwo.memory.record import STUDY, Record
from daytwo.memory.repair import take_back

NIGHTS = "nights"  # state: the last day that is over
CACHE, CACHE_INDEX = "rows.f32", "rows.idx"  # of `memory.rows`


class Store:
    """One memory. Any thread may use it; one process may write, many may read beside it.

    Made by `create` or `open`; a context manager.
    """

    def __init__(
        self, folder: Path, db: sqlite3.Connection, about: About, limit_gb: float, ends: ExitStack
    ) -> None:
        self.folder, self.about, self.limit_gb = folder, about, limit_gb
        self.path = folder / database.NAME
        self._db, self._ends = db, ends
        self._turn = threading.RLock()

    @classmethod
    def create(cls, folder: str | Path, about: About, limit_gb: float = 2.0) -> Store:
        """Make a memory and open it for writing.

        Raises:
            InputError: the folder already holds one, or cannot be written.
        """
        folder = Path(folder)
        path, fresh = folder / database.NAME, folder / f".{database.NAME}.new"
        if path.exists():
            raise InputError(f"memory {folder}: there is one already; name another folder")
        if limit_gb <= 0:
            raise InputError(f"memory: limit_gb is {limit_gb}; it must be above 0")
        with explained(folder):
            make_folder(folder)
        lock = WriterLock(folder)
        try:
            with explained(folder):
                value = {"schema": schema.VERSION, "limit_gb": limit_gb, **asdict(about)}
                database.publish(database.make(fresh, value), fresh, path)
        finally:
            lock.release()
        return cls.open(folder, about, write=True)

    @classmethod
    def open(cls, folder: str | Path, about: About | None = None, write: bool = False) -> Store:
        """Open a memory; an older one is first brought up to this version.

        Args:
            folder: where it is.
            about: what it must belong to.
            write: whether to write; one process at a time may.

        Raises:
            InputError: there is none, it belongs to something else, another process writes to it,
                a newer daytwo wrote it, or it is damaged; nothing was changed.
        """
        folder = Path(folder)
        path = folder / database.NAME
        if not path.is_file():
            raise InputError(f"memory {folder}: there is none (no {database.NAME})")
        with ExitStack() as ends:
            if write:
                ends.callback(WriterLock(folder).release)
            with explained(path):
                if write:
                    take_back(path)
                db = database.connect(path, write)
                ends.callback(db.close)
                value = schema.read_about(db)
            if value is None:
                raise InputError(f"{path}: table about is damaged{database.REPAIR}")
            schema.refuse_newer(value["schema"])
            found = About.of(value)
            if about is not None and (difference := found.difference(about)) is not None:
                raise InputError(
                    f"memory {folder} belongs to something else: {difference}; name a memory of "
                    "this arm, or another folder for a new one"
                )
            if value["schema"] < schema.VERSION:
                _migrate(folder, db if write else None)
            return cls(folder, db, found, float(value["limit_gb"]), ends.pop_all())

    def close(self) -> None:
        """Let go of the file and the lock; more than once does no harm."""
        with self._turn:
            self._ends.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, record: Record, frames: bytes | None = None) -> int:
        """Keep an attempt; when this returns, it survives a power cut.

        Args:
            record: the attempt.
            frames: what a camera saw of it, e.g. the bytes of an mp4.

        Returns:
            Its id.

        Raises:
            InputError: it does not belong here, or the disk is full or not writable; the memory
                is as before.
        """
        self.check(record)
        columns, blob = from_record(record, frames)
        with self.writing() as db:
            return add_episode(db, columns, blob, frames)

    def check(self, record: Record) -> None:
        """Refuse an attempt of another arm or layout.

        Raises:
            InputError: names what differs.
        """
        episode = record.episode
        if record.arm != self.about.arm:
            raise InputError(
                f"memory {self.folder} belongs to arm {self.about.arm!r}; an attempt of arm "
                f"{record.arm!r} does not go into it"
            )
        for name, found, wanted in (
            ("observations", episode.observations.shape[1], self.about.observations),
            ("actions", episode.actions.shape[1], len(self.about.action)),
        ):
            if found != wanted:
                raise InputError(
                    f"memory {self.folder}: {name} have {found} elements; its own have {wanted}"
                )

    def find(self, **where: Any) -> list[Entry]:
        """Episodes by what is known of them, oldest first.

        Args:
            where: column=value or column=(values, ...), and `min_day`, `max_day`.

        Raises:
            InputError: no such column, or a row is damaged.
        """
        text, values = condition(where)
        with self.reading() as db:
            rows = db.execute(f"{schema.select('episode')} {text} ORDER BY id", values).fetchall()
        return [self._entry(row) for row in rows]

    def read(self, id: int) -> Record:
        """An attempt, its checksum verified.

        Raises:
            InputError: there is no such episode, or it is damaged.
        """
        with self.reading() as db:
            db.execute("BEGIN")  # one moment, should a writer drop it meanwhile
            try:
                row = db.execute(f"{schema.select('episode')} WHERE id = ?", (id,)).fetchone()
                arrays = db.execute(f"{schema.select('arrays')} WHERE id = ?", (id,)).fetchone()
            finally:
                db.execute("ROLLBACK")
        if row is None:
            raise InputError(f"memory {self.folder}: no episode {id}")
        entry = self._entry(row)
        if arrays is None or not schema.is_whole("arrays", arrays):
            raise self._damaged(id, "arrays")
        return to_record(entry, arrays[2])

    def records(self, **where: Any) -> Iterator[Record]:
        """Attempts as `find` finds them, read one after the other."""
        for entry in self.find(**where):
            yield self.read(entry.id)

    def __len__(self) -> int:
        """Episodes."""
        return int(self._column("SELECT count(*) FROM episode")[0])

    def contents(self, after: int = 0, upto: int | None = None) -> list[tuple[int, int, bytes]]:
        """Id, steps and content's digest of the episodes after < id <= upto, in order."""
        query = "SELECT id, steps, content FROM episode WHERE id > ? AND id <= ? ORDER BY id"
        with self.reading() as db:
            return db.execute(query, (after, 2**62 if upto is None else upto)).fetchall()

    def frames(self, id: int) -> bytes | None:
        """What a camera saw of an attempt; None if there was none."""
        with self.reading() as db:
            row = db.execute(f"{schema.select('frames')} WHERE id = ?", (id,)).fetchone()
        if row is not None and not schema.is_whole("frames", row):
            raise self._damaged(id, "frames")
        return None if row is None else row[1]

    def days(self) -> list[int]:
        """Days of which something is kept, in order."""
        return self._column("SELECT DISTINCT day FROM episode ORDER BY day")

    def tasks(self) -> list[str]:
        """Tasks of which something is kept, by name."""
        return self._column("SELECT DISTINCT task FROM episode ORDER BY task")

    def last_day(self) -> int:
        """The last day of which something is kept; 0 if there is none."""
        return int(self._column("SELECT coalesce(max(day), 0) FROM episode")[0])

    @property
    def today(self) -> int:
        """The day that attempts are counted to: the one after the last night."""
        return int(self.get(NIGHTS, STUDY)) + 1

    def end_day(self) -> None:
        """The day is over; the next one comes after those of memories that were merged."""
        self.put(NIGHTS, max(self.today, self.last_day()))

    def get(self, key: str, default: Any = None) -> Any:
        """What was put under a key.

        Raises:
            InputError: it is damaged.
        """
        with self.reading() as db:
            row = db.execute(f"{schema.select('state')} WHERE key = ?", (key,)).fetchone()
        if row is None:
            return default
        if not schema.is_whole("state", row):
            raise InputError(f"{self.path}: table state, {key!r}: damaged{database.REPAIR}")
        return json.loads(row[1])

    def put(self, key: str, value: Any) -> None:
        """Keep a small JSON value under a key, in one transaction."""
        with self.writing() as db:
            schema.insert(db, "state", (key, json.dumps(value)), "REPLACE")

    def drop(self, ids: Sequence[int], why: str) -> None:
        """Forget episodes, in one transaction; that they were dropped, and why, is kept."""
        with self.writing() as db:
            drop_episodes(db, ids, why)

    def give_back(self) -> None:
        """Shorten the file by what dropped episodes took."""
        with self.reading() as db:
            db.executescript("PRAGMA incremental_vacuum")  # `execute` stops after a page
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def used_bytes(self) -> int:
        """What the episodes and the cache for sampling take on the disk."""
        with self.reading() as db:
            pages, free = (
                db.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count")
            )
        cache = [path for name in (CACHE, CACHE_INDEX) if (path := self.folder / name).exists()]
        return int(pages - free) * database.PAGE + sum(path.stat().st_size for path in cache)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, for one thread at a time; its errors explained."""
        with self._turn, explained(self.path):
            yield self._db

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """The connection within one transaction; its errors explained."""
        with self._turn, explained(self.path), transaction(self._db):
            yield self._db

    def _column(self, query: str) -> list[Any]:
        with self.reading() as db:
            return [row[0] for row in db.execute(query)]

    def _entry(self, row: Sequence[Any]) -> Entry:
        if not schema.is_whole("episode", row):
            raise self._damaged(row[0], "metadata")
        return to_entry(row)

    def _damaged(self, id: int, what: str) -> InputError:
        return InputError(f"{self.path}: episode {id}: {what} damaged{database.REPAIR}")


def _migrate(folder: Path, db: sqlite3.Connection | None) -> None:
    """Bring an older memory up to this version, in one transaction."""
    path = folder / database.NAME
    with ExitStack() as ends, explained(path):
        if db is None:  # a reader came first
            ends.callback(WriterLock(folder).release)
            db = database.connect(path, write=True)
            ends.callback(db.close)
        with transaction(db):
            about = schema.read_about(db)
            assert about is not None
            schema.migrate(db, about)

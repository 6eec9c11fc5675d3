"""A record as the store's rows, and back."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from daytwo.errors import InputError
from daytwo.memory import codec, schema
from daytwo.memory.episodes import Episode
from daytwo.memory.record import Record

COLUMNS = tuple(name for name in schema.TABLES["episode"] if name not in ("context", "content"))


class Entry(NamedTuple):
    """What is known of an episode without reading its arrays."""

    id: int
    day: int
    trial: int
    attempt: int
    task: str
    skill: str
    arm: str
    driver: str
    policy: str
    software: str
    started: str
    success: bool
    terminated: bool
    context: tuple[float, ...]  # the belief's mean
    steps: int
    bytes: int  # on the disk, frames included


def from_record(record: Record, frames: bytes | None) -> tuple[dict[str, Any], bytes]:
    """Columns of its row in `episode` but for the id, and its arrays, compressed."""
    packed = codec.pack(_arrays(record))
    blob = codec.compress(packed)
    columns = {
        "day": record.day,
        "trial": record.trial,
        "attempt": record.attempt,
        "task": record.episode.task,
        "skill": record.skill,
        "arm": record.arm,
        "driver": record.driver,
        "policy": record.policy,
        "software": record.software,
        "started": record.started,
        "success": int(record.episode.success),
        "terminated": int(record.episode.terminated),
        "context": json.dumps(np.asarray(record.context, np.float32).tolist()),
        "steps": len(record.episode),
        "bytes": len(blob) + len(frames or b""),
        "content": _content(record, packed),
    }
    return columns, blob


def to_entry(row: Sequence[Any]) -> Entry:
    """What a row of `episode` (sealed columns and digest) says."""
    *known, success, terminated, context, steps, size, _content, _digest = row
    belief = tuple(json.loads(context))
    return Entry._make((*known, bool(success), bool(terminated), belief, steps, size))


def to_record(entry: Entry, blob: bytes) -> Record:
    """The attempt of which these are the metadata and the compressed arrays."""
    arrays = codec.unpack(codec.decompress(blob))
    episode = Episode(
        arrays.pop("observations"),
        arrays.pop("actions"),
        arrays.pop("rewards"),
        entry.terminated,
        entry.success,
        entry.task,
    )
    return Record(
        episode,
        arm=entry.arm,
        driver=entry.driver,
        day=entry.day,
        trial=entry.trial,
        attempt=entry.attempt,
        skill=entry.skill,
        policy=entry.policy,
        sent=arrays.pop("sent"),
        context=np.array(entry.context, np.float32),
        tracks={name.removeprefix("track "): array for name, array in arrays.items()},
        software=entry.software,
        started=entry.started,
    )


def add_episode(
    db: sqlite3.Connection, columns: dict[str, Any], blob: bytes, frames: bytes | None
) -> int:
    """Insert an episode's rows with the next id; the caller's transaction.

    Args:
        db: connection.
        columns: of table `episode`; the id is given here.
        blob: its arrays, compressed.
        frames: what a camera saw.
    """
    (last,) = db.execute(
        "SELECT max(coalesce((SELECT max(seq) FROM sqlite_sequence), 0),"
        " coalesce((SELECT max(id) FROM episode), 0), coalesce((SELECT max(id) FROM dropped), 0))"
    ).fetchone()
    id = int(last) + 1
    put_episode(db, id, columns, blob)
    if frames is not None:
        schema.insert(db, "frames", (id, frames))
    return id


def put_episode(
    db: sqlite3.Connection, id: int, columns: dict[str, Any], blob: bytes, clash: str = "ABORT"
) -> None:
    """Insert an episode's metadata and arrays; `clash` as in `schema.insert`."""
    row = [id, *(columns[name] for name in schema.TABLES["episode"][1:])]
    schema.insert(db, "episode", row, clash)
    schema.insert(db, "arrays", (id, schema.describe(columns), blob), clash)


def drop_episodes(db: sqlite3.Connection, ids: Iterable[int], why: str) -> None:
    """Delete all rows of episodes and note why; the caller's transaction."""
    for id in ids:
        for table in ("episode", "arrays", "frames"):
            db.execute(f"DELETE FROM {table} WHERE id = ?", (id,))
        schema.insert(db, "dropped", (id, why), "REPLACE")


def condition(where: dict[str, Any]) -> tuple[str, list[Any]]:
    """SQL text and values of what `find` was asked for."""
    parts, values = [], []
    for name, wanted in where.items():
        bound = {"min_day": "day >= ?", "max_day": "day <= ?"}.get(name)
        if bound is None and name not in COLUMNS:
            raise InputError(
                f"memory: no column {name!r}; known are {', '.join(COLUMNS)}, min_day, max_day"
            )
        several = list(wanted) if isinstance(wanted, list | tuple | set | frozenset) else [wanted]
        parts.append(bound or f"{name} IN ({', '.join('?' * len(several))})")
        values += several
    return ("WHERE " + " AND ".join(parts) if parts else ""), values


def _arrays(record: Record) -> dict[str, codec.Array]:
    episode = record.episode
    return {
        "observations": episode.observations,
        "actions": episode.actions,
        "rewards": episode.rewards,
        "sent": record.sent,
        **{f"track {name}": array for name, array in record.tracks.items()},
    }


def _content(record: Record, packed: bytes) -> bytes:
    """By which an attempt is known again in another memory, where its day and trial differ."""
    said = (record.arm, record.driver, record.episode.task, record.attempt, record.started, packed)
    return schema.seal("content", said)

"""Two memories in one: the days another arm of the same kind had, added to one's own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daytwo.errors import InputError
from daytwo.memory import database, schema
from daytwo.memory.entry import add_episode
from daytwo.memory.record import STUDY
from daytwo.memory.shrink import shrink
from daytwo.memory.store import Store


@dataclass(frozen=True)
class Merged:
    """What a merge did."""

    taken: list[int]  # ids of the episodes that were added
    known: int  # episodes that were there already
    days: dict[int, int]  # the other memory's day -> the day it is here
    dropped: list[int] = field(default_factory=list)  # to stay under the limit


def merge(store: Store, other: str | Path) -> Merged:
    """Take another memory's episodes in, in one transaction; the other one is only read.

    Days and trials that are new here get the next free numbers, in their order, after today's,
    whether anything was attempted today yet or not; study (day 0) stays day 0. An episode that is
    already here is not taken again, and tells which day and trial here are its day and trial
    there: merging twice does nothing the second time. Small state (`get`, `put`) stays what it is
    here.

    Raises:
        InputError: the other memory belongs to something else, is damaged, or the disk is full;
            nothing was changed.
    """
    if Path(other).resolve() == store.folder.resolve():
        raise InputError(f"memory {other}: is the one to merge into; name another")
    with Store.open(other) as source:
        difference = store.about.difference(source.about)
        if difference is not None:
            raise InputError(
                f"memory {other} does not go into {store.folder}: {difference}; only memories of "
                "one kind of arm and one layout are merged"
            )
        with source.reading() as theirs:
            theirs.execute("BEGIN")  # one moment of it, should it be written to meanwhile
            try:
                with store.writing() as ours:
                    merged = _take(ours, theirs, source.path, store.today)
            finally:
                theirs.execute("ROLLBACK")
    return Merged(merged.taken, merged.known, merged.days, shrink(store))


def _take(ours: sqlite3.Connection, theirs: sqlite3.Connection, path: Path, today: int) -> Merged:
    query = "SELECT content, day, trial FROM episode ORDER BY id"
    here = {content: place for content, *place in ours.execute(query)}
    there = theirs.execute(query).fetchall()
    matched = [(here[content], (day, trial)) for content, day, trial in there if content in here]
    days = {STUDY: STUDY} | {day: mine[0] for mine, (day, _) in reversed(matched)}
    trials = {trial: mine[1] for mine, (_, trial) in reversed(matched)}
    _number(days, (day for _, day, _ in there), [today, *(day for day, _ in here.values())])
    _number(trials, (trial for *_, trial in there), [trial for _, trial in here.values()])
    taken = []
    for (id,) in theirs.execute("SELECT id FROM episode ORDER BY id"):
        columns = dict(
            zip(schema.TABLES["episode"], _whole(theirs, "episode", id, path), strict=False)
        )
        if columns["content"] in here:
            continue
        columns |= {"day": days[columns["day"]], "trial": trials[columns["trial"]]}
        blob = _whole(theirs, "arrays", id, path)[2]
        has_frames = columns["bytes"] > len(blob)
        frames = _whole(theirs, "frames", id, path)[1] if has_frames else None
        taken.append(add_episode(ours, columns, blob, frames))
    return Merged(taken, len(matched), days)


def _number(given: dict[int, int], wanted: Iterable[int], used: Iterable[int]) -> None:
    """Give numbers that have none here yet the next free ones, in order."""
    free = max([*used, *given.values()], default=-1) + 1
    for number in sorted(set(wanted) - given.keys()):
        given[number] = free
        free += 1


def _whole(db: sqlite3.Connection, table: str, id: int, path: Path) -> tuple[Any, ...]:
    """A row of the other memory, if it is as it was written."""
    row = db.execute(f"{schema.select(table)} WHERE id = ?", (id,)).fetchone()
    if row is None or not schema.is_whole(table, row):
        raise InputError(
            f"{path}: episode {id}: {table} damaged{database.REPAIR}; nothing was changed"
        )
    return tuple(row)

"""Care of a memory: verify and repair, compact, statistics."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from daytwo.errors import InputError
from daytwo.memory import database, rows, schema
from daytwo.memory.checkpoint import load_checkpoint
from daytwo.memory.database import explained
from daytwo.memory.lock import WriterLock, is_held
from daytwo.memory.repair import Named, Survey, rebuild, survey, take_back
from daytwo.memory.series import last_given
from daytwo.memory.shrink import EXPERT
from daytwo.memory.store import CACHE, Store
from daytwo.memory.versions import Versions

NOT_DAMAGE = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL)


@dataclass(frozen=True)
class Finding:
    """Something damaged."""

    what: str  # an episode, a file or a table
    damage: str
    mended: str = ""  # what was done about it; empty if nothing


def verify(folder: str | Path, repair: bool = False) -> list[Finding]:
    """Read everything in a memory and name what is damaged; nothing found means it is whole.

    Args:
        folder: the memory.
        repair: make a whole memory of what is whole; the damaged file moves to `quarantine/`.
            Without it nothing is changed, and a writer may go on meanwhile.

    Raises:
        InputError: there is no memory, a newer daytwo wrote it, or it cannot be repaired.
    """
    folder = Path(folder)
    path = folder / database.NAME
    if not path.is_file():
        raise InputError(f"memory {folder}: there is none (no {database.NAME})")
    if _is_older(path):
        Store.open(folder).close()  # brings it up to this version
    with ExitStack() as ends:
        if repair:
            ends.callback(WriterLock(folder).release)
            take_back(path)
        found = _damage(path, alone=repair or not is_held(folder))
        if found and repair:
            aside = rebuild(path).relative_to(folder)
            found = [replace(finding, mended=_mended(finding, aside)) for finding in found]
        if repair or not found:
            found += _cache(folder, repair)
    return found + list(_checkpoints(folder))


def compact(store: Store) -> tuple[int, int]:
    """Rewrite the files of a memory without gaps; bytes before and after."""
    before = store.used_bytes()
    with store.reading() as db:
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # version 1 had none
        db.execute("VACUUM")
    store.give_back()
    rows.trim(store)
    return before, store.used_bytes()


def stats(store: Store) -> dict[str, Any]:
    """What is in a memory, by day and task and in all, and what it takes on the disk."""
    query = (
        "SELECT day, task, count(*), sum(success), sum(driver = ?), sum(steps), sum(bytes)"
        " FROM episode GROUP BY day, task ORDER BY day, task"
    )
    names = ("day", "task", "episodes", "successes", "worked_examples", "steps", "bytes")
    with store.reading() as db:
        groups = [dict(zip(names, row, strict=True)) for row in db.execute(query, (EXPERT,))]
    files = {
        part.name: sum(path.stat().st_size for path in [part, *part.rglob("*")] if path.is_file())
        for part in sorted(store.folder.iterdir())
    }
    return {
        "memory": str(store.folder),
        "arm": store.about.arm,
        **{name: sum(group[name] for group in groups) for name in names[2:]},
        "limit_bytes": int(store.limit_gb * 1e9),
        "used_bytes": store.used_bytes(),
        "disk_bytes": files,
        "by_day_and_task": groups,
    }


def _is_older(path: Path) -> bool:
    """Whether an older daytwo wrote a memory; not if it is too damaged to say."""
    try:
        with closing(database.connect(path, write=False)) as db:
            about = schema.read_about(db)
    except database.ERRORS:  # `_damage` will name it
        return False
    return about is not None and about["schema"] < schema.VERSION


def _damage(path: Path, alone: bool) -> list[Finding]:
    """What is damaged in the SQLite file; `alone` if nobody else writes to it."""
    # What a killed writer left. SQLite reads it up to the first fault, and then clears it away.
    left = survey(path) if alone and database.has_log(path) else Survey()
    found, trouble, bad = _read_all(path)
    trouble += _header(path)
    unread = left.metadata - found.metadata - found.dropped
    if unread and not bad:
        trouble.append(f"{path.name}-wal is damaged, episodes from {min(unread)} on are not read")
    if not (trouble or bad or found.lost()):
        return []
    lost = survey(path).lost()  # without SQLite: what of the damage costs an episode
    findings = [Finding(database.NAME, "; ".join(trouble[:3]))] if trouble else []
    findings += [
        Finding(f"table {table}, {key!r}", "damaged")
        for table, key in bad
        if table in ("about", "state", "dropped")
    ]
    for what, ids in _runs(lost):
        name = f"episode {ids[0]}" if len(ids) == 1 else f"episodes {ids[0]} to {ids[-1]}"
        findings.append(Finding(name, f"{what} damaged or lost"))
    return findings or [Finding(database.NAME, "its header is damaged; every row is whole")]


def _mended(finding: Finding, aside: Path) -> str:
    """What a repair did about a finding."""
    rebuilt = "metadata rebuilt from what its arrays say; " * finding.damage.startswith("metadata")
    return f"{rebuilt}all that is whole was kept; the damaged file is {aside}"


def _header(path: Path) -> list[str]:
    """What in the file's header SQLite takes as it is: whether there is a log, and the length."""
    with explained(path), path.open("rb") as file:
        header = file.read(100)
    said, left = int.from_bytes(header[28:32]), -(-path.stat().st_size // database.PAGE)
    trouble = [] if header[18:20] == b"\2\2" else ["its header says that there is no log"]
    if left < said and not database.has_log(path):  # the rest may still be there
        trouble.append(f"cut short: {left} of {said} pages are left")
    return trouble


def _read_all(path: Path) -> tuple[Survey, list[str], list[tuple[str, Any]]]:
    """Through SQLite: what is whole, what SQLite says, and table and key of rows that are not."""
    found, trouble, bad = Survey(), list[str](), list[tuple[str, Any]]()
    try:
        with closing(database.connect(path, write=False)) as db:
            db.execute("BEGIN")  # one moment of a memory that may be written to meanwhile
            about = schema.read_about(db)
            schema.refuse_newer(about["schema"] if about else 0)
            checked = (line for (line,) in db.execute("PRAGMA integrity_check(10)"))
            trouble += [line for line in checked if line != "ok"]
            for _ in found.watch(_rows(db, bad)):
                pass
    except database.ERRORS as error:
        if database.code_of(error) in NOT_DAMAGE:
            with explained(path):
                raise
        trouble.append(str(error))
    return found, trouble, bad


def _rows(db: sqlite3.Connection, bad: list[tuple[str, Any]]) -> Iterator[Named]:
    """Rows that are whole; table and key of the others are added to `bad`."""
    for table in schema.TABLES:
        for row in db.execute(schema.select(table)):
            if schema.is_whole(table, row):
                yield table, row
            else:
                bad.append((table, row[0]))
    for row in db.execute("SELECT name, seq FROM sqlite_sequence"):
        yield "sqlite_sequence", row


def _runs(lost: dict[int, str]) -> Iterator[tuple[str, list[int]]]:
    """What is lost, with the ids that follow each other."""
    run: list[int] = []
    for id, what in lost.items():
        if run and (id != run[-1] + 1 or lost[run[-1]] != what):
            yield lost[run[-1]], run
            run = []
        run.append(id)
    if run:
        yield lost[run[-1]], run


def _cache(folder: Path, repair: bool) -> list[Finding]:
    """What is damaged in the cache for sampling."""
    with Store.open(folder) as store:
        fault = rows.fault(store)
    if fault is None:
        return []
    if repair:
        rows.remove(folder)
    return [Finding(CACHE, fault, "made anew when next sampled from" if repair else "")]


def _checkpoints(folder: Path) -> Iterator[Finding]:
    """Versions and skills that are not what was saved; a checkpoint cannot be mended. And what says
    which version acts, and which number was given last.
    """
    versions = Versions(folder)
    try:
        if versions.current is not None:
            versions.path()
    except InputError as error:
        yield Finding("versions/current", str(error))
    for last in sorted([*folder.glob("versions/last"), *folder.glob("skills/*/last")]):
        try:
            last_given(last)
        except InputError as error:
            yield Finding(str(last.relative_to(folder)), str(error))
    for path in sorted([*folder.glob("versions/*/"), *folder.glob("skills/*/*/")]):
        if path.name.startswith("."):
            continue  # being written, or left by a writer that was killed
        try:
            load_checkpoint(path)
        except InputError as error:
            yield Finding(str(path.relative_to(folder)), str(error))

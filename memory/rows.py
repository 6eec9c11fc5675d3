"""The sampling cache: every transition of a memory as a row of a memory-mapped file.

Derived from the episodes and never believed over them: opening brings it up to date, each row is
checked when it is drawn, and what does not fit is made anew from the store.

rows.f32   T + 1 rows of float32 for an episode of T steps, so that each observation is kept once;
           the last number of a row is its check
rows.idx   32 bytes that say what rows are made of, then 40 bytes an episode
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from daytwo.memory.database import explained
from daytwo.memory.record import Record
from daytwo.memory.store import CACHE, CACHE_INDEX, Store

Array = NDArray[np.float32]
Entries = NDArray[Any]  # of ENTRY, in order of id and of start
ENTRY = np.dtype(
    [("id", "<u8"), ("start", "<u8"), ("steps", "<u4"), ("content", "V16"), ("check", "<u4")]
)
HEAD = 32  # [bytes] of the index: width of a row, then a digest of what rows are made of
AT_ONCE = 500  # episodes between two writes of the index
HOLES = 1 / 3  # of the rows may belong to episodes that were dropped


class Damaged(Exception):
    """A row is not what was written; `Rows.remake` helps."""


class Rows:
    """The rows of all episodes of a store.

    Args:
        store: where episodes come from.
        width: numbers in a row.
        of: what rows are made of besides the episodes; were they made of anything else, they
            are made anew.
        encode: makes an episode's rows, (T + 1, width).
    """

    def __init__(
        self, store: Store, width: int, of: str, encode: Callable[[Record], Array]
    ) -> None:
        self.store, self.width, self.encode = store, width, encode
        self.path, self._index = store.folder / CACHE, store.folder / CACHE_INDEX
        made_of = blake2b(f"1 {of} {store.about}".encode(), digest_size=HEAD - 4).digest()
        self._head = width.to_bytes(4, "little") + made_of
        self._size = 4 * (width + 1)  # [bytes] of a row
        self.refresh()

    def refresh(self) -> None:
        """Take in what was appended or dropped since; one process at a time."""
        with explained(self.path), turn(self.store.folder):
            entries = self._load()
            if entries is None:
                entries = self._anew()
            entries = self._without_dropped(entries)
            self._map(self._with_appended(entries))

    def remake(self) -> None:
        """Make all rows anew from the episodes."""
        self._index.unlink(missing_ok=True)
        self.refresh()

    def take(self, episode: NDArray[np.int64], step: NDArray[np.int64]) -> tuple[Array, Array]:
        """Rows of steps, and of the steps after them, each (k, width).

        Args:
            episode: positions in `ids`, (k,).
            step: step within each, (k,).

        Raises:
            Damaged: a row is not what was written.
        """
        two = self._pairs[self._start[episode] + step].reshape(-1, self.width + 1)
        if not _rows_whole(two, self.ids[episode].repeat(2)):
            raise Damaged
        return two[::2, :-1], two[1::2, :-1]

    def _load(self) -> Entries | None:
        """The index; None if it is missing, damaged or of rows made of something else."""
        if not (self._index.exists() and self.path.exists()):
            return None
        head, entries = _read_index(self._index)
        fits = head == self._head and _end(entries) * self._size <= self.path.stat().st_size
        return entries if fits else None

    def _anew(self) -> Entries:
        for path in (self._index, self.path):  # whoever has mapped them keeps them
            path.unlink(missing_ok=True)
        self.path.touch()
        self._index.write_bytes(self._head)
        return np.zeros(0, ENTRY)

    def _without_dropped(self, entries: Entries) -> Entries:
        """Entries of episodes that the store still has; none if it has others in their place.

        Ids are never given twice and episodes never change: if the last one is the same and none
        is missing, all are the same.
        """
        if len(entries) == 0:
            return entries
        last = int(entries["id"][-1])
        if self.store.contents(last - 1, last) == [_content(entries[-1])] and (
            len(self.store) - len(self.store.contents(last)) == len(entries)
        ):
            return entries
        there = {content[0]: content for content in self.store.contents(0, last)}
        kept = entries[np.isin(entries["id"], list(there))]
        if [_content(entry) for entry in kept] != list(there.values()):
            return self._anew()
        if (kept["steps"] + 1).sum() < (1 - HOLES) * _end(entries):
            return _compact(self.store.folder, self._head, kept)
        _write_index(self._index, self._head, kept)
        return kept

    def _with_appended(self, entries: Entries) -> Entries:
        """Entries of all episodes of the store: the rows of new ones are made."""
        new = self.store.contents(int(entries["id"][-1]) if len(entries) else 0)
        if not new:
            return entries
        with self.path.open("r+b") as rows, self._index.open("ab") as index:
            start = _end(entries)
            rows.truncate(start * self._size)  # what was written and never noted in the index
            rows.seek(0, os.SEEK_END)
            for first in range(0, len(new), AT_ONCE):
                some = new[first : first + AT_ONCE]
                for id, _, _ in some:
                    rows.write(_sealed(self.encode(self.store.read(id)), id))
                rows.flush()
                made = _entries(some, start)
                index.write(made.tobytes())
                index.flush()
                start = _end(made)
                entries = np.concatenate([entries, made])
        return entries

    def _map(self, entries: Entries) -> None:
        """Have the rows in reach, those of a step and of the one after it side by side."""
        self.ids, self.steps = (entries[name].astype(np.int64) for name in ("id", "steps"))
        self._start = entries["start"].astype(np.int64)
        rows, flat = _end(entries), np.zeros(0, "<f4")
        if rows:
            with self.path.open("rb") as file:
                data = mmap.mmap(file.fileno(), rows * self._size, prot=mmap.PROT_READ)
            flat = np.frombuffer(data, "<f4")
        shape = (max(rows - 1, 0), 2 * (self.width + 1))
        self._pairs = as_strided(flat, shape, (self._size, 4), writeable=False)


def trim(store: Store) -> None:
    """Take the rows of dropped episodes out of a store's cache, if it has one."""
    path, index = store.folder / CACHE, store.folder / CACHE_INDEX
    with explained(path), turn(store.folder):
        if not (index.exists() and path.exists()):  # one of them is of no use to anybody
            index.unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            return
        head, entries = _read_index(index)
        kept = entries[np.isin(entries["id"], [content[0] for content in store.contents()])]
        if len(kept) < len(entries):
            _compact(store.folder, head, kept)


def remove(folder: Path) -> None:
    """Have no cache; the next sampler makes one."""
    with explained(folder / CACHE), turn(folder):
        for name in (CACHE_INDEX, CACHE):
            (folder / name).unlink(missing_ok=True)


def fault(store: Store) -> str | None:
    """What is wrong with a store's cache; None if it is whole, or there is none."""
    path, index = store.folder / CACHE, store.folder / CACHE_INDEX
    with turn(store.folder):
        if not index.exists():
            return None
        head, entries = _read_index(index)
        if len(entries) == 0 and index.stat().st_size != HEAD:
            return f"{CACHE_INDEX} is damaged"
        there = {content[0]: content for content in store.contents()}
        width = int.from_bytes(head[:4], "little")
        for entry in entries:
            content = _content(entry)
            if there.get(content[0], content) != content:
                return f"{CACHE_INDEX} is of another memory, from episode {content[0]} on"
        if not path.exists() or path.stat().st_size < _end(entries) * 4 * (width + 1):
            return f"{CACHE} is missing or cut short"
        with path.open("rb") as file:
            for entry in entries:
                file.seek(int(entry["start"]) * 4 * (width + 1))
                rows = np.fromfile(file, "<f4", (int(entry["steps"]) + 1) * (width + 1))
                ids = np.full(int(entry["steps"]) + 1, entry["id"], np.int64)
                if not _rows_whole(rows.reshape(-1, width + 1), ids):
                    return f"{CACHE}: the rows of episode {entry['id']} are damaged"
    return None


@contextmanager
def turn(folder: Path) -> Iterator[None]:
    """One process at a time reads or writes the cache's files."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _compact(folder: Path, head: bytes, entries: Entries) -> Entries:
    """Keep the rows of `entries` alone; whoever has mapped the old file keeps it."""
    path, index = folder / CACHE, folder / CACHE_INDEX
    size = 4 * (int.from_bytes(head[:4], "little") + 1)
    fresh = path.with_name(f".{path.name}.new")
    with path.open("rb") as old, fresh.open("wb") as new:
        for entry in entries:
            old.seek(int(entry["start"]) * size)
            new.write(old.read((int(entry["steps"]) + 1) * size))
    moved = _entries([_content(entry) for entry in entries], 0)
    index.unlink()  # it speaks of the old file
    fresh.rename(path)
    _write_index(index, head, moved)
    return moved


def _write_index(path: Path, head: bytes, entries: Entries) -> None:
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_bytes(head + entries.tobytes())
    fresh.rename(path)


def _read_index(path: Path) -> tuple[bytes, Entries]:
    """Head and entries; no entries if any is damaged."""
    data = path.read_bytes()
    whole = len(data) >= HEAD and (len(data) - HEAD) % ENTRY.itemsize == 0
    entries = np.frombuffer(data[HEAD:], ENTRY) if whole else np.zeros(0, ENTRY)
    if not np.array_equal(_sums(_words(entries)[:, :-1]), entries["check"]):
        whole = False
    return (data[:HEAD], entries) if whole else (b"", entries[:0])


def _entries(contents: list[tuple[int, int, bytes]], start: int) -> Entries:
    """Entries of episodes (id, steps, content) whose rows follow each other from row `start`."""
    entries = np.zeros(len(contents), ENTRY)
    for entry, (id, steps, content) in zip(entries, contents, strict=True):
        entry["id"], entry["steps"], entry["start"] = id, steps, start
        entry["content"] = np.void(content)
        start += steps + 1
    entries["check"] = _sums(_words(entries)[:, :-1])
    return entries


def _content(entry: Any) -> tuple[int, int, bytes]:
    return int(entry["id"]), int(entry["steps"]), entry["content"].tobytes()


def _end(entries: Entries) -> int:
    """Rows up to the end of the last episode."""
    return int(entries["start"][-1]) + int(entries["steps"][-1]) + 1 if len(entries) else 0


def _words(entries: Entries) -> NDArray[np.uint32]:
    return entries.view("<u4").reshape(len(entries), ENTRY.itemsize // 4)


def _sums(words: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Checks of rows of words, (k,): another number for any change of one word."""
    odd = 2 * np.arange(words.shape[1], dtype=np.uint32) + np.uint32(0x9E3779B1)
    return np.asarray((words * odd).sum(axis=1, dtype=np.uint32) + np.uint32(0x85EBCA6B))


def _sealed(rows: Array, id: int) -> bytes:
    """Rows of episode `id`, each with its check after it."""
    words = np.ascontiguousarray(rows, "<f4").view("<u4")
    check = _sums(words) + np.uint32(id % 2**32)
    return np.concatenate([words, check[:, None]], axis=1).tobytes()


def _rows_whole(rows: Array, ids: NDArray[np.int64]) -> bool:
    words = rows.view("<u4")
    return np.array_equal(_sums(words[:, :-1]) + ids.astype(np.uint32), words[:, -1])

"""Rows out of a damaged SQLite file, read page by page without SQLite.

Rows lie in leaf pages of tables, which can be read one by one whatever happened to the header, to
the schema or to the pages above them (sqlite.org/fileformat2.html). A row counts if its seal fits,
which also tells its table. Pages still in the write-ahead log replace those of the file.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from daytwo.memory import schema
from daytwo.memory.database import PAGE

LEAF = 0x0D
LARGEST = PAGE - 35  # [bytes] of a row that lies in its page whole
SMALLEST = (PAGE - 12) * 32 // 255 - 23  # [bytes] of a longer one that lie there at least
WHOLE_NUMBERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}  # serial type -> bytes
KEYED = {name for name in schema.TABLES if name != "state"}  # first column: the row's number


class Unreadable(Exception):
    """Not a row: a length, a type or a page does not fit."""


def rows(path: Path) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Table and row (sealed columns and digest) of every row that is whole, in no order.

    The rows of `state` come with those written later after those written before.
    """
    file = _File(path)
    states = []
    for number in range(1, file.pages + 1):
        page = file.page(number)
        start = 100 if number == 1 else 0  # the file's header comes first
        if page[start] != LEAF:
            continue
        for i in range(int.from_bytes(page[start + 3 : start + 5])):
            at = start + 8 + 2 * i
            try:
                row_number, values = _row(file, page, int.from_bytes(page[at : at + 2]))
            except (Unreadable, IndexError):
                continue
            named = _sealed(row_number, values)
            if named is not None and named[0] == "state":
                states.append((row_number, named))
            elif named is not None:
                yield named
    for _, named in sorted(states):
        yield named


class _File:
    """A database's pages; those in the log are newer than those in the file."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) if size else b""
        self.data: mmap.mmap | bytes = mapped
        log = Path(f"{path}-wal")
        self.newer = _logged(log.read_bytes()) if log.exists() else {}
        self.pages = max(-(-len(self.data) // PAGE), *self.newer, 0)

    def page(self, number: int) -> bytes:
        if number in self.newer:
            return self.newer[number]
        return self.data[(number - 1) * PAGE : number * PAGE].ljust(PAGE, b"\0")


def _logged(log: bytes) -> dict[int, bytes]:
    """Pages of a write-ahead log, up to its last commit."""
    salt, pages, pending = log[16:24], dict[int, bytes](), dict[int, bytes]()
    for at in range(32, len(log) - 24 - PAGE + 1, 24 + PAGE):
        if log[at + 8 : at + 16] != salt:
            break  # from before the log was last begun anew
        number, pages_after_commit = (int.from_bytes(log[at + i : at + i + 4]) for i in (0, 4))
        pending[number] = log[at + 24 : at + 24 + PAGE]
        if pages_after_commit:
            pages |= pending
            pending = {}
    return pages


def _row(file: _File, page: bytes, at: int) -> tuple[int, list[Any]]:
    """Number and values of the row whose cell begins at a page's byte `at`."""
    size, at = _varint(page, at)
    number, at = _varint(page, at)
    if not 0 < size <= file.pages * PAGE:
        raise Unreadable
    here = size
    if size > LARGEST:
        fitting = SMALLEST + (size - SMALLEST) % (PAGE - 4)
        here = fitting if fitting <= LARGEST else SMALLEST
    parts, left = [page[at : at + here]], size - here
    following = int.from_bytes(page[at + here : at + here + 4])
    while left > 0:
        if not 0 < following <= file.pages:
            raise Unreadable
        overflow = file.page(following)
        parts.append(overflow[4 : 4 + min(left, PAGE - 4)])
        following = int.from_bytes(overflow[:4])
        left -= PAGE - 4
    return number, _values(b"".join(parts))


def _values(record: bytes) -> list[Any]:
    header, at = _varint(record, 0)
    kinds = []
    while at < header:
        kind, at = _varint(record, at)
        kinds.append(kind)
    values: list[Any] = []
    for kind in kinds:
        if kind == 0:
            values.append(None)
        elif kind in (8, 9):
            values.append(kind - 8)
        elif kind in WHOLE_NUMBERS:
            size = WHOLE_NUMBERS[kind]
            values.append(int.from_bytes(record[at : at + size], signed=True))
            at += size
        elif kind >= 12:
            size = (kind - 12) // 2
            data = record[at : at + size]
            values.append(data.decode("utf-8", "replace") if kind % 2 else data)
            at += size
        else:
            raise Unreadable  # a fraction, which no table of ours has
    return values


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of up to nine bytes, and where it ends."""
    value = 0
    for i in range(8):
        value = value << 7 | data[at + i] & 0x7F
        if data[at + i] < 0x80:
            return value, at + i + 1
    return value << 8 | data[at + 8], at + 9


def _sealed(number: int, values: list[Any]) -> tuple[str, tuple[Any, ...]] | None:
    """Table and row, if the row's seal is one of a table's; SQLite's own sequence as it is."""
    if len(values) == 2 and values[0] == "episode" and isinstance(values[1], int):
        return "sqlite_sequence", tuple(values)
    for table, columns in schema.TABLES.items():
        if len(values) == len(columns) + 1:
            row = (number, *values[1:]) if table in KEYED else tuple(values)
            if schema.is_whole(table, row):
                return table, row
    return None

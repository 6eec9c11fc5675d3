"""Attempts that can be gone through more than once, read one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from daytwo.errors import InputError
from daytwo.memory.record import Record
from daytwo.memory.store import Store


class Attempts(Protocol):
    """A list of records is one, and so is a `Selection`."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Record]: ...


class Selection:
    """Attempts of a memory, chosen now and read when their turn comes.

    Args:
        store: the memory.
        where: as `Store.find` takes it.

    Raises:
        InputError: on construction, if there are none; says what there is.
    """

    def __init__(self, store: Store, **where: Any) -> None:
        self._store = store
        self._ids = [entry.id for entry in store.find(**where)]
        if not self._ids:
            asked = ", ".join(f"{name} {value}" for name, value in where.items()) or "any"
            raise InputError(
                f"memory {store.folder}: no attempt with {asked}; it has "
                f"days {', '.join(map(str, store.days())) or '(none)'}; "
                f"tasks {', '.join(store.tasks()) or '(none)'}"
            )

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[Record]:
        return map(self._store.read, self._ids)

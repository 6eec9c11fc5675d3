"""The goals that an emulator received, by number; the newest are kept: it may run for days."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import overload

from daytwo.errors import InputError
from daytwo.hardware.driver import Array

KEPT = 120_000  # twenty minutes at 100 Hz

Goal = tuple[float, Array]  # when it came [s, time.monotonic], and joint targets [rad]


class Goals(Sequence[Goal]):
    """What came in, numbered from 0 as it came; looks like a list of all as long as all are kept.

    Args:
        kept: how many of the newest.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._rows: deque[Goal] = deque(maxlen=kept)
        self._forgotten = 0

    def append(self, at: float, goal: Array) -> None:
        """One more; the oldest is forgotten where there is no room."""
        self._forgotten += len(self._rows) == self._rows.maxlen
        self._rows.append((at, goal))

    def part(self, since: int, most: int) -> list[Goal]:
        """Up to `most` goals from number `since` on.

        Raises:
            InputError: some of them are forgotten.
        """
        if since < self._forgotten:
            raise InputError(f"goals before number {self._forgotten} are forgotten, {since} too")
        rows = tuple(self._rows)  # at once: a wire's thread adds to them
        return list(islice(rows, since - self._forgotten, since - self._forgotten + most))

    def __len__(self) -> int:
        return self._forgotten + len(self._rows)

    @overload
    def __getitem__(self, at: int) -> Goal: ...
    @overload
    def __getitem__(self, at: slice) -> list[Goal]: ...
    def __getitem__(self, at: int | slice) -> Goal | list[Goal]:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        i = at if at < 0 else at - self._forgotten
        if at >= 0 > i:
            raise IndexError(f"goal {at} is forgotten")
        return self._rows[i]

    def __iter__(self) -> Iterator[Goal]:
        return iter(tuple(self._rows))

"""What the governor decided, kept in a ring on disk that outlives its process.

The file is a page of JSON and then fixed-size rows, written in place through the page cache: what
was written before a `kill -9` is there. A row's number is written last, so a row that was being
written is known as such and left out.
"""

from __future__ import annotations

import itertools
import json
import mmap
import os
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from daytwo.errors import InputError
from daytwo.hardware.governor import Decision, State
from daytwo.sim.arms import Arm

PAGE = 4096
FORMAT = 1
KEPT = 5  # logs of before, PATH.1 the newest
STATES = tuple(State)


def _row(n: int) -> np.dtype[np.void]:
    """One decision; n numbers a command (joints, gripper)."""
    return np.dtype(
        [
            ("number", "<u8"),  # from 1; 0 while it is written
            ("stamp", "<f8"),  # [s] on the governor's clock
            ("wall", "<f8"),  # [s] since 1970
            ("state", "u1"),  # of STATES
            ("age", "<f4"),  # [s] of the last command when it arrived; NaN without one
            ("reason", "S160"),
            ("refused", "S160"),
            ("requested", "<f8", (n,)),  # [rad], gripper's share; NaN where none is
            ("sent", "<f8", (n,)),
        ]
    )


class DecisionLog:
    """Writes decisions; a context manager.

    Args:
        path: file, made anew; a log that is there becomes PATH.1, that one PATH.2, and so on.
        arm: whose.
        rows: how many are kept; 60 000 are ten minutes at 100 Hz.

    Raises:
        InputError: the file cannot be written, or it is something else than a log.
    """

    def __init__(self, path: Path, arm: Arm, rows: int = 60_000) -> None:
        names = [*arm.joints, "gripper"]
        head = {"format": FORMAT, "arm": arm.name, "names": names, "rows": rows}
        self._dtype = _row(len(names))
        size = PAGE + rows * self._dtype.itemsize
        before = decided(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = path.with_name(f".{path.name}.new")  # who finds a log finds a whole one
            with fresh.open("w+b") as file:
                os.posix_fallocate(file.fileno(), 0, size)  # a full disk shows here
                self._map = mmap.mmap(file.fileno(), size)
            self._map[:PAGE] = json.dumps(head).encode().ljust(PAGE)
            if before:
                put_by(path, path)
            fresh.replace(path)  # a reader of the old one keeps what it has
        except OSError as error:
            raise InputError(f"log {path}: {error.strerror}; give a writable place") from error
        self._rows = np.frombuffer(self._map, self._dtype, offset=PAGE)
        self._number = 0

    def __enter__(self) -> DecisionLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, decision: Decision) -> None:
        """Keep one decision; the oldest makes place."""
        row = self._rows[self._number % len(self._rows)]
        self._number += 1
        nothing = np.full(self._dtype["sent"].shape, np.nan)
        row["number"] = 0
        row["stamp"], row["wall"] = decision.stamp, time.time()
        row["state"], row["age"] = STATES.index(decision.state), decision.command_age
        row["reason"], row["refused"] = decision.reason.encode(), decision.refused.encode()
        row["requested"] = nothing if decision.requested is None else decision.requested
        row["sent"] = nothing if decision.sent is None else decision.sent
        row["number"] = self._number

    def close(self) -> None:
        """Everything to the disk."""
        self._map.flush()
        del self._rows


def put_by(log: Path, path: Path) -> Path:
    """Keep a log that is over as PATH.1; of those from before the newest are kept, too.

    Raises:
        InputError: it is no log.
        OSError: it cannot be moved there.
    """
    _, rows = read_decisions(log)
    path.parent.mkdir(parents=True, exist_ok=True)
    numbered = [path.with_name(f"{path.name}.{i}") for i in range(1, KEPT + 1)]
    for older, newer in itertools.pairwise(reversed(numbered)):
        if newer.exists():
            newer.replace(older)
    if len(rows) and rows["number"][-1] == len(rows):  # the ring did not come round: what is used
        with log.open("rb") as file:
            numbered[0].write_bytes(file.read(PAGE + rows.nbytes))
        log.unlink()
        return numbered[0]
    return log.replace(numbered[0])


def decided(path: Path) -> bool:
    """Whether a log is there with anything in it.

    Raises:
        InputError: something else is there.
    """
    if not path.exists() or (path.is_file() and not path.stat().st_size):
        return False
    try:
        return bool(len(read_decisions(path, most=2)[1]))  # one of them may have been under way
    except InputError as error:
        raise InputError(f"{error}; it is not overwritten, give another place") from error


def read_decisions(path: Path, most: int | None = None) -> tuple[list[str], NDArray[np.void]]:
    """Joint names, and what is kept, oldest first; while it is written, too.

    Args:
        path: the file.
        most: rows that are looked at, from where the file begins; None for all.

    Raises:
        InputError: there is no such log.
    """
    try:
        head = json.loads(path.open("rb").read(PAGE))
        if head["format"] != FORMAT:
            raise ValueError(f"format {head['format']}, this software reads {FORMAT}")
        n = head["rows"] if most is None else min(most, head["rows"])
        rows = np.fromfile(path, _row(len(head["names"])), n, offset=PAGE)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"log {path}: not a governor's: {error}") from error
    rows = rows[rows["number"] > 0]
    return head["names"], rows[np.argsort(rows["number"])]

"""What a driver and the process that speaks for it share: messages one way, the newest state back.

A process speaks with a controller where a vendor's client cannot be left alone in ours. It is told
("go", time, targets), ("stop",) and ("end",). Only the standard library is imported here, so that
such a process starts at once.
"""

from __future__ import annotations

import mmap
import struct
import zlib
from typing import NamedTuple, Self

DOF = 7  # rooms for joints
SILENT = 0.2  # [s] without news of the arm, after which its process sends nothing more
STALE = 0.1  # [s] a target may have waited
LEAVE = 1  # [s] that a good end may take
LAYOUT = struct.Struct(f"=di{4 * DOF}d96s96sI")
TRIES = 100  # to read what is not being written just then


class State(NamedTuple):
    """What a controller said last."""

    at: float  # [s] monotonic, when it came
    q: tuple[float, ...]  # (dof,) [rad]
    dq: tuple[float, ...]  # (dof,) [rad/s]
    temperature: tuple[float, ...]  # (dof,) [C], NaN where unknown
    voltage: tuple[float, ...]  # (dof,) [V], NaN where unknown
    fault: str = ""  # what the controller reports
    ended: str = ""  # why nothing is sent any more; "" while all is well

    def write(self, memory: mmap.mmap) -> None:
        n = len(self.q)
        room = (0.0,) * (DOF - n)
        rows = [x for row in self[1:5] for x in (*row, *room)]
        texts = (text.encode()[:96] for text in self[5:])
        body = LAYOUT.pack(self.at, n, *rows, *texts, 0)[:-4]
        memory[: LAYOUT.size] = body + struct.pack("=I", zlib.crc32(body))

    @classmethod
    def read(cls, memory: mmap.mmap) -> Self:
        """Whole, or not at all: what is half written does not have its sum.

        Raises:
            RuntimeError: there is none.
        """
        for _ in range(TRIES):
            row = memory[: LAYOUT.size]
            at, n, *rest, sum_ = LAYOUT.unpack(row)
            if zlib.crc32(row[:-4]) == sum_:
                rows = [tuple(rest[DOF * i : DOF * i + n]) for i in range(4)]
                fault, ended = (x.rstrip(b"\0").decode(errors="replace") for x in rest[4 * DOF :])
                return cls(at, rows[0], rows[1], rows[2], rows[3], fault, ended)
        raise RuntimeError("the shared memory holds no state")

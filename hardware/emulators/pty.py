"""The far end of a serial cable: a pseudo-terminal with devices on it, bytes as slow as on a wire,
and a line that can be made bad.
"""

from __future__ import annotations

import contextlib
import ctypes
import heapq
import os
import select
import tempfile
import threading
import time
import tty
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np

from daytwo.errors import DriverError

IDLE = 1.0  # [s]
BITS = 10  # on the wire for one byte
PR_SET_TIMERSLACK = 29  # linux/prctl.h


@dataclass
class WireFaults:
    """What is wrong with line and servos; may be changed at any time, from any thread."""

    dead: set[int] = field(default_factory=set)  # ids that do not answer
    half: float = 0.0  # share of answers that break off
    flip: float = 0.0  # share of answers with one bit wrong
    garbage: float = 0.0  # share of answers with other bytes in front of them
    late: float = 0.0  # [s] that answers take longer
    echo: bool = False  # the line gives back what it is given
    frozen: set[int] = field(default_factory=set)  # ids that show for ever where they were
    temperature: dict[int, float] = field(default_factory=dict)  # [C] by id
    voltage: dict[int, float] = field(default_factory=dict)  # [V] by id
    alarm: dict[int, int] = field(default_factory=dict)  # error bits by id


class PtyServer(ABC):
    """Answers what comes in on a pseudo-terminal, in a thread of its own; a context manager.

    Args:
        baud: bits a second; 0 for a wire that takes no time.
        seed: of what goes wrong by chance.
    """

    def __init__(self, baud: int = 1_000_000, seed: int = 0) -> None:
        self.faults = WireFaults()
        self._byte = BITS / baud if baud else 0.0  # [s]
        self._rng = np.random.default_rng(seed)
        self._folder = tempfile.TemporaryDirectory(prefix="daytwo-emulator-")
        self._master = self._slave = -1
        self._thread: threading.Thread | None = None
        self._free = 0.0  # [s] when the wire is
        self._due: list[tuple[float, int, bytes]] = []  # answers on their way
        self._number = 0
        self._failure: BaseException | None = None

    @property
    def port(self) -> str:
        """Where the cable ends: a link, as udev makes them, that outlives being unplugged."""
        return str(Path(self._folder.name) / "tty")

    address = port  # what it is called where emulators are of all kinds

    @abstractmethod
    def _split(self, data: bytes) -> tuple[list[bytes], int]:
        """Whole requests, and how many bytes are done."""

    @abstractmethod
    def _answer(self, request: bytes) -> list[tuple[int, float, bytes]]:
        """Who answers, after what delay [s], and what."""

    def _by_itself(self, now: float) -> float:
        """What happens without a request; when [s, time.monotonic] something does next."""
        return now + IDLE

    def plug(self) -> None:
        """Nothing happens if it is plugged in."""
        if self._thread is not None:
            return
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        link = Path(self.port)
        link.unlink(missing_ok=True)
        link.symlink_to(os.ttyname(self._slave))
        self._wake, self._wake_end = os.pipe()
        self._due.clear()
        self._thread = threading.Thread(target=self._serve, name="emulator", daemon=True)
        self._thread.start()

    def unplug(self) -> None:
        """Pull the cable; the servos keep their power. Nothing happens if it is out.

        Raises:
            DriverError: the emulator itself had failed.
        """
        if self._thread is None:
            return
        os.close(self._wake_end)
        self._thread.join()
        self._thread = None
        Path(self.port).unlink()
        os.close(self._wake)
        self._hang_up()
        if self._failure is not None:
            raise DriverError(f"the emulator failed: {self._failure}") from self._failure

    def __enter__(self) -> Self:
        self.plug()
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            self.unplug()
        finally:
            self._folder.cleanup()

    def _serve(self) -> None:
        ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, 1)  # [ns] of this thread; it was 50 us
        try:
            buffer = b""
            while True:
                now = time.monotonic()
                until = min([self._by_itself(now), *(row[0] for row in self._due[:1])])
                wait = max(0.0, until - now)
                ready = select.select([self._master, self._wake], [], [], wait)[0]
                if self._wake in ready:
                    return
                if self._master in ready:
                    now = time.monotonic()
                    buffer += os.read(self._master, 4096)
                    requests, done = self._split(buffer)
                    buffer = buffer[done:][-1024:]
                    for request in requests:
                        self._schedule(request, now)
                while self._due and self._due[0][0] <= time.monotonic():
                    answer = heapq.heappop(self._due)[2]
                    with contextlib.suppress(BlockingIOError):  # nobody reads: it is lost
                        os.write(self._master, answer)
        except BaseException as error:
            self._failure = error  # told when it is unplugged; who listens meanwhile finds no one
            self._hang_up()

    def _hang_up(self) -> None:
        for fd in (self._master, self._slave):
            if fd >= 0:
                os.close(fd)
        self._master = self._slave = -1

    def _schedule(self, request: bytes, now: float) -> None:
        """Put answers on the wire, for when they have passed it, together as an adapter does."""
        faults = self.faults
        at = max(now, self._free) + len(request) * self._byte
        out = bytearray(request if faults.echo else b"")
        for id, delay, answer in self._answer(request):
            if id in faults.dead:
                continue
            spoilt = self._spoil(answer)
            at += delay + len(spoilt) * self._byte
            out += spoilt
        self._free = at
        if out:
            self._number += 1
            heapq.heappush(self._due, (at + faults.late, self._number, bytes(out)))

    def _spoil(self, answer: bytes) -> bytes:
        faults, rng, data = self.faults, self._rng, bytearray(answer)
        if rng.random() < faults.flip:
            data[rng.integers(len(data))] ^= 1 << rng.integers(8)
        if rng.random() < faults.half:
            del data[rng.integers(1, len(data)) :]
        if rng.random() < faults.garbage:
            data[:0] = rng.bytes(int(rng.integers(1, 12)))
        return bytes(data)

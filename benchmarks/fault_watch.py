"""Looks at an arm while faults strike: did it come to rest, by what was measured?"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from daytwo.errors import DriverError
from daytwo.hardware.emulators.control import Control
from daytwo.hardware.governor import STILL, State
from daytwo.hardware.link import Link

LOOK = 0.02  # [s] from one look to the next
REACH = 0.1  # [s] from one attempt to reach a governor to the next
SPAN = 0.05  # [s] over which a velocity is a difference of positions
REST = 0.5  # [s] an arm is given to come to rest
KEPT = 60.0  # [s] of what was seen


@dataclass(frozen=True)
class Seen:
    """An arm at one instant."""

    t: float  # [s] monotonic
    q: tuple[float, ...]  # [rad]


@dataclass(frozen=True)
class Decided:
    """What its governor did then."""

    t: float  # [s] monotonic
    state: str
    reason: str
    requested: tuple[float, ...]  # empty if nothing was


def moving(seen: Sequence[Seen]) -> list[float]:
    """When [s] the arm moved: faster than what a governor takes for standing, over SPAN."""
    if not seen:
        return []
    t = np.array([row.t for row in seen])
    q = np.array([row.q for row in seen])
    before = np.maximum(np.searchsorted(t, t - SPAN, side="right") - 1, 0)
    passed = t - t[before]
    fast = np.abs(q - q[before]).max(axis=1) > STILL * np.maximum(passed, SPAN)
    # An arm that was not looked at for a while has moved since, nobody knows when.
    return t[fast & (passed > 0) & (passed < 4 * SPAN)].tolist()


def unasked(moves: Sequence[float], decided: Sequence[Decided]) -> list[float]:
    """Those moves [s] that no command was followed for within the time to come to rest before."""
    followed = np.array([row.t for row in decided if row.state == State.FOLLOW])
    if not len(followed):
        return list(moves)
    last = np.searchsorted(followed, moves, side="right") - 1
    return [t for t, i in zip(moves, last, strict=True) if i < 0 or t - followed[i] > REST]


class Watch(threading.Thread):
    """Looks from outside: at the governor's decisions, and at what the plant does where an emulator
    tells; else at what the governor measures.

    Args:
        socket: of the governor.
        control: where the emulator listens; None where there is none.
    """

    def __init__(self, socket: Path, control: str | None) -> None:
        super().__init__(name="watch", daemon=True)
        self._socket = socket
        self._control = None if control is None else Control(control)
        self._end = threading.Event()
        self._lock = threading.Lock()
        self._seen: list[Seen] = []
        self._decided: list[Decided] = []
        self.reached = 0.0  # [s] when the present governor was reached
        self.problem = ""

    def between(self, start: float, end: float) -> tuple[list[Seen], list[Decided]]:
        """What was seen, and decided, then [s]; decisions from a while before on."""
        with self._lock:
            seen = [row for row in self._seen if start - SPAN <= row.t <= end]
            return seen, [row for row in self._decided if start - 2 * REST <= row.t <= end]

    @property
    def state(self) -> Decided | None:
        """The last decision, if it is fresh."""
        with self._lock:
            last = self._decided[-1] if self._decided else None
        return last if last is not None and time.monotonic() - last.t < REST else None

    def moves(self) -> bool:
        """Whether the arm moves now."""
        now = time.monotonic()
        seen, _ = self.between(now - 2 * SPAN, now)
        return any(t > now - SPAN for t in moving(seen))

    def close(self) -> None:
        self._end.set()
        self.join()

    def run(self) -> None:
        link: Link | None = None
        tried = 0.0
        try:
            while not self._end.wait(LOOK):
                now = time.monotonic()
                if link is None and now - tried > REACH:
                    tried, link = now, self._reached(now)
                if link is not None:
                    try:
                        self._take(link.states())
                    except DriverError:
                        link.close()
                        link = None
                if self._control is not None:
                    told = self._control.ask("measured")
                    with self._lock:
                        self._seen.append(Seen(told["t"], tuple(told["q"])))
                self._forget(now - KEPT)
        except DriverError as error:
            self.problem = str(error)
        finally:
            if link is not None:
                link.close()
            if self._control is not None:
                self._control.close()

    def _reached(self, now: float) -> Link | None:
        try:
            link = Link(self._socket)
        except DriverError:
            return None
        self.reached = now
        return link

    def _take(self, told: list[dict[str, Any]]) -> None:
        with self._lock:
            for state in told:
                asked = tuple(state["requested"] or ())
                self._decided.append(
                    Decided(state["stamp"], state["state"], state["reason"], asked)
                )
                reading = state["reading"]
                if self._control is None and reading is not None:
                    self._seen.append(Seen(reading["stamp"], tuple(reading["q"])))

    def _forget(self, before: float) -> None:
        with self._lock:
            if self._seen and self._seen[0].t < before - KEPT:
                self._seen = [row for row in self._seen if row.t > before]
            if self._decided and self._decided[0].t < before - KEPT:
                self._decided = [row for row in self._decided if row.t > before]

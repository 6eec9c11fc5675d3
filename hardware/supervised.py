"""A governor's process that is started again when it is gone or hangs."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from typing import Any

from daytwo.errors import DriverError, InputError
from daytwo.hardware.governor import State
from daytwo.hardware.guard_process import GuardProcess
from daytwo.hardware.link import NEWS, Link

AGAIN = 1.0  # [s] from one attempt to start it to the next
AWAY = 0.1  # [s] between two looks: it was us who were away, and it has NEWS from then on


class Supervisor:
    """Keeps one governor running; whoever holds this calls `look` at its rate, which never waits.

    A governor that was started again holds the arm where it is measured to be. Nobody commands it
    then: sessions of the one before are void. One that was latched comes back latched.

    Args:
        start: starts a process, without waiting until it is ready.

    Nothing is started before `wait`.
    """

    def __init__(self, start: Callable[[], GuardProcess]) -> None:
        self._start = start
        self._process: GuardProcess | None = None
        self.link: Link | None = None  # None while no governor is there
        self.restarts = 0
        self.lost = ""  # why the last one had to be started again, "" if none had to be
        self.began = 0  # [ns] since 1970, of the present one: no two have the same
        self._next_try = self._heard = self._looked = 0.0
        self._latched = ""  # why the arm has to stay where it is, whoever governs it
        self._asked = -math.inf  # [s] when the present governor was told so
        self._obeyed = True  # whether it has said since that it stopped

    @property
    def pid(self) -> int | None:
        """Of the governor's process, None while there is none."""
        return None if self._process is None else self._process.pid

    def wait(self, timeout: float) -> None:
        """Start the first one; return when it has reached its arm.

        Raises:
            InputError: what was given is wrong.
            DriverError: the arm was not reached within `timeout` [s].
        """
        self._process = self._start()
        if not self._process.ready(timeout):
            raise DriverError(f"the governor did not start within {timeout:.0f} s")
        self._attend(self._process)

    def look(self) -> list[dict[str, Any]]:
        """What it told since the last look, oldest first; one that is lost is started again."""
        now = time.monotonic()
        away = now - self._looked > AWAY
        self._looked = now
        if self.link is None:
            self._try(now)
            return []
        try:
            told = self.link.states()
        except DriverError as error:
            process = self._process
            self._lose((process.ended if process else "") or str(error))
            return []
        for state in told:
            self._remember(state)
        if told or away:
            self._heard = now
        elif now - self._heard > NEWS:
            self._lose(f"told nothing for {NEWS} s")
        return told

    def latch(self, reason: str) -> None:
        """Stop the arm until it is reset; at once, or as soon as there is a governor again.

        The governor may hang or die before it comes to that; the next one is stopped then.
        """
        self._latched, self._obeyed = self._latched or reason, False
        if self.link is not None:
            with contextlib.suppress(DriverError):  # it is gone, which `look` finds out
                self.link.tell({"op": "stop", "reason": self._latched, "latch": True})
        self._asked = time.monotonic()

    def _remember(self, state: dict[str, Any]) -> None:
        """Whether the arm has to stay where it is, by what its governor tells.

        Only a governor that had stopped and does not any more was reset. One that has not come to
        the last stop yet goes on telling that it is not stopped.
        """
        if state["state"] == State.OFF:
            return  # it ends, which says nothing of the arm
        if state["stopped"]:
            self._latched = self._latched or state["reason"]
            self._obeyed |= state["stamp"] > self._asked
        elif self._obeyed:
            self._latched = ""

    def close(self) -> list[dict[str, Any]]:
        """Bring the arm to rest and end the process; its last words."""
        process, link = self._process, self.link
        self._process = self.link = None
        try:
            if process is not None:
                process.close()
            return [] if link is None else link.states()
        except DriverError:  # it is gone, as it should be
            return []
        finally:
            if link is not None:
                link.close()

    def _try(self, now: float) -> None:
        """Go on starting one."""
        try:
            if self._process is None:
                if now < self._next_try:
                    return
                self._next_try = now + AGAIN
                self._process = self._start()
            if self._process.ready():
                self._attend(self._process)
        except (
            InputError,
            DriverError,
            OSError,
        ) as error:  # tried again until `close`
            if self._process is not None:
                self._process.kill()
            self._process, self.lost = None, str(error)

    def _attend(self, process: GuardProcess) -> None:
        self.link = Link(process.socket)
        if self._latched:
            self.latch(self._latched)
        self._heard = self._looked = time.monotonic()
        self.began = max(time.time_ns(), self.began + 1)

    def _lose(self, why: str) -> None:
        self.lost, self.restarts = why, self.restarts + 1
        if self.link is not None:
            self.link.close()
        if self._process is not None:
            self._process.kill()
        self.link = self._process = None

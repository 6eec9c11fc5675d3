"""The twin in real time, whose time passes by itself, used from several threads: a wire's, and that
of who lays out objects.

Physics is computed in one thread; what it measured last and what it shall do next wait beside it,
as in a servo's registers, so that a wire answers in time though a step of physics takes longer.
"""

from __future__ import annotations

import threading

from daytwo.errors import DriverError
from daytwo.hardware.driver import Array, Reading
from daytwo.hardware.drivers.twin import TwinDriver
from daytwo.hardware.objects import Sighting
from daytwo.sim.arms import Arm
from daytwo.sim.bullet import TIMESTEP
from daytwo.sim.tasks.base import Placement


class SharedTwin(TwinDriver):
    """One thread at a time.

    Args:
        arm: the arm.
    """

    def __init__(self, arm: Arm) -> None:
        super().__init__(arm, realtime=True)
        self._lock = threading.RLock()
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        self._wanted: Array | None = None  # commanded, and not passed on yet
        self._latest: Reading | DriverError | None = None  # what was measured, or why not

    def connect(self) -> None:
        with self._lock:
            super().connect()
            self._look()
        if self._thread is None:
            self._end.clear()
            self._thread = threading.Thread(target=self._go_on, name="twin", daemon=True)
            self._thread.start()

    def _go_on(self) -> None:
        """Time passes though nobody asks, so that whoever does need not wait for it."""
        while not self._end.wait(TIMESTEP):
            with self._lock:
                wanted, self._wanted = self._wanted, None
                if wanted is not None:
                    super()._send(wanted)
                self._look()

    def _look(self) -> None:
        try:
            self._latest = super().read()
        except DriverError as error:  # of whoever reads next
            self._latest = error

    def read(self) -> Reading:
        """What was measured last, within one step of physics."""
        self._check_connected()
        latest = self._latest
        if isinstance(latest, DriverError):
            raise latest
        assert latest is not None  # once connected
        return latest

    def stop(self) -> None:
        with self._lock:
            self._wanted = None
            super().stop()

    def disconnect(self) -> None:
        if self._thread is not None:
            self._end.set()
            self._thread.join()
            self._thread = None
        with self._lock:
            super().disconnect()

    def _send(self, command: Array) -> None:
        self._wanted = command

    def begin(self, q: Array, placement: Placement) -> Placement:
        with self._lock:
            self._wanted = None
            seen = super().begin(q, placement)
            self._look()
        return seen

    def objects(self) -> Sighting:
        with self._lock:
            return super().objects()

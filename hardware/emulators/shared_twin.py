"""The twin in real time, whose time passes by itself, used from several threads: a wire's, and that
of who lays out objects.
"""

from __future__ import annotations

import threading

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

    def connect(self) -> None:
        with self._lock:
            super().connect()
        if self._thread is None:
            self._end.clear()
            self._thread = threading.Thread(target=self._go_on, name="twin", daemon=True)
            self._thread.start()

    def _go_on(self) -> None:
        """Time passes though nobody asks, so that whoever does need not wait for it."""
        while not self._end.wait(TIMESTEP):
            with self._lock:
                self._catch_up()

    def read(self) -> Reading:
        with self._lock:
            return super().read()

    def stop(self) -> None:
        with self._lock:
            super().stop()

    def disconnect(self) -> None:
        if self._thread is not None:
            self._end.set()
            self._thread.join()
            self._thread = None
        with self._lock:
            super().disconnect()

    def _send(self, command: Array) -> None:
        with self._lock:
            super()._send(command)

    def begin(self, q: Array, placement: Placement) -> Placement:
        with self._lock:
            return super().begin(q, placement)

    def objects(self) -> Sighting:
        with self._lock:
            return super().objects()

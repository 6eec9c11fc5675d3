"""An arm without physics: joints follow what they are told with a lag, in real time.

What hangs on an emulated controller where the wire is what matters; a `TwinDriver` hangs there
where objects have to be grasped.
"""

from __future__ import annotations

import threading

import numpy as np

from daytwo.errors import InputError
from daytwo.hardware.driver import ArmDriver, Array, Reading
from daytwo.sim.arms import Arm

STEP = 0.001  # [s]


class LagArm(ArmDriver):
    """Joints and gripper as first-order lags, no faster than the arm's limits.

    It may be used from several threads: a wire's and a test's.

    Args:
        arm: the arm.
        q: where it stands at first (dof,) [rad], by default at home; gripper open.
        lag: time constant [s].
    """

    def __init__(self, arm: Arm, q: Array | None = None, lag: float = 0.02) -> None:
        super().__init__(arm, rate=1.0 / STEP)
        self._x = np.append(np.asarray(arm.home if q is None else q, dtype=np.float64), 1.0)
        self._target, self._v = self._x.copy(), np.zeros(len(self._x))
        self._fastest = np.array([*arm.velocity, 5.0])
        self._lag, self._connected, self._at = lag, False, self.now()
        self._lock = threading.Lock()
        self.frozen = np.zeros(len(self._x), dtype=bool)  # joints that are stuck

    @property
    def connected(self) -> bool:
        return self._connected

    def connect(self) -> None:
        self._connected = True

    def disconnect(self) -> None:
        self._connected = False

    def read(self) -> Reading:
        self._check_connected()
        with self._lock:
            self._move()
            x, v = self._x.copy(), self._v.copy()
        n = len(x)
        opening = float(x[-1] * self.arm.gripper.max_opening)
        return Reading(x[:-1], v[:-1], opening, np.ones(n, bool), np.zeros(n), self.now())

    def stop(self) -> None:
        self._check_connected()
        with self._lock:
            self._move()
            self._target = np.append(self._x[:-1], self._target[-1])

    def push(self, x: Array) -> None:
        """Go to joints [rad] and gripper's share (dof + 1,), past all limits, as if by hand.

        Raises:
            InputError: anything is not finite or of the wrong size.
        """
        if x.shape != self._x.shape or not np.isfinite(x).all():
            raise InputError(f"push: {x.tolist()}; give {len(self._x)} finite numbers")
        self._send(x)

    def _send(self, command: Array) -> None:
        with self._lock:
            self._move()
            self._target = command

    def _move(self) -> None:
        now = self.now()
        steps = int((now - self._at) / STEP)
        self._at += steps * STEP
        for _ in range(min(steps, 1000)):  # a lag that long has died away
            v = np.clip((self._target - self._x) / self._lag, -self._fastest, self._fastest)
            self._v = np.where(self.frozen, 0.0, v)
            self._x = self._x + self._v * STEP

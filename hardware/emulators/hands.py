"""The hands that calibrate an emulated arm: they move its joints as a person would."""

from __future__ import annotations

import time

import numpy as np

from daytwo.hardware.calibration import servo_names
from daytwo.hardware.emulators.control import Control
from daytwo.sim.arms import Arm

REST = 0.3  # [s] at each end


class Hands:
    """Moves an arm of emulated servos whose motors are off.

    Args:
        control: of an emulator with an arm without physics as its plant.
        arm: the arm.
    """

    def __init__(self, control: Control, arm: Arm) -> None:
        self._control = control
        shut, wide = arm.gripper.closed[0], arm.gripper.open[0]
        limits = [arm.robot.joint(name) for name in servo_names(arm)]
        low = np.array([joint.lower for joint in limits])
        high = np.array([joint.upper for joint in limits])
        middle = np.append(np.zeros(len(arm.joints)), (low[-1] + high[-1]) / 2)

        def with_share(angles: np.ndarray) -> np.ndarray:
            return np.append(angles[:-1], (angles[-1] - shut) / (wide - shut))

        self._middle = with_share(middle)
        self._stops = [with_share(angles) for angles in (low, high, middle)]
        fastest = np.array([joint.velocity for joint in limits])
        self._leg = float(((high - low) / fastest).max()) + REST  # [s]
        self._began: float | None = None
        self._done = 0  # legs begun

    def to_the_middle(self) -> None:
        """Every joint into the middle of its range."""
        self._push(self._middle)
        time.sleep(self._leg)

    def go_on(self) -> None:
        """From stop to stop, a little with each call; nothing more when all were reached."""
        self._began = now = time.monotonic() if self._began is None else self._began
        passed = time.monotonic() - now
        if self._done < len(self._stops) and passed >= self._done * self._leg:
            self._push(self._stops[self._done])
            self._done += 1

    def _push(self, x: np.ndarray) -> None:
        self._control.ask("push", q=x[:-1].tolist(), share=float(x[-1]))

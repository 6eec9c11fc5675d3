"""A governor's readings as `sensor_msgs/JointState`, and back: each joint by its name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sensor_msgs.msg import JointState

from daytwo.hardware.driver import Array
from daytwo.hardware.wire import reading_of
from daytwo.sim.arms import Arm, Gripper
from daytwo_ros.stamps import Clocks

RETOLD = "daytwo"  # frame_id of what is told again, lest whoever measures takes it for measured


class Joints:
    """Makes messages of what is newly measured.

    Args:
        arm: whose.
    """

    def __init__(self, arm: Arm) -> None:
        self._arm = arm
        self._stamp, self._opening = -np.inf, np.nan  # of the last message [s], [m]

    def message(self, state: dict[str, Any], clocks: Clocks) -> JointState | None:
        """The joints that a state brings news of; None if it brings none. What is old, or was not
        measured, is left out: nobody takes it for new.

        Args:
            state: as the governor's process tells it.
            clocks: to stamp the message with when the oldest of it was measured.
        """
        reading = reading_of(state, state["stamp"])
        if reading is None or reading.stamp == self._stamp or not reading.valid.any():
            return None
        passed = reading.stamp - self._stamp
        arm, valid = self._arm, reading.valid
        fresh = np.flatnonzero(valid[:-1])
        names, positions = [arm.joints[i] for i in fresh], reading.q[fresh].tolist()
        velocities = [] if reading.dq is None else reading.dq[fresh].tolist()
        if valid[-1]:
            span = finger_span(arm.gripper)
            share = reading.opening / arm.gripper.max_opening
            names += arm.gripper.joints
            positions += (np.asarray(arm.gripper.closed) + share * span).tolist()
            if velocities:  # of the gripper nobody measures it
                was = reading.opening if np.isnan(self._opening) else self._opening
                moved = (reading.opening - was) / arm.gripper.max_opening
                velocities += (moved / max(passed, 1e-3) * span).tolist()
            self._opening = reading.opening
        self._stamp = reading.stamp
        told = JointState(name=names, position=positions, velocity=velocities)
        told.header.frame_id = RETOLD
        told.header.stamp = clocks.message(state["stamp"] - float(reading.age_s[valid].max()))
        return told


def finger_span(gripper: Gripper) -> Array:
    """How far each finger joint goes from closed to open, (fingers,) [m or rad]."""
    return np.subtract(gripper.open, gripper.closed)


def opening_of(gripper: Gripper, positions: Sequence[float]) -> float:
    """Distance between the pads [m] from finger joint positions."""
    shares = np.subtract(positions, gripper.closed) / finger_span(gripper)
    return float(shares.mean() * gripper.max_opening)

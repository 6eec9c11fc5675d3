"""What joint states tell of an arm's joints: each by its name, and how old it is."""

from __future__ import annotations

import math
import time

import numpy as np
from rclpy.subscription import Subscription
from sensor_msgs.msg import JointState

from daytwo_ros.joints import RETOLD


class Measured:
    """The newest of each joint; messages may come from anybody, in any order, and leave some out.

    Args:
        names: n joints.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.x, self.v = np.full((2, len(names)), np.nan)  # (n,) [rad], [rad/s] or NaN
        self.at = np.full(len(names), -np.inf)  # (n,) [s] monotonic, when each was heard of
        self.others: set[str] = set()  # joints that are told of, too
        self._index = {name: i for i, name in enumerate(names)}
        self._stamps: list[object] = [None] * len(names)  # that each had then

    @property
    def missing(self) -> list[str]:
        """Joints that were never heard of."""
        return [name for name, at in zip(self.names, self.at, strict=True) if at == -np.inf]

    def take(self, subscription: Subscription) -> None:
        """Hear all that has come, the oldest first; the subscription's node is not spun for it."""
        with subscription.handle:
            while taken := subscription.handle.take_message(JointState, False):
                told, info = taken
                # It may have waited. The wall clock, by which that is told, may have jumped.
                waited = 1e-9 * (time.time_ns() - info["received_timestamp"])
                self.hear(told, time.monotonic() - max(waited, 0.0))

    def hear(self, told: JointState, at: float) -> None:
        """One message, that came at `at` [s]."""
        if told.header.frame_id == RETOLD:
            return  # an arm_driver's, which has it from here
        velocities = told.velocity if len(told.velocity) == len(told.name) else None
        stamp = (told.header.stamp.sec, told.header.stamp.nanosec)
        for k, (name, x) in enumerate(zip(told.name, told.position, strict=False)):
            i = self._index.get(name)
            if i is None:
                self.others.add(name)
            # The same stamp again is no news; some leave it 0.
            elif math.isfinite(x) and (stamp == (0, 0) or stamp != self._stamps[i]):
                self.x[i], self.at[i], self._stamps[i] = x, at, stamp
                self.v[i] = math.nan if velocities is None else velocities[k]

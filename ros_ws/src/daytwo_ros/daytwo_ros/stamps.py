"""ROS time and this machine's monotonic time, one from the other."""

from __future__ import annotations

import time
from collections.abc import Callable

from builtin_interfaces.msg import Time
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.timer import Timer


class Clocks:
    """Both clocks as they stand now; what lies between them may change, so nothing is kept.

    Args:
        clock: a node's.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now(self) -> int:
        """ROS time [ns]."""
        return int(self._clock.now().nanoseconds)

    def message(self, monotonic: float) -> Time:
        """The stamp of an instant [s] of the monotonic clock."""
        return stamp(self.now() - round(1e9 * (time.monotonic() - monotonic)))

    def monotonic(self, at: Time) -> float:
        """The instant [s] of a stamp on the monotonic clock."""
        return time.monotonic() - self.age(at)

    def age(self, at: Time) -> float:
        """How long ago a stamp is [s]; below 0 in the future."""
        return 1e-9 * (self.now() - nanoseconds(at))


def every(node: Node, period: float, do: Callable[[], None]) -> Timer:
    """A node's timer [s] that goes on when the wall clock is put back; one on the node's own clock
    waits until that is again where it was.
    """
    return node.create_timer(period, do, clock=Clock(clock_type=ClockType.STEADY_TIME))


def nanoseconds(at: Time) -> int:
    """A stamp in [ns]."""
    return int(at.sec) * 1_000_000_000 + int(at.nanosec)


def stamp(nanoseconds: int) -> Time:
    """The stamp of a time in [ns], 0 or more."""
    sec, nanosec = divmod(max(0, nanoseconds), 1_000_000_000)
    return Time(sec=sec, nanosec=nanosec)

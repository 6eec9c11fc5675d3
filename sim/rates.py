"""How fast an arm's commands may change, and n arms whose commands change no faster.

A real arm follows no step: what stands before it turns each goal into a motion within velocity,
acceleration and jerk limits. Here is that motion for a batch, so that a policy learns with it: a
sliding-mode trajectory filter (Zanasi, Lo Bianco and Tonielli, "Nonlinear filters for the
generation of smooth trajectories", Automatica 2000), always at the speed from which it can still
come to rest at the goal, and at the acceleration from which it can still settle at that speed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daytwo.sim.arms import Arm
from daytwo.sim.scene import CONTROL_HZ
from daytwo.sim.state import Array

TICKS = 5  # periods of a control step, in each of which a command moves on
PERIOD = 1.0 / (CONTROL_HZ * TICKS)  # [s]


@dataclass(frozen=True)
class Rates:
    """Limits of how fast joints and gripper may change, (dof + 1,) each, the gripper's last."""

    velocity: Array  # [rad/s], gripper [share/s]
    acceleration: Array  # [rad/s2]
    jerk: Array  # [rad/s3]

    @classmethod
    def of(cls, arm: Arm, gripper: tuple[float, float, float] = (5.0, 100.0, 4000.0)) -> Rates:
        """Of an arm's joints; the gripper opens or shuts in a quarter of a second."""
        limits = (arm.velocity, arm.acceleration, arm.jerk)
        return cls(*(np.array([*of, g]) for of, g in zip(limits, gripper, strict=True)))


class LimitedMotion:
    """Commanded joints and gripper of n arms, moved on by one period at a time.

    Args:
        rates: limits.
        n: number of arms.
        dt: period [s].
    """

    def __init__(self, rates: Rates, n: int, dt: float = PERIOD) -> None:
        self.rates, self.dt = rates, dt
        self.x, self.v, self.a = np.zeros((3, n, len(rates.velocity)))
        # Change of acceleration in one period, as far as the acceleration may change at all.
        self._da = np.minimum(rates.jerk * dt, 2 * rates.acceleration)
        self._jerk = self._da / dt

    def begin(self, ids: NDArray[np.int64], x: Array) -> None:
        """Arms `ids` (k,) are at rest at `x` (k, dof + 1), from now on."""
        self.x[ids], self.v[ids], self.a[ids] = x, 0.0, 0.0

    def parts(self, goal: Array, steps: int) -> Iterator[tuple[Array, int]]:
        """A control step's periods: where the command is in each (n, dof + 1), and how many of the
        physics' `steps` belong to it.
        """
        for tick in range(TICKS):
            yield self.toward(goal), (tick + 1) * steps // TICKS - tick * steps // TICKS

    def toward(self, goal: Array) -> Array:
        """One period on the way to rest at `goal` (n, dof + 1) [rad], gripper's share; the same
        shape.
        """
        dt, jerk, most = self.dt, self._jerk, self.rates.acceleration
        # Where it is and how fast when what acceleration there is has been taken back.
        ease = np.abs(self.a) / jerk  # [s]
        v = self.v + 0.5 * self.a * ease
        x = self.x + ease * (self.v + self.a * ease / 3)
        wanted = self._speed_to_rest_at(goal - x)
        change = wanted - v
        size = np.abs(change)
        # Acceleration from which it can be at that speed without acceleration in time.
        a = jerk * dt * (np.sqrt(0.25 + 2 * size / (jerk * dt**2)) - 0.5)
        a = np.copysign(np.minimum(np.minimum(a, size / dt), most), change)
        a = np.clip(a, self.a - self._da, self.a + self._da)
        v = np.clip(self.v + a * dt, -self.rates.velocity, self.rates.velocity)
        self.a = (v - self.v) / dt
        self.x = self.x + 0.5 * (self.v + v) * dt
        self.v = v
        return self.x

    def _speed_to_rest_at(self, e: Array) -> Array:
        """The fastest from which it comes to rest within `e` (n, dof + 1), of the sign of `e`."""
        acceleration, jerk, far = self.rates.acceleration, self._jerk, np.abs(e)
        pad = 0.5 * acceleration * (self.dt + acceleration / jerk)
        long = np.sqrt(pad**2 + 2 * acceleration * far) - pad
        short = np.cbrt(jerk * far**2)  # too near for the acceleration to reach its limit
        speed = np.minimum(np.minimum(long, short), far / self.dt)
        return np.copysign(np.minimum(speed, self.rates.velocity), e)

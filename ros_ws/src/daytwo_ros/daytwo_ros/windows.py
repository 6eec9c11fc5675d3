"""Short windows of motion for a joint_trajectory_controller, each of which ends at rest.

A controller plays a trajectory to its end and holds there. So whoever streams windows that end at
rest needs no watchdog at the other end: if he dies, the arm comes to rest by itself.

A window's first point, at time 0, is where the last window is just now. A controller that gets it
starts there, and not at what it measures, which lags behind (ros2_controllers,
joint_trajectory_controller/src/trajectory.cpp, `Trajectory::sample`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from daytwo.errors import InputError
from daytwo.hardware.driver import Array
from daytwo.sim.rates import Rates

PAUSE = 0.1  # [s] without a window, after which nobody knows any more where the arm is told to be
HOLD = 0.1  # [s] to come to rest where the arm is measured
ROUNDING = 1.01  # a velocity that is one of a stream may be above its limit by


@dataclass(frozen=True)
class Window:
    """A motion through k points of n joints; it begins at the first and rests at the last.

    Raises:
        InputError: times do not rise, something is not finite, or it does not end at rest.
    """

    t: Array  # (k,) [s] from its start
    x: Array  # (k, n) [rad], gripper's share
    v: Array | None  # (k, n) [rad/s]; None: straight lines from point to point

    def __post_init__(self) -> None:
        parts = (self.t, self.x) if self.v is None else (self.t, self.x, self.v)
        if not all(np.isfinite(part).all() for part in parts):
            raise InputError(f"window: not every number is finite: {parts}")
        if self.t[0] < 0 or (np.diff(self.t) <= 0).any():
            raise InputError(f"window: times {self.t.tolist()}; each must be above the one before")
        if self.v is not None and self.v[-1].any():
            raise InputError(f"window: ends at {self.v[-1].tolist()} rad/s, not at rest")

    def at(self, t: float) -> tuple[Array, Array]:
        """Where it is at `t` [s], and how fast: (n,) each; at rest before and after it."""
        still = np.zeros(self.x.shape[1])
        if t < self.t[0]:
            return self.x[0], still
        if t >= self.t[-1]:
            return self.x[-1], still
        i = int(np.searchsorted(self.t, t, side="right")) - 1
        span = self.t[i + 1] - self.t[i]
        s, a, b = (t - self.t[i]) / span, self.x[i], self.x[i + 1]
        if self.v is None:
            return a + s * (b - a), (b - a) / span
        va, vb = span * self.v[i], span * self.v[i + 1]  # a cubic (Hermite) from point to point
        c, d = 3 * (b - a) - 2 * va - vb, 2 * (a - b) + va + vb
        return a + s * (va + s * (c + s * d)), (va + s * (2 * c + 3 * s * d)) / span


class Stream:
    """Makes a window of each target, that goes on where and as fast as the last one is.

    Args:
        rates: limits of joints and gripper (dof + 1,).
        low, high: limits of their places (dof + 1,).
        period: from one target to the next, where they are a stream [s].
    """

    def __init__(self, rates: Rates, low: Array, high: Array, period: float) -> None:
        self._rates, self._low, self._high, self._period = rates, low, high, period
        self._last: Window | None = None
        self._began, self._goal = -np.inf, np.zeros(len(low))  # of the last window
        self._resting = True  # the next target is the first, and of no stream yet

    def paused(self, now: float) -> bool:
        """Whether it has to `begin` before it goes on: else an arm that was moved meanwhile would
        jump back to where it was told to be before.
        """
        return self._last is None or now - self._began > PAUSE

    def begin(self, x: Array, now: float) -> Window:
        """Hold at `x` (dof + 1,), whatever was before."""
        window = self._go(np.array([0.0, HOLD]), np.array([x, x]), np.zeros((2, len(x))), x, now)
        self._resting = True
        return window

    def hold(self, x: Array, now: float) -> Window:
        """Come to rest at `x` (dof + 1,), smoothly."""
        if self.paused(now):
            return self.begin(x, now)
        at, v = self._now(now)
        return self._go(np.array([0.0, HOLD]), np.array([at, x]), np.array([v, 0 * v]), x, now)

    def aim(self, goal: Array, now: float) -> Window:
        """Be at `goal` (dof + 1,) a period later, as fast as the targets go, then come to rest
        within the limits. What no stream comes to is gone to from rest to rest.
        """
        at, v_at = self._now(now)
        v = (goal - self._goal) / max(self._period, now - self._began)
        v[-1] = 0.0  # a gripper goes no further than it was told
        if self._resting or (np.abs(v) > ROUNDING * self._rates.velocity).any():
            v = np.zeros_like(v)
        needed = float((np.abs(goal - at) / self._rates.velocity).max())
        if not v.any():
            reach = max(self._period, 1.5 * needed)  # a cubic from rest to rest peaks at 1.5
            return self._go(
                np.array([0.0, reach]), np.array([at, goal]), np.array([v_at, v]), goal, now
            )
        reach = max(self._period, needed)
        # Each joint comes to rest on its own way of braking, or one that nears its goal while
        # another is fast would go past it; all in the time of the one that needs longest.
        braking = np.abs(v) / self._rates.acceleration
        slow = max(self._period, float(braking.max()))
        rest = np.clip(goal + 0.5 * braking * v, self._low, self._high)
        t = np.array([0.0, reach, reach + slow])
        return self._go(t, np.array([at, goal, rest]), np.array([v_at, v, 0 * v]), goal, now)

    def _now(self, now: float) -> tuple[Array, Array]:
        assert self._last is not None, "begin first"
        return self._last.at(now - self._began)

    def _go(self, t: Array, x: Array, v: Array, goal: Array, now: float) -> Window:
        self._last, self._began, self._goal, self._resting = Window(t, x, v), now, goal, False
        return self._last

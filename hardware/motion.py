"""Motion within velocity, acceleration and jerk limits, from one commanded state to the next.

Ruckig (Berscheid and Kroeger, "Jerk-limited real-time trajectory generation with arbitrary target
states", RSS 2021) gives for every joint on its own the quickest way there that ends at rest, so
that one which was on its way to a place within its limits never overshoots them, whatever is asked.
"""

from __future__ import annotations

import numpy as np
from ruckig import (
    ControlInterface,
    InputParameter,
    OutputParameter,
    Ruckig,
    RuckigError,
    Synchronization,
)

from daytwo.errors import DriverError
from daytwo.hardware.driver import Array
from daytwo.sim.rates import Rates

HAIRS = (1e-9, -1e-9, 1e-7, -1e-7)  # [rad], or [rad/s] of a stop
_AT_REST = 1e-6  # [rad/s] and [rad/s2]


class Motion:
    """The commanded state, moved on by one period at a time.

    Args:
        rates: limits.
        dt: period [s].
    """

    def __init__(self, rates: Rates, dt: float) -> None:
        n = len(rates.velocity)
        self.rates = rates
        self._ruckig, self._in, self._out = Ruckig(n, dt), InputParameter(n), OutputParameter(n)
        self._in.synchronization = Synchronization.No
        self._in.max_acceleration = rates.acceleration.tolist()
        self._in.max_jerk = rates.jerk.tolist()
        self._goal, self._hair = np.zeros(n), 0.0
        self.begin(np.zeros(n))

    @property
    def x(self) -> Array:
        """Commanded positions (dof + 1,) [rad], gripper's share."""
        return np.asarray(self._in.current_position)

    @property
    def v(self) -> Array:
        """Commanded velocities (dof + 1,) [rad/s]."""
        return np.asarray(self._in.current_velocity)

    @property
    def at_rest(self) -> bool:
        return bool(
            np.abs(self._in.current_velocity).max() < _AT_REST
            and np.abs(self._in.current_acceleration).max() < _AT_REST
        )

    def begin(self, x: Array) -> None:
        """Be at rest at `x`, from now on."""
        self._in.current_position = x.tolist()
        self._in.current_velocity = self._in.current_acceleration = [0.0] * len(x)

    def toward(self, goal: Array, speed: float = 1.0) -> Array:
        """One period on the way to rest at `goal`, at a share of the velocity limits."""
        self._in.control_interface = ControlInterface.Position
        self._in.max_velocity = (speed * self.rates.velocity).tolist()
        if not np.array_equal(goal, self._goal):
            self._goal, self._hair = goal.copy(), 0.0
        return self._move()

    def slow(self) -> Array:
        """One period on the quickest way to rest anywhere."""
        self._in.control_interface = ControlInterface.Velocity
        self._in.max_velocity = self.rates.velocity.tolist()
        return self._move()

    def _move(self) -> Array:
        """One period; to a hair beside the target, where ruckig finds no way to the very place.

        It fails at distances where one kind of profile turns into the next: from rest at
        2 a^3 / j^2 (0.1 rad for an SO-101), v^2 / a + v a / j and 2 v sqrt(v / j). The hair stays
        until there is another goal, or it would find a way from the next period on that is slow.
        """
        n = len(self._goal)
        self._in.target_acceleration = [0.0] * n
        for hair in (self._hair, *HAIRS):
            stops = self._in.control_interface == ControlInterface.Velocity
            self._in.target_position = (self._goal + hair).tolist()
            self._in.target_velocity = [hair if stops else 0.0] * n
            try:
                self._ruckig.update(self._in, self._out)
            except RuckigError as error:
                failure = error
            else:
                self._hair = 0.0 if stops else hair
                self._out.pass_to_input(self._in)
                return self.x
        raise DriverError(f"no way within the limits: {failure}")

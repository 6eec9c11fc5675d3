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
    Result,
    Ruckig,
    Synchronization,
)

from daytwo.errors import DriverError
from daytwo.hardware.driver import Array
from daytwo.sim.rates import Rates

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
        self._in.target_position = goal.tolist()
        self._in.max_velocity = (speed * self.rates.velocity).tolist()
        return self._move()

    def slow(self) -> Array:
        """One period on the quickest way to rest anywhere."""
        self._in.control_interface = ControlInterface.Velocity
        self._in.max_velocity = self.rates.velocity.tolist()
        return self._move()

    def _move(self) -> Array:
        self._in.target_velocity = self._in.target_acceleration = [0.0] * len(self.x)
        if self._ruckig.update(self._in, self._out) not in (Result.Working, Result.Finished):
            raise DriverError(f"no way within the limits from {self.x} to {self._in}")
        self._out.pass_to_input(self._in)
        return self.x

"""Close: push an open drawer shut."""

from __future__ import annotations

import numpy as np

from daytwo.sim.predicates import descriptor
from daytwo.sim.state import Array, State
from daytwo.sim.tasks.base import Placement
from daytwo.sim.tasks.drawing import OPEN, DrawerTask


class Close(DrawerTask):
    """The drawer is half open when easy, wide open when hard."""

    name = "close"
    horizon = 80
    n_objects = 2
    descriptor = descriptor("shut")

    def place(self, u: Array, difficulty: Array, p_ee: Array) -> Placement:
        placement = Placement.empty(len(u))
        yaw = 0.5 * self.yaw(u[:, 2], difficulty)
        slid = OPEN * (0.5 + 0.5 * difficulty * u[:, 3])
        self.drawer(placement, self.front(u[:, 0:2], difficulty), yaw, slid)
        placement.p_goal = self.bar(placement, np.zeros(len(u)))
        return placement

    def goal(self, state: State) -> Array:
        return self.bar(state, np.zeros(len(state.opening)))

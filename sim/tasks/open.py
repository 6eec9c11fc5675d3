"""Open: pull a drawer open by its handle."""

from __future__ import annotations

import numpy as np

from daytwo.sim.predicates import descriptor
from daytwo.sim.state import Array, State
from daytwo.sim.tasks.base import Placement
from daytwo.sim.tasks.drawing import OPEN, DrawerTask


class Open(DrawerTask):
    """The drawer is shut; when hard it stands farther aside and is turned."""

    name = "open"
    horizon = 80
    n_objects = 2
    descriptor = descriptor("opened")

    def place(self, u: Array, difficulty: Array, p_ee: Array) -> Placement:
        placement = Placement.empty(len(u))
        yaw = 0.5 * self.yaw(u[:, 2], difficulty)
        self.drawer(placement, self.front(u[:, 0:2], difficulty), yaw, np.zeros(len(u)))
        placement.p_goal = self.bar(placement, np.full(len(u), OPEN))
        return placement

    def goal(self, state: State) -> Array:
        return self.bar(state, np.full(len(state.opening), OPEN))

"""Unstack: take the cube off another one, set it down on the table and let go."""

from __future__ import annotations

import numpy as np

from daytwo.sim.predicates import descriptor
from daytwo.sim.state import Array, State
from daytwo.sim.tasks.base import Placement
from daytwo.sim.tasks.grasping import GraspTask


class Unstack(GraspTask):
    """The cube starts on top of the second one; its goal is on the table beside them."""

    name = "unstack"
    horizon = 80
    n_objects = 2
    descriptor = descriptor("object_at_goal", "released")
    lets_go = True

    def place(self, u: Array, difficulty: Array, p_ee: Array) -> Placement:
        placement = self.cubes(u, difficulty)
        base = self.on_table(u[:, 8:10], difficulty, placement.half[:, 1])
        placement.p_object[:, 1] = placement.p_object[:, 0] = base
        placement.p_object[:, 0, 2] = 2 * placement.half[:, 1] + placement.half[:, 0]
        apart = 1.7 * self.width  # room for the jaws between the cubes
        placement.p_goal[:, :2] = self.beside(base, u[:, 10:12], difficulty, least=apart)
        placement.p_goal[:, 2] = placement.half[:, 0]
        return placement

    def _travel_height(self, state: State) -> Array:
        # Above the second cube, from which the first one is taken.
        return np.asarray(2 * state.half[:, 1] + state.half[:, 0] + 0.03)

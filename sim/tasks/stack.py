"""Stack: put one cube on top of another and let go."""

from __future__ import annotations

import numpy as np

from daytwo.sim.predicates import descriptor
from daytwo.sim.state import Array, State
from daytwo.sim.tasks.base import Placement
from daytwo.sim.tasks.grasping import GraspTask


class Stack(GraspTask):
    """The goal rides on the second cube, which may be pushed away by accident."""

    name = "stack"
    horizon = 80
    n_objects = 2
    descriptor = descriptor("object_at_goal", "released", "on_object")
    lets_go = True

    def place(self, u: Array, difficulty: Array, p_ee: Array) -> Placement:
        placement = self.cubes(u, difficulty)
        cube = self.on_table(u[:, 8:10], difficulty, placement.half[:, 0])
        placement.p_object[:, 0] = cube
        apart = 1.7 * self.width  # room for the jaws between the cubes
        placement.p_object[:, 1, :2] = self.beside(cube, u[:, 10:12], difficulty, least=apart)
        placement.p_object[:, 1, 2] = placement.half[:, 1]
        return placement

    def goal(self, state: State) -> Array:
        goal = state.p_object[:, 1].copy()
        goal[:, 2] += state.half_z.sum(axis=1)
        return goal

    def _travel_height(self, state: State) -> Array:
        return np.asarray(state.p_goal[:, 2] + 0.03)

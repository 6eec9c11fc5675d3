"""Pick: lift the cube to a goal in the air."""

from __future__ import annotations

import numpy as np

from daytwo.sim.predicates import descriptor
from daytwo.sim.state import Array, State
from daytwo.sim.tasks.base import Placement
from daytwo.sim.tasks.grasping import GraspTask


class Pick(GraspTask):
    """The goal is above the table, near the cube when easy."""

    name = "pick"
    horizon = 60
    n_objects = 1
    descriptor = descriptor("object_at_goal", "lifted")
    lets_go = False

    def place(self, u: Array, difficulty: Array, p_ee: Array) -> Placement:
        placement = Placement.empty(len(u))
        half, placement.mass[:, 0], placement.friction[:, 0] = self.cube(u[:, 0:3], difficulty)
        placement.half[:, 0] = half
        placement.p_object[:, 0] = self.on_table(u[:, 3:5], difficulty, half)
        placement.yaw_object[:, 0] = self.yaw(u[:, 5], difficulty)
        placement.p_goal[:, :2] = self.beside(
            placement.p_object[:, 0], u[:, 6:8], difficulty * 0.7, least=0.0
        )
        height = 0.05 + u[:, 8] * (0.05 + 0.6 * self.extent[2] * difficulty)
        placement.p_goal[:, 2] = np.minimum(half + height, self.centre[2] + self.extent[2] - 0.01)
        return placement

    def _travel_height(self, state: State) -> Array:
        return state.half[:, 0] + 0.03

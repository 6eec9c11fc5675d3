"""Place: put the cube on a pedestal and let go."""

from __future__ import annotations

import numpy as np

from daytwo.sim.predicates import descriptor
from daytwo.sim.state import Array
from daytwo.sim.tasks.base import Placement
from daytwo.sim.tasks.grasping import GraspTask


class Place(GraspTask):
    """A pedestal stands beside the cube: low and wide when easy, higher and narrower when hard."""

    name = "place"
    horizon = 70
    n_objects = 1
    descriptor = descriptor("object_at_goal", "lifted", "released")
    lets_go = True

    def place(self, u: Array, difficulty: Array, p_ee: Array) -> Placement:
        placement = Placement.empty(len(u))
        half, placement.mass[:, 0], placement.friction[:, 0] = self.cube(u[:, 0:3], difficulty)
        placement.half[:, 0] = half
        cube = self.on_table(u[:, 3:5], difficulty, half)
        placement.p_object[:, 0] = cube
        placement.yaw_object[:, 0] = self.yaw(u[:, 5], difficulty)
        wide = self.width * (0.45 - 0.10 * difficulty)
        apart = float(self.width * (0.45 + 0.27 * 1.5) + 0.5 * self.width)
        top = np.empty((len(u), 3))
        top[:, :2] = self.beside(cube, u[:, 6:8], difficulty, least=apart)
        top[:, 2] = 0.015 + 0.05 * difficulty * u[:, 8] * min(1.0, self.extent[2] / 0.2)
        placement.p_pedestal = top
        placement.pedestal_half = wide
        placement.p_goal = top + np.stack([0 * half, 0 * half, half], axis=1)
        return placement

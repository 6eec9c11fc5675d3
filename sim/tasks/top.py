"""Top: put the cube on a wide, flat block and let go; held out, no textbook trains on it."""

from __future__ import annotations

from daytwo.sim.predicates import descriptor
from daytwo.sim.state import Array
from daytwo.sim.tasks.base import Placement
from daytwo.sim.tasks.stack import Stack


class Top(Stack):
    """Said like stack, of a base of a size that is never stacked on."""

    name = "top"
    descriptor = descriptor("object_at_goal", "lifted", "released", "on_object")

    def place(self, u: Array, difficulty: Array, p_ee: Array) -> Placement:
        placement = super().place(u, difficulty, p_ee)
        wide = self.width * (0.50 - 0.08 * u[:, 12])
        high = 0.009 + 0.004 * u[:, 13] * difficulty  # half of it
        placement.half[:, 1], placement.stretch[:, 1] = wide, high / wide
        placement.mass[:, 1] = 0.5
        placement.p_object[:, 1, 2] = high
        apart = 1.1 * self.width + wide.max()
        placement.p_object[:, 1, :2] = self.beside(
            placement.p_object[:, 0], u[:, 10:12], difficulty, least=apart
        )
        return placement

"""Reach: bring the tool point to a goal in the air."""

from __future__ import annotations

import numpy as np

from daytwo.sim.predicates import descriptor, distance
from daytwo.sim.state import Array, State
from daytwo.sim.tasks.base import Placement, Task, nearness


class Reach(Task):
    """The goal is anywhere in a box around the start that grows with difficulty."""

    name = "reach"
    horizon = 40
    n_objects = 0
    descriptor = descriptor("ee_at_goal")

    def place(self, u: Array, difficulty: Array, p_ee: Array) -> Placement:
        placement = Placement.empty(len(u))
        reach = (0.3 + 0.65 * difficulty)[:, None] * self.extent
        goal = self.centre + (2 * u[:, :3] - 1) * reach
        # A goal where the tool already is would teach nothing.
        away = goal - p_ee
        length = np.linalg.norm(away, axis=1, keepdims=True)
        least = 2.5 * 0.02
        goal = np.where(length < least, p_ee + least * away / np.maximum(length, 1e-9), goal)
        placement.p_goal = np.maximum(goal, (-np.inf, -np.inf, self.reach_low + 0.02))
        return placement

    def expert(self, state: State) -> Array:
        closed = np.full(len(state.p_ee), -1.0)
        return self.action(state, state.p_goal, 0.0, closed)

    def progress(self, state: State) -> Array:
        return nearness(distance(state.p_ee, state.p_goal))

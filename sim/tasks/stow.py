"""Stow: open the drawer, put the cube into it and let go."""

from __future__ import annotations

import numpy as np

from daytwo.sim.fixtures import BAR, CABINET, DEPTH, FLOOR, PART, turned
from daytwo.sim.predicates import descriptor, slid
from daytwo.sim.state import Array, State
from daytwo.sim.tasks.base import Placement
from daytwo.sim.tasks.drawing import OPEN, DrawerTask
from daytwo.sim.tasks.grasping import GraspTask

WIDE = 0.075  # [m] from which the drawer is open wide enough for the cube


class Stow(DrawerTask, GraspTask):
    """Ajar when easy, shut when hard. The goal rides on the drawer: the middle of its floor."""

    name = "stow"
    horizon = 170
    n_objects = 2
    descriptor = descriptor("released", "inside")
    lets_go = True

    def place(self, u: Array, difficulty: Array, p_ee: Array) -> Placement:
        placement = Placement.empty(len(u))
        half, placement.mass[:, 0], placement.friction[:, 0] = self.cube(u[:, 0:3], difficulty)
        placement.half[:, 0] = half = 0.75 * half
        placement.yaw_object[:, 0] = self.yaw(u[:, 3], difficulty)
        # The drawer to one side, the cube to the other.
        side = np.where(u[:, 4] < 0.5, -1.0, 1.0)
        front = self.front(u[:, 5:7], difficulty)
        front[:, 1] = self.centre[1] + side * (0.28 + 0.2 * difficulty * u[:, 6]) * self.extent[1]
        ajar = 0.06 * (1 - difficulty) * u[:, 7]
        self.drawer(placement, front, 0.4 * self.yaw(u[:, 8], difficulty), ajar)
        spread = 0.25 + 0.5 * difficulty
        x = self.centre[0] + (2 * u[:, 9] - 1) * spread * self.extent[0]
        y = self.centre[1] - side * (0.35 + (u[:, 10] - 0.5) * 0.5 * spread) * self.extent[1]
        placement.p_object[:, 0] = np.stack([x, y, half], axis=1)
        placement.p_goal = self._middle(placement.p_object[:, PART], placement.yaw_fixture, half)
        return placement

    def goal(self, state: State) -> Array:
        return self._middle(state.p_object[:, PART], state.yaw_goal, state.half[:, 0])

    def _middle(self, bar: Array, yaw: Array, half: Array) -> Array:
        """Centre of a cube (n, 3) on the floor of drawers whose handles' bars are there."""
        middle = bar + turned(np.array([DEPTH / 2 - BAR[0], 0.0, 0.0]), yaw)
        middle[:, 2] += FLOOR + half - BAR[2]  # of the bar's, wherever a camera sees that
        return middle

    def expert(self, state: State) -> Array:
        far = slid(state)
        bar, loop = state.p_object[:, PART], self.loop(state)
        out = turned(np.array([-1.0, 0.0, 0.0]), state.yaw_goal)
        pull = self.move_drawer(state, bar + out * (OPEN + 0.01 - far)[:, None])
        put = GraspTask.expert(self, state)
        # Between the two: rise out of the handle, the fingers still shut.
        low = state.p_ee[:, 2] < loop[:, 2] + 0.04
        in_loop = low & (np.linalg.norm(state.p_ee[:, :2] - loop[:, :2], axis=1) < 0.03)
        up = state.p_ee + np.array([0.0, 0.0, 0.05])
        leave = self.action(state, up, 0.0, np.full(len(far), -1.0))
        act = np.where(in_loop[:, None], leave, put)
        return np.where((far < WIDE)[:, None], pull, act)

    def progress(self, state: State) -> Array:
        return 0.4 * np.clip(slid(state) / WIDE, 0.0, 1.0) + 0.6 * GraspTask.progress(self, state)

    def _travel_height(self, state: State) -> Array:
        return CABINET + state.half[:, 0] + 0.02

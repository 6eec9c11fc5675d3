"""What open, close and stow share: a drawer, and an expert that moves it by its handle."""

from __future__ import annotations

import numpy as np

from daytwo.errors import InputError
from daytwo.sim.arms import Arm
from daytwo.sim.fixtures import BAR, DRAWER, PART, WIDTH, code, turned
from daytwo.sim.predicates import distance
from daytwo.sim.state import Array, State, goal_yaw_error
from daytwo.sim.tasks.base import Placement, Task, nearness

LOOP = 0.023  # [m] from the bar to the middle of the handle
OPEN = 0.088  # [m] how far an open drawer is pulled out
DEEP_ENOUGH = 0.30  # [m] of workspace that a drawer with its handle needs


class DrawerTask(Task):
    """A task with a drawer, which faces the arm, in sight of its camera: its goal is seen."""

    fixture = "drawer"

    def __init__(self, arm: Arm) -> None:
        super().__init__(arm)
        if 2 * self.extent[0] < DEEP_ENOUGH:
            raise InputError(
                f"task '{self.name}' needs a workspace that is {DEEP_ENOUGH} m deep, for a drawer "
                f"to open; arm '{arm.name}' has workspace x from {arm.workspace[0][0]} to "
                f"{arm.workspace[0][1]} m"
            )

    def drawer(self, placement: Placement, p: Array, yaw: Array, slid: Array) -> None:
        """Put in drawers: fronts, when shut, at p (k, 2) [m]; pulled out by `slid` (k,) [m]."""
        placement.fixture[:] = code(self.fixture)
        placement.fixture_size[:] = WIDTH
        placement.p_fixture[:, :2], placement.p_fixture[:, 2] = p, 0.0
        placement.yaw_goal = placement.yaw_fixture = yaw
        placement.slid = slid
        placement.half[:, PART] = BAR[3]
        placement.stretch[:, PART] = BAR[5] / BAR[3]
        placement.p_object[:, PART] = self.bar(placement, slid)
        placement.yaw_object[:, PART] = yaw

    def front(self, u: Array, difficulty: Array) -> Array:
        """Places (k, 2) of a shut drawer's front from two numbers, so that it can open."""
        nearest = self.centre[0] - self.extent[0] + OPEN - BAR[0] + 0.02
        spread = 0.25 + 0.75 * difficulty
        x = nearest + 0.04 + (u[:, 0] - 0.5) * 0.08 * spread
        y = self.centre[1] + (2 * u[:, 1] - 1) * spread * 0.6 * self.extent[1]
        return np.stack([x, y], axis=1)

    def bar(self, at: Placement | State, slid: Array) -> Array:
        """Centres of handles' bars (k, 3) [m] when drawers, which stand where `at` says, are pulled
        out by `slid` (k,) [m].
        """
        assert DRAWER.slide is not None
        local = np.asarray(BAR[:3]) + slid[:, None] * np.asarray(DRAWER.slide.axis)
        return at.p_fixture + turned(local, at.yaw_fixture)

    def expert(self, state: State) -> Array:
        return self.move_drawer(state, state.p_goal)

    def move_drawer(self, state: State, p_goal: Array) -> Array:
        """Actions that put the shut finger tips into the handle and bring its bar to `p_goal`
        (n, 3) [m].
        """
        bar = state.p_object[:, PART]
        loop = self.loop(state)
        to_loop = loop - state.p_ee
        off_axis = np.linalg.norm(to_loop[:, :2], axis=1)
        dyaw = goal_yaw_error(state)
        within = (off_axis < 0.022) & (state.p_ee[:, 2] < loop[:, 2] + 0.008)
        # Above it first, then down into it.
        hover = 0.06
        aligned = np.abs(dyaw) < 0.1
        above = np.where(aligned, np.clip(8 * (off_axis - 0.005), 0.0, hover), hover)
        around = (state.p_ee[:, 2] < loop[:, 2] + 0.02) & (off_axis < 0.022)
        target = loop.copy()
        target[:, 2] += np.where(around, 0.0, above)
        target[:, 2] = np.maximum(target[:, 2], state.p_ee[:, 2] - 0.015 + 0.3 * to_loop[:, 2])
        move = np.clip(p_goal - bar, -0.03, 0.03)
        move /= np.maximum(np.linalg.norm(move, axis=1, keepdims=True) / 0.03, 1e-6)
        moved = state.p_ee + move
        moved[:, 2] = loop[:, 2]
        target = np.where(within[:, None], moved, target)
        return self.action(state, target, dyaw, np.full(len(bar), -1.0))

    def loop(self, state: State) -> Array:
        """Middles of the handles (n, 3) [m]."""
        return state.p_object[:, PART] + turned(np.array([LOOP, 0.0, 0.0]), state.yaw_goal)

    def progress(self, state: State) -> Array:
        near = nearness(distance(state.p_ee, state.p_object[:, PART]))
        there = nearness(distance(state.p_object[:, PART], state.p_goal))
        return 0.3 * near + 0.7 * there

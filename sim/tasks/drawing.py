"""What open, close and stow share: where a drawer stands, and an expert that moves it by its knob."""

from __future__ import annotations

import numpy as np

from daytwo.errors import InputError
from daytwo.sim.arms import Arm
from daytwo.sim.fixtures import DRAWER, KNOB, PART, WIDTH, code, turned
from daytwo.sim.predicates import distance
from daytwo.sim.state import Array, State, grasp_yaw_error
from daytwo.sim.tasks.base import Placement, Task, nearness

OPEN = 0.088  # [m] how far an open drawer is pulled out
DEEP_ENOUGH = 0.30  # [m] of workspace that a drawer with its knob needs


class DrawerTask(Task):
    """A task with a drawer, which faces the arm."""

    needs_grasp = True
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
        """Put a drawer into exercises: its front at p (k, 2) [m], pulled out by `slid` (k,) [m]."""
        placement.fixture[:] = code(self.fixture)
        placement.fixture_size[:] = WIDTH
        placement.p_fixture[:, :2], placement.p_fixture[:, 2] = p, 0.0
        placement.yaw_goal = placement.yaw_fixture = yaw
        placement.slid = slid
        placement.half[:, PART] = KNOB[4]
        placement.stretch[:, PART] = KNOB[5] / KNOB[4]
        placement.p_object[:, PART] = self.knob(placement, slid)
        placement.yaw_object[:, PART] = yaw

    def front(self, u: Array, difficulty: Array) -> Array:
        """Places (k, 2) of a shut drawer's front from two numbers, so that it can open."""
        nearest = self.centre[0] - self.extent[0] + OPEN - KNOB[0] + 0.02
        spread = 0.25 + 0.75 * difficulty
        x = nearest + 0.04 + (u[:, 0] - 0.5) * 0.08 * spread
        y = self.centre[1] + (2 * u[:, 1] - 1) * spread * 0.6 * self.extent[1]
        return np.stack([x, y], axis=1)

    def knob(self, placement: Placement, slid: Array) -> Array:
        """Centres of the knobs (k, 3) [m] when drawers are pulled out by `slid` (k,) [m]."""
        assert DRAWER.slide is not None
        local = np.asarray(KNOB[:3]) + slid[:, None] * np.asarray(DRAWER.slide.axis)
        return placement.p_fixture + turned(local, placement.yaw_fixture)

    def expert(self, state: State) -> Array:
        return self.move_knob(state, state.p_goal)

    def move_knob(self, state: State, p_goal: Array) -> Array:
        """Actions that grasp the knob from above and bring it to p_goal (n, 3) [m]."""
        knob = state.p_object[:, PART]
        to_knob = knob - state.p_ee
        off_axis = np.linalg.norm(to_knob[:, :2], axis=1)
        dyaw = grasp_yaw_error(state)[:, PART]
        spare = state.opening - 2 * state.half[:, PART]
        centred = (off_axis < 0.008) & (np.abs(to_knob[:, 2]) < 0.008)
        between = (off_axis < 0.014) & (np.abs(to_knob[:, 2]) < 0.014)
        closing = between & (spare < 0.9 * self.width - 2 * state.half[:, PART])
        gripped = between & (spare < 0.003)
        # Above it first, then down around it.
        hover = 0.075
        aligned = np.abs(dyaw) < 0.12
        above = np.where(aligned, np.clip(8 * (off_axis - 0.006), 0.0, hover), hover)
        around = (state.p_ee[:, 2] < knob[:, 2] + 0.022) & (off_axis < 0.014)
        target = knob.copy()
        target[:, 2] += np.where(around, 0.0, above)
        target[:, 2] = np.maximum(target[:, 2], state.p_ee[:, 2] - 0.015 + 0.3 * to_knob[:, 2])
        pull = np.clip(p_goal - knob, -0.03, 0.03)
        target = np.where(gripped[:, None], state.p_ee + pull * (1.0, 1.0, 0.0), target)
        gripper = np.where(centred | closing, -1.0, 1.0)
        return self.action(state, target, np.where(gripped, 0.0, dyaw), gripper)

    def progress(self, state: State) -> Array:
        near = nearness(distance(state.p_ee, state.p_object[:, PART]))
        there = nearness(distance(state.p_object[:, PART], state.p_goal))
        return 0.3 * near + 0.7 * there

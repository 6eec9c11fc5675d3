"""Press: push a button down with the shut gripper."""

from __future__ import annotations

import numpy as np

from daytwo.errors import InputError
from daytwo.sim.arms import Arm
from daytwo.sim.fixtures import BUTTON, BUTTON_RIM, CAP_SHUT, CAP_WIDE, PART, code
from daytwo.sim.predicates import descriptor, distance
from daytwo.sim.state import Array, State, goal_yaw_error
from daytwo.sim.tasks.base import Placement, Task, nearness


class Press(Task):
    """The cap lies in a well: a wide one when easy, one as narrow as the finger tips when hard."""

    name = "press"
    horizon = 70
    n_objects = 2
    fixture = "button"
    descriptor = descriptor("pressed")

    def __init__(self, arm: Arm) -> None:
        super().__init__(arm)
        if len(arm.gripper.joints) != 2:
            raise InputError(
                f"task 'press' needs a gripper with two fingers, whose shut tips fit the button's "
                f"well; arm '{arm.name}' has gripper.joints = {arm.gripper.joints}"
            )

    def place(self, u: Array, difficulty: Array, p_ee: Array) -> Placement:
        placement = Placement.empty(len(u))
        assert BUTTON.moving is not None
        assert BUTTON.slide is not None
        size = CAP_WIDE - difficulty * (CAP_WIDE - CAP_SHUT) * (0.7 + 0.3 * u[:, 3])
        cap = BUTTON.moving(size)[:, 0]
        placement.fixture[:] = code(self.fixture)
        placement.fixture_size = size
        placement.p_fixture = self.on_table(u[:, 0:2], difficulty, 0 * size)
        placement.yaw_goal = placement.yaw_fixture = 0.5 * self.yaw(u[:, 2], difficulty)
        placement.half[:, PART] = cap[:, 1, 0]
        placement.stretch[:, PART] = cap[:, 1, 2] / cap[:, 1, 0]
        placement.p_object[:, PART] = placement.p_fixture + cap[:, 0]
        placement.yaw_object[:, PART] = placement.yaw_fixture
        placement.p_goal = placement.p_object[:, PART] - (0.0, 0.0, BUTTON.slide.travel)
        return placement

    def expert(self, state: State) -> Array:
        dyaw = goal_yaw_error(state)
        to_goal = state.p_goal - state.p_ee
        off_axis = np.linalg.norm(to_goal[:, :2], axis=1)
        hover = BUTTON_RIM + 0.045
        aligned = np.abs(dyaw) < 0.08
        above = np.where(aligned, np.clip(10 * (off_axis - 0.004), 0.0, hover), hover)
        target = state.p_goal.copy()
        sinking = state.p_ee[:, 2] < BUTTON_RIM + 0.010  # the tips are in the well
        target[:, 2] = np.where(sinking | (above == 0), 0.0, above)
        # Quick as long as there is nothing to hit, then lightly.
        free = np.maximum(state.p_ee[:, 2] - BUTTON_RIM - 0.02, 0.0)
        target[:, 2] = np.maximum(target[:, 2], state.p_ee[:, 2] - 0.007 - 0.3 * free)
        return self.action(state, target, dyaw, np.full(len(dyaw), -1.0))

    def progress(self, state: State) -> Array:
        near = nearness(distance(state.p_ee, state.p_object[:, PART]))
        there = nearness(distance(state.p_object[:, PART], state.p_goal), scale=0.01)
        return 0.6 * near + 0.4 * there

"""Detour: push the cube past a block to its goal; held out, no textbook trains on it."""

from __future__ import annotations

import numpy as np

from daytwo.errors import InputError
from daytwo.sim.arms import Arm
from daytwo.sim.predicates import descriptor, distance
from daytwo.sim.state import Array, State
from daytwo.sim.tasks.base import Placement
from daytwo.sim.tasks.push import Push

PAST = 0.079  # [m] beyond the block, from which the cube goes straight to the goal
ROOM = 0.25  # [m] the least depth of a workspace in which there is a way past the block


class Detour(Push):
    """A heavy block, object 1, stands in the straight way. In the end the arm leaves the cube."""

    name = "detour"
    horizon = 180
    n_objects = 2
    descriptor = descriptor("object_at_goal", "released", forbidden=("lifted",))

    def __init__(self, arm: Arm) -> None:
        super().__init__(arm)
        if 2 * self.extent[0] < ROOM:
            raise InputError(
                f"task '{self.name}' needs a workspace that is {ROOM} m deep, to push past a "
                f"block; arm '{arm.name}' has workspace x from {arm.workspace[0][0]} to "
                f"{arm.workspace[0][1]} m"
            )

    def place(self, u: Array, difficulty: Array, p_ee: Array) -> Placement:
        placement = self.cubes(u, difficulty)
        # The cube and its goal at opposite corners of a rectangle, the block in its middle.
        towards = np.where(u[:, 8:10] < 0.5, -1.0, 1.0)
        room = (0.40, 0.36 + 0.14 * difficulty[:, None] * u[:, 10:11])
        corner = towards * self.extent[:2] * np.column_stack([np.full(len(u), room[0]), room[1]])
        shift = (u[:, 11:13] - 0.5) * (0.02 + 0.08 * difficulty)[:, None] * (0.3, 2.0)
        middle = self.centre[:2] + shift
        half = placement.half
        placement.yaw_object[:, 0] *= 0.4
        placement.p_object[:, 0] = np.column_stack([middle + corner, half[:, 0]])
        placement.p_goal = np.column_stack([middle - corner, half[:, 0]])
        astray = (u[:, 13:15] - 0.5) * 0.01
        placement.p_object[:, 1] = np.column_stack([middle + astray, half[:, 1]])
        placement.mass[:, 1] = 4.0
        return placement

    def expert(self, state: State) -> Array:
        cube, block, goal = state.p_object[:, 0], state.p_object[:, 1], state.p_goal
        # First across, along y, until the block is passed; then straight to the goal.
        passed = (cube[:, 1] - block[:, 1]) * np.sign(goal[:, 1] - block[:, 1])
        across = passed < PAST
        way = goal.copy()
        way[:, 0] = np.where(across, cube[:, 0], goal[:, 0])
        act = self.push_to(state, way)
        there = distance(cube, goal) < 0.014
        up = state.p_ee + np.array([0.0, 0.0, 0.05])
        return np.where(there[:, None], self.action(state, up, 0.0, -np.ones(len(cube))), act)

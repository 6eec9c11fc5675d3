"""Detour: push the cube past a block to its goal; held out, no textbook trains on it."""

from __future__ import annotations

import numpy as np

from daytwo.errors import InputError
from daytwo.sim.arms import Arm
from daytwo.sim.predicates import descriptor, distance
from daytwo.sim.state import Array, State
from daytwo.sim.tasks.base import Placement
from daytwo.sim.tasks.push import Push

ROOM = 0.25  # [m] the least depth of a workspace in which there is a way past the block


class Detour(Push):
    """A heavy block, object 1, stands in the straight way. At the end the arm lets go and leaves."""

    name = "detour"
    horizon = 150
    n_objects = 2
    descriptor = descriptor("object_at_goal", "released", forbidden=("lifted",))

    def __init__(self, arm: Arm) -> None:
        super().__init__(arm)
        if 2 * self.extent[0] < ROOM:
            raise InputError(
                f"task '{self.name}' needs a workspace that is {ROOM} m deep, to push past a block; "
                f"arm '{arm.name}' has workspace x from {arm.workspace[0][0]} to "
                f"{arm.workspace[0][1]} m"
            )

    def place(self, u: Array, difficulty: Array, p_ee: Array) -> Placement:
        placement = self.cubes(u, difficulty)
        side = np.where(u[:, 8] < 0.5, -1.0, 1.0)
        across = (u[:, 9:12] - 0.5) * (0.1 + 0.4 * difficulty)[:, None] * self.extent[0]
        along = (0.50 + 0.12 * difficulty * (u[:, 12] - 0.5)) * self.extent[1] * side
        x, y = self.centre[:2]
        half = placement.half
        placement.p_object[:, 0] = np.stack([x + across[:, 0], y + along, half[:, 0]], axis=1)
        placement.p_goal = np.stack([x + across[:, 1], y - along, half[:, 0]], axis=1)
        middle = 0.5 * (placement.p_object[:, 0] + placement.p_goal)
        block = middle[:, :2] + np.stack([0.3 * across[:, 2], 0 * along], axis=1)
        placement.p_object[:, 1] = np.column_stack([block, half[:, 1]])
        placement.mass[:, 1] = 4.0
        return placement

    def expert(self, state: State) -> Array:
        cube, block, goal = state.p_object[:, 0], state.p_object[:, 1], state.p_goal
        clear = 1.3 * state.half.sum(axis=1) + 0.025
        # The way is blocked while the block is near the line from the cube to the goal.
        to_goal, to_block = goal[:, :2] - cube[:, :2], block[:, :2] - cube[:, :2]
        far = np.linalg.norm(to_goal, axis=1)
        along = to_goal / np.maximum(far, 1e-6)[:, None]
        ahead = np.einsum("ni,ni->n", to_block, along)
        aside = np.linalg.norm(to_block - ahead[:, None] * along, axis=1)
        blocked = (ahead > -0.01) & (ahead < far) & (aside < clear - 0.022)
        # Then first to a point before and beside the block, on the side where the cube is.
        beyond = goal[:, :2] - block[:, :2]
        beyond /= np.maximum(np.linalg.norm(beyond, axis=1), 1e-6)[:, None]
        left = np.stack([-beyond[:, 1], beyond[:, 0]], axis=1)
        side = np.where(np.einsum("ni,ni->n", to_block, left) > 0, -1.0, 1.0)
        beside = block[:, :2] + (side * 1.25 * clear)[:, None] * left - 0.05 * beyond
        way = goal.copy()
        way[:, :2] = np.where(blocked[:, None], beside, goal[:, :2])
        act = self.push_to(state, way)
        there = distance(cube, goal) < 0.014
        up = state.p_ee + (0.0, 0.0, 0.05)
        return np.where(there[:, None], self.action(state, up, 0.0, -np.ones(len(far))), act)

"""Push: slide the cube to a goal on the table without lifting it."""

from __future__ import annotations

import numpy as np

from daytwo.sim.predicates import descriptor, distance
from daytwo.sim.state import Array, State
from daytwo.sim.tasks.base import Placement, Task


class Push(Task):
    """An attempt in which the cube leaves the table has failed."""

    name = "push"
    horizon = 70
    n_objects = 1
    descriptor = descriptor("object_at_goal", forbidden=("lifted",))

    def place(self, u: Array, difficulty: Array, p_ee: Array) -> Placement:
        placement = Placement.empty(len(u))
        half, placement.mass[:, 0], placement.friction[:, 0] = self.cube(u[:, 0:3], difficulty)
        placement.half[:, 0] = half
        cube = self.on_table(u[:, 3:5], difficulty * 0.7, half)
        room = np.minimum(self.extent[:2] - 0.01, 0.05)  # for the gripper behind the cube
        inside = self.extent[:2] - room
        cube[:, :2] = np.clip(cube[:, :2], self.centre[:2] - inside, self.centre[:2] + inside)
        placement.p_object[:, 0] = cube
        placement.yaw_object[:, 0] = self.yaw(u[:, 5], difficulty)
        placement.p_goal[:, :2] = self.beside(cube, u[:, 6:8], difficulty * 0.7, least=0.05)
        placement.p_goal[:, 2] = half
        return placement

    def expert(self, state: State) -> Array:
        return self.push_to(state, state.p_goal)

    def push_to(self, state: State, goal: Array) -> Array:
        """Actions that push the cube straight to `goal` (n, 3) [m]."""
        cube, half = state.p_object[:, 0], state.half[:, 0]
        to_goal = goal[:, :2] - cube[:, :2]
        far = np.linalg.norm(to_goal, axis=1, keepdims=True)
        along = to_goal / np.maximum(far, 1e-6)
        from_cube = state.p_ee[:, :2] - cube[:, :2]
        behind = -np.einsum("ni,ni->n", from_cube, along)  # how far behind the cube the tool is
        aside = from_cube + behind[:, None] * along
        off_line = np.linalg.norm(aside, axis=1)

        start = cube[:, :2] - along * (half * 1.5 + 0.025)[:, None]
        at_start = np.linalg.norm(state.p_ee[:, :2] - start, axis=1) < 0.012
        is_low = state.p_ee[:, 2] < 2 * half
        pushing = is_low & (behind > 0.9 * half) & (off_line < 0.02)
        there = distance(cube, goal) < 0.014
        high = 2 * half + 0.04

        # Get behind the cube: up, across above it, down.
        rise = (state.p_ee[:, 2] < high - 0.015) & ~at_start
        target = np.empty_like(cube)
        target[:, :2] = np.where(rise[:, None], state.p_ee[:, :2], start)
        target[:, 2] = np.where(at_start | pushing, np.minimum(half, 0.02), high)
        # Push: go as far as the cube still has to, and steer back onto the line.
        gap = np.clip(behind - half - 0.012, 0.0, 0.05)[:, None]
        stride = np.minimum(far + gap + 0.004, 0.5 * self.step_length + 0.004)
        ahead = state.p_ee[:, :2] + along * stride - 0.7 * aside
        target[:, :2] = np.where(pushing[:, None], ahead, target[:, :2])
        target = np.where(there[:, None], state.p_ee, target)
        return self.action(state, target, 0.0, np.full(len(cube), -1.0))

"""What pick, place and stack share: an expert that grasps a cube, carries it and may let go."""

from __future__ import annotations

import numpy as np

from daytwo.sim.predicates import CLEAR, distance
from daytwo.sim.state import Array, State, grasp_yaw_error
from daytwo.sim.tasks.base import Task


class GraspTask(Task):
    """A task whose expert grasps object 0 from above and brings it to the goal."""

    needs_grasp = True
    lets_go: bool  # whether the cube is to be released at the goal

    def expert(self, state: State) -> Array:
        cube, goal = state.p_object[:, 0], state.p_goal
        half = state.half[:, 0]
        to_cube = cube - state.p_ee
        off_axis = np.linalg.norm(to_cube[:, :2], axis=1)
        dyaw = grasp_yaw_error(state)[:, 0]
        spare = state.opening - 2 * half

        centred = (off_axis < 0.010) & (np.abs(to_cube[:, 2]) < 0.010)
        between = (off_axis < half) & (np.abs(to_cube[:, 2]) < half)  # the cube is between the pads
        closing = between & (spare < 0.9 * self.width - 2 * half)
        gripped = between & (spare < 0.003)
        around = centred | closing
        carried = goal - cube
        level = np.linalg.norm(carried[:, :2], axis=1)
        landed = distance(cube, goal) < 0.014

        # Approach: above the cube first, then straight down.
        aligned = (off_axis < 0.010) & (np.abs(dyaw) < 0.12)
        low_enough = (state.p_ee[:, 2] < cube[:, 2] + half) & (off_axis < 0.02)
        hover = np.where(aligned | low_enough, 0.0, 2.0 * half + 0.04)
        target = cube.copy()
        target[:, 2] += hover
        gripper = np.where(around, -1.0, 1.0)

        # Carry: up, across above what is in the way, then down onto the goal.
        lift = self._travel_height(state)
        over = state.p_ee + carried
        across = level > 0.015
        over[:, 2] = np.where(across, np.maximum(lift, state.p_ee[:, 2]), over[:, 2])
        rising = across & (cube[:, 2] < lift - 0.02)
        over[:, :2] = np.where(rising[:, None], state.p_ee[:, :2], over[:, :2])
        target = np.where(gripped[:, None], over, target)

        if self.lets_go:
            # Let go where it belongs; then stay clear, since closing again would grasp it anew.
            leave = landed & (off_axis < 0.03) & (np.abs(to_cube[:, 2]) < half + 0.02)
            gripper = np.where(leave, 1.0, gripper)
            up = state.p_ee.copy()
            up[:, 2] += np.where(spare > CLEAR, 0.05, 0.0)
            target = np.where(leave[:, None], up, target)
        return self.action(state, target, np.where(gripped, 0.0, dyaw), gripper)

    def _travel_height(self, state: State) -> Array:
        """Height (n,) [m] of the cube's centre while it is carried across."""
        return np.maximum(state.p_goal[:, 2], state.half[:, 0]) + 0.03

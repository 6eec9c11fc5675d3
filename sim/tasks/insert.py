"""Insert: put the peg into the hole of a socket."""

from __future__ import annotations

import numpy as np

from daytwo.sim.fixtures import HOLE, RIM, code
from daytwo.sim.predicates import descriptor
from daytwo.sim.state import Array, State, grasp_yaw_error, wrap
from daytwo.sim.tasks.base import Placement, Task

HALF_Z = 0.024  # [m] of the peg
GRIP = -0.002  # [m] above the peg's centre it is grasped: low, so that its edges tilt it less
SEARCH = 0.010  # [m] from the reported goal the search goes
PITCH = 0.0022  # [m] the search's spiral widens by this each turn
LEAD = 0.0035  # [m] the command leads the searching tool by this at most, while the peg stands
PRESS = 0.002  # [m] and goes below it by this: enough to press, too little to slip in the grip
DOWN = 0.003  # [m] likewise where nothing is pressed: a gentle descent
STUCK = 0.0015  # [m] from the rim's height, at which the peg stands on it
SUNK = 0.0012  # [m] below the rim, from which the peg has found the hole
TRAVEL = 0.018  # [m] above the rim the peg is carried
LAG = 0.06  # [s] the tool is behind its command


class Insert(Task):
    """A peg stands on the table; 3 mm of clearance when easy, 2 mm when hard, hole minus peg.

    The goal may be reported wrong by some millimetres: the expert then searches the rim with the
    pressed peg along an outward spiral (Chhatpar and Branicky, Search strategies for peg-in-hole
    assemblies with position uncertainty, IROS 2001), as a field of directions around the goal.
    """

    name = "insert"
    horizon = 150
    n_objects = 1
    fixture = "socket"
    descriptor = descriptor("inserted")
    needs_grasp = True

    def place(self, u: Array, difficulty: Array, p_ee: Array) -> Placement:
        placement = Placement.empty(len(u))
        _, placement.mass[:, 0], placement.friction[:, 0] = self.cube(u[:, 0:3], difficulty)
        placement.mass[:, 0] *= 2.5  # of metal
        placement.half[:, 0] = HOLE - 0.5 * (0.003 - 0.001 * difficulty)
        placement.stretch[:, 0] = HALF_Z / placement.half[:, 0]
        peg = self.on_table(u[:, 3:5], difficulty, placement.half_z[:, 0])
        placement.p_object[:, 0] = peg
        placement.yaw_object[:, 0] = self.yaw(u[:, 5], difficulty)
        placement.fixture[:] = code(self.fixture)
        placement.fixture_size[:] = HOLE
        placement.p_fixture[:, :2] = self.beside(peg, u[:, 6:8], difficulty, least=1.5 * self.width)
        placement.p_fixture[:, 2] = 0.0
        placement.yaw_goal = placement.yaw_fixture = self.yaw(u[:, 8], difficulty)
        placement.p_goal = placement.p_fixture + np.array([0.0, 0.0, HALF_Z])
        return placement

    def expert(self, state: State) -> Array:
        peg, goal, half = state.p_object[:, 0], state.p_goal, state.half[:, 0]
        grip = peg + np.array([0.0, 0.0, GRIP])
        to_grip = grip - state.p_ee
        off_axis = np.linalg.norm(to_grip[:, :2], axis=1)
        dyaw = grasp_yaw_error(state)[:, 0]
        spare = state.opening - 2 * half
        centred = (off_axis < 0.004) & (np.abs(to_grip[:, 2]) < 0.006) & (np.abs(dyaw) < 0.1)
        between = (off_axis < 0.012) & (np.abs(to_grip[:, 2]) < 0.020)
        closing = between & (spare < 0.9 * self.width - 2 * half)
        gripped = between & (spare < 0.003)

        # Approach: above the peg first, then straight down around it.
        around = (state.p_ee[:, 2] < peg[:, 2] + HALF_Z) & (off_axis < 0.012)
        hover = HALF_Z + 0.035
        above = np.where(np.abs(dyaw) < 0.1, np.clip(8 * (off_axis - 0.005), 0.0, hover), hover)
        target = grip.copy()
        target[:, 2] += np.where(around, 0.0, above)
        target[:, 2] = np.maximum(target[:, 2], state.p_ee[:, 2] - 0.015 + 0.3 * to_grip[:, 2])
        gripper = np.where(centred | closing, -1.0, 1.0)

        # Carry: up, across, down onto the rim. As its lower end has to move, the tool has to.
        carried = goal - np.array([0.0, 0.0, HALF_Z]) - state.p_bottom[:, 0]
        level = np.linalg.norm(carried[:, :2], axis=1)
        bottom = -carried[:, 2]  # above the socket's floor, wherever the camera sees that
        turn = np.where(
            bottom > 0.01, wrap(state.yaw_goal - state.yaw_object[:, 0], np.pi / 2), 0.0
        )
        over = state.p_ee + carried
        gap = bottom - RIM
        rising = (level > 0.02) & (gap < 0.010)
        over[:, :2] = np.where(rising[:, None], state.p_ee[:, :2], over[:, :2])
        wanted = np.where(np.abs(turn) < 0.03, np.clip(4 * (level - 0.002), 0.0, TRAVEL), TRAVEL)
        climb = np.where(wanted > 0, wanted - gap - LAG * state.v_ee[:, 2], -DOWN)
        over[:, 2] = state.p_ee[:, 2] + np.maximum(climb, -0.008)

        # On the rim: search, pressing lightly. In the hole: straight down.
        stuck = (level < SEARCH + 0.002) & (np.abs(gap) < STUCK) & (state.v_ee[:, 2] > -0.02)
        sunk = (level < SEARCH + 0.002) & (gap < -SUNK)
        lead = np.minimum(0.0015 + 0.5 * level, LEAD)[:, None]  # slowly where the spiral is narrow
        searched = state.p_ee + lead * spiral(-carried[:, :2])
        searched[:, 2] = state.p_ee[:, 2] - PRESS
        down = state.p_ee - np.array([0.0, 0.0, DOWN])
        # Where a peg leans, its lower end has met an edge of the hole: on, as far as it leans.
        on = HALF_Z * state.lean_object[:, 0]
        searched[:, :2] += on
        down[:, :2] += 0.5 * on
        over = np.where(stuck[:, None], searched, over)
        over = np.where(sunk[:, None], down, over)
        target = np.where(gripped[:, None], over, target)
        return self.action(state, target, np.where(gripped, turn, dyaw), gripper)


def spiral(offset: Array) -> Array:
    """Level unit vectors (n, 3) along a spiral, at `offset` (n, 2) [m] from its middle."""
    r = np.linalg.norm(offset, axis=1, keepdims=True)
    x, y = offset.T
    tangent = np.stack([-y, x], axis=1) / np.maximum(r, 1e-6)
    outward = offset / np.maximum(r, 1e-6)
    outward = np.where(r < 1e-6, (1.0, 0.0), outward)
    # Archimedes': r grows by PITCH while the angle does by 2 pi. At its end it stays on a circle.
    growth = np.where(r < SEARCH, PITCH / (2 * np.pi), 0.0)
    flow = r * tangent + growth * outward
    flow /= np.linalg.norm(flow, axis=1, keepdims=True)
    return np.column_stack([flow, np.zeros(len(flow))])

"""The words a task is said in: what must hold, and what must not, for an attempt to succeed.

A task is a row of +1 (required), -1 (ends the attempt in failure) and 0 (does not matter). That
row is also the descriptor a policy sees, so an unseen combination needs no new input.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daytwo.sim.fixtures import (
    BRIM,
    DEPTH,
    FIXTURES,
    HOLE,
    PART,
    RIM,
    WALL,
    WIDTH,
    code,
    seen_part,
    turned,
)
from daytwo.sim.state import State

PREDICATES = (
    "ee_at_goal",
    "object_at_goal",
    "lifted",
    "released",
    "on_object",
    "inserted",  # the peg, into a socket
    "pressed",  # a button
    "opened",  # a drawer
    "shut",  # likewise
    "inside",  # object 0, in a drawer
)

TOLERANCE = 0.02  # [m] distance from the goal that counts as there
STILL = 0.08  # [m/s] an object slower than this rests
LIFTED = 0.012  # [m] clearance between table and cube from which it counts as lifted
UPRIGHT = 0.015  # 1 less the cosine of the angle (10 degrees) up to which a peg is upright
DEEP = 0.008  # [m] below the rim, from which a peg counts as inserted
PRESSED = 0.0056  # [m] from which a button counts as pressed: 70 % of its travel
OPENED = 0.07  # [m] from which a drawer counts as open
SHUT = 0.004  # [m] up to which it counts as shut
CLEAR = 0.006  # [m] how much wider than the cube an open gripper must be to have let go


def evaluate(state: State) -> NDArray[np.bool_]:
    """Truth of each predicate, (n, len(PREDICATES))."""
    cube, base = state.p_object[:, 0], state.p_object[:, 1]
    half, base_half = state.half[:, 0], state.half[:, 1]
    half_z, base_half_z = state.half_z[:, 0], state.half_z[:, 1]
    ee_at_goal = distance(state.p_ee, state.p_goal) < TOLERANCE
    slow = np.linalg.norm(state.v_object[:, 0], axis=1) < STILL
    at_goal = (distance(cube, state.p_goal) < TOLERANCE) & slow & (half > 0)
    lifted = cube[:, 2] - half_z > LIFTED
    let_go = state.opening > 2 * half + CLEAR
    released = let_go | (distance(state.p_ee, cube) > 3 * half + 0.02)
    above = np.abs(cube[:, 2] - base[:, 2] - half_z - base_half_z) < 0.008
    beside = np.max(np.abs(cube[:, :2] - base[:, :2]), axis=1)
    on_object = above & (beside < base_half) & (base_half > 0)
    known = [ee_at_goal, at_goal, lifted, released, on_object]
    return np.stack([*known, *_of_fixtures(state, slow & (half > 0))], axis=1)


def _of_fixtures(state: State, rests: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], ...]:
    """inserted, pressed, opened, shut, inside; false where there is no such fixture.

    Where a fixture is, and not the goal, decides: the goal may be reported wrong.
    """
    cube = turned(state.p_object[:, 0] - state.p_fixture, -state.yaw_fixture)
    bottom = cube[:, 2] - state.half_z[:, 0]
    in_hole = (np.abs(cube[:, :2]) < 0.5 * HOLE).all(axis=1)
    upright = 1.0 - state.upright[:, 0] < UPRIGHT  # else one edge of it may be in, the other not
    inserted = (state.fixture == code("socket")) & in_hole & upright & (bottom < RIM - DEEP)
    button, drawer = state.fixture == code("button"), state.fixture == code("drawer")
    far = slid(state)
    pressed = button & (far > PRESSED)
    opened, shut = drawer & (far > OPENED), drawer & (far < SHUT)
    off = np.abs(cube[:, :2] - np.stack([DEPTH / 2 - far, 0 * far], axis=1))
    in_box = (off < (DEPTH / 2 - WALL, WIDTH - WALL)).all(axis=1) & (bottom < BRIM - 0.006)
    return inserted, pressed, opened, shut, drawer & in_box & rests


def slid(state: State) -> NDArray[np.float64]:
    """How far a fixture's part is from its place at rest, (n,) [m]; 0 where there is none."""
    part = turned(state.p_object[:, PART] - state.p_fixture, -state.yaw_fixture)
    out = np.zeros(len(part))
    for fixture in FIXTURES:
        if fixture.slide is not None:
            rows = np.flatnonzero(state.fixture == code(fixture.name))
            rest = seen_part(fixture.name, state.fixture_size[rows], np.zeros(len(rows)))
            out[rows] = (part[rows] - rest) @ np.asarray(fixture.slide.axis)
    return out


def descriptor(*required: str, forbidden: tuple[str, ...] = ()) -> NDArray[np.int8]:
    """Row of +1 / 0 / -1 over PREDICATES."""
    row = np.zeros(len(PREDICATES), dtype=np.int8)
    row[[PREDICATES.index(name) for name in required]] = 1
    row[[PREDICATES.index(name) for name in forbidden]] = -1
    return row


def distance(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Euclidean distance over the last axis."""
    d = a - b
    return np.sqrt(np.einsum("...i,...i->...", d, d))

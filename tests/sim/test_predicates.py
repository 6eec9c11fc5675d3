"""Predicates, each at both sides of its threshold."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daytwo.sim.arms import load_arm
from daytwo.sim.engine import MujocoEngine
from daytwo.sim.fixtures import HOLE, RIM, code
from daytwo.sim.measuring import measure
from daytwo.sim.predicates import (
    CLEAR,
    DEEP,
    LIFTED,
    PREDICATES,
    STILL,
    TOLERANCE,
    UPRIGHT,
    descriptor,
    distance,
    evaluate,
)
from daytwo.sim.state import State
from daytwo.sim.world import World

HALF = 0.02  # [m] of the cubes


def holds(state: State, name: str) -> bool:
    return bool(evaluate(state)[0, PREDICATES.index(name)])


@pytest.fixture
def state() -> State:
    """One cube on the table, the tool far above it with an open gripper, the goal elsewhere."""
    state = State.zeros(1)
    state.half[0] = HALF
    state.p_object[0] = [[0.5, 0.0, HALF], [0.3, 0.2, HALF]]
    state.p_ee[0] = [0.5, 0.0, 0.3]
    state.p_goal[0] = [0.6, -0.2, HALF]
    state.opening[0] = 0.08
    return state


def test_at_rest_only_released_holds(state: State) -> None:
    assert [name for name in PREDICATES if holds(state, name)] == ["released"]


@pytest.mark.parametrize(("gap", "expected"), [(0.99, True), (1.01, False)])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_at_goal_within_the_tolerance(state: State, gap: float, expected: bool, axis: int) -> None:
    offset = np.eye(3)[axis] * gap * TOLERANCE
    state.p_ee[0] = state.p_goal[0] + offset
    assert holds(state, "ee_at_goal") == expected
    state.p_object[0, 0] = state.p_goal[0] + offset
    assert holds(state, "object_at_goal") == expected


def test_an_object_that_moves_or_is_absent_is_not_at_the_goal(state: State) -> None:
    state.p_object[0, 0] = state.p_goal[0]
    state.v_object[0, 0] = [1.01 * STILL, 0, 0]
    assert not holds(state, "object_at_goal")
    state.v_object[0, 0] = [0, 0.99 * STILL, 0]
    assert holds(state, "object_at_goal")
    state.half[0, 0] = 0
    assert not holds(state, "object_at_goal")


@pytest.mark.parametrize(("clearance", "expected"), [(0.99, False), (1.01, True)])
def test_lifted_counts_from_the_cube_s_lower_face(
    state: State, clearance: float, expected: bool
) -> None:
    state.p_object[0, 0, 2] = HALF + clearance * LIFTED
    assert holds(state, "lifted") == expected


def test_released_by_opening_wide_or_by_going_away(state: State) -> None:
    state.p_ee[0] = state.p_object[0, 0]
    state.opening[0] = 2 * HALF + 0.9 * CLEAR
    assert not holds(state, "released")
    state.opening[0] = 2 * HALF + 1.1 * CLEAR
    assert holds(state, "released")
    state.opening[0] = 0
    state.p_ee[0, 2] += 3 * HALF + 0.021
    assert holds(state, "released")


def test_on_object_needs_height_and_overlap(state: State) -> None:
    base = state.p_object[0, 1].copy()
    for offset, expected in (
        ((0, 0, 2 * HALF), True),
        ((0.9 * HALF, -0.9 * HALF, 2 * HALF), True),
        ((1.1 * HALF, 0, 2 * HALF), False),
        ((0, 0, 2 * HALF + 0.009), False),  # held above it
        ((0, 0, -2 * HALF), False),  # below it
    ):
        state.p_object[0, 0] = base + offset
        assert holds(state, "on_object") == expected, offset
    state.p_object[0, 0] = base + np.array([0, 0, HALF])
    state.half[0, 1] = 0  # there is nothing to be on
    assert not holds(state, "on_object")


NAMES = st.lists(st.sampled_from(PREDICATES), unique=True)


@given(NAMES, st.data())
def test_descriptor_says_required_and_forbidden(required: list[str], data: st.DataObject) -> None:
    rest = [name for name in PREDICATES if name not in required]
    forbidden = tuple(name for name in rest if data.draw(st.booleans()))
    row = descriptor(*required, forbidden=forbidden)
    expected = [1 if p in required else -1 if p in forbidden else 0 for p in PREDICATES]
    assert row.tolist() == expected


@given(st.lists(st.floats(-5, 5), min_size=6, max_size=6))
def test_distance_is_euclidean(numbers: list[float]) -> None:
    a, b = np.array(numbers).reshape(2, 3)
    assert distance(a, b) == pytest.approx(np.linalg.norm(a - b))


def test_a_peg_is_inserted_upright_deep_and_where_the_hole_is(state: State) -> None:
    state.fixture[0], state.p_fixture[0] = code("socket"), [0.5, 0.0, 0.0]
    state.half[0, 0] = HOLE - 0.001
    inside = RIM - DEEP - 1e-4 + state.half_z[0, 0]
    state.p_object[0, 0] = [0.5, 0.0, inside]
    assert holds(state, "inserted")
    for change in (
        {"lean_object": np.sqrt(1 - (1 - UPRIGHT) ** 2) / 2**0.5 + 1e-6},
        {"p_object": [0.5, 0.0, inside + 2e-4]},
        {"p_object": [0.5 + 0.51 * HOLE, 0.0, inside]},
    ):
        changed = deepcopy(state)
        for name, value in change.items():
            getattr(changed, name)[0, 0] = value
        assert not holds(changed, "inserted"), change


@pytest.mark.parametrize("task", ["insert", "pick"])
def test_a_peg_that_lies_is_tilted_and_a_cube_is_not(task: str) -> None:
    world = World(load_arm("panda"), [task], 1, threads=1)
    assert isinstance(world.engine, MujocoEngine)
    for quat, lies in (((1.0, 0.0, 0.0, 0.0), False), ((0.5**0.5, 0.5**0.5, 0.0, 0.0), True)):
        joint = world.engine.model.joint("object0")
        at = int(joint.qposadr[0]) + 3
        world.engine.batch.bind("qpos")[0, at : at + 4] = quat
        measure(world.state, world.chain, world.engine)
        tilt = 1.0 - world.state.upright[0, 0]
        assert tilt == pytest.approx(float(lies and task == "insert"), abs=1e-6)

"""How objects lie, as it is told: which axis of theirs stands, and where their lower end is."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from daytwo.sim.arms import load_arm
from daytwo.sim.engine import MujocoEngine
from daytwo.sim.measuring import measure
from daytwo.sim.observation import OBSERVATION
from daytwo.sim.world import World

LEAN = 0.3  # [rad]


def turned(task: str, axis: tuple[float, float, float], angle: float) -> World:
    """A world whose object 0 was turned from where its axes are the world's."""
    world = World(load_arm("panda"), [task], 1, threads=1)
    assert isinstance(world.engine, MujocoEngine)
    quat = np.zeros(4)
    mujoco.mju_axisAngle2Quat(quat, np.array(axis), angle)
    at = int(world.engine.model.joint("object0").qposadr[0])
    world.engine.batch.bind("qpos")[0, at + 3 : at + 7] = quat
    measure(world.state, world.chain, world.engine)
    return world


@pytest.mark.parametrize("task", ["insert", "pick"])
def test_what_is_turned_about_y_leans_towards_x(task: str) -> None:
    state = turned(task, (0.0, 1.0, 0.0), LEAN).state
    np.testing.assert_allclose(state.lean_object[0, 0], [np.sin(LEAN), 0.0], atol=1e-9)
    assert state.upright[0, 0] == pytest.approx(np.cos(LEAN))
    below = state.half_z[0, 0] * np.array([np.sin(LEAN), 0.0, np.cos(LEAN)])
    np.testing.assert_allclose(state.p_object[0, 0] - state.p_bottom[0, 0], below, atol=1e-9)


def test_a_cube_on_its_side_stands_and_a_peg_upside_down_does_too() -> None:
    cube = turned("pick", (1.0, 0.0, 0.0), np.pi / 2 + LEAN).state
    np.testing.assert_allclose(cube.lean_object[0, 0], [0.0, -np.sin(LEAN)], atol=1e-9)
    peg = turned("insert", (1.0, 0.0, 0.0), np.pi + LEAN).state
    np.testing.assert_allclose(peg.lean_object[0, 0], [0.0, -np.sin(LEAN)], atol=1e-9)
    lies = turned("insert", (1.0, 0.0, 0.0), np.pi / 2).state
    assert lies.upright[0, 0] == pytest.approx(0.0, abs=1e-6)


def test_a_policy_sees_both() -> None:
    world = turned("insert", (0.0, 1.0, 0.0), LEAN)
    obs = world.observe()[0]
    np.testing.assert_allclose(obs[OBSERVATION["lean0"]], [np.sin(LEAN), 0.0], atol=1e-6)
    bottom = world.state.p_bottom[0, 0, 2]
    assert obs[OBSERVATION["bottom0"]] == pytest.approx([bottom], abs=1e-6)
    assert (obs[OBSERVATION["lean1"]] == 0.0).all()  # there is no second object

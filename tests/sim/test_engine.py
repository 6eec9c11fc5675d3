"""The MuJoCo engine: a measured state put into every simulation."""

from __future__ import annotations

import numpy as np
import pytest

from daytwo.sim.arms import load_arm
from daytwo.sim.context import Context
from daytwo.sim.engine import MujocoEngine
from daytwo.sim.scene import CONTROL_HZ, SUBSTEPS
from daytwo.sim.tasks.base import Placement


@pytest.fixture
def engine() -> MujocoEngine:
    arm = load_arm("panda")
    engine = MujocoEngine(arm, 3, n_objects=2, threads=1)
    placement = Placement.empty(3)
    placement.half[:], placement.mass[:], placement.friction[:] = 0.02, 0.1, 1.0
    placement.p_object[:, 0], placement.p_object[:, 1] = (0.5, 0.2, 0.02), (0.5, -0.2, 0.02)
    q = np.tile(arm.home, (3, 1))
    engine.reset(np.arange(3), q, placement, Context.nominal(3))
    return engine


def test_a_measured_state_is_in_every_simulation(engine: MujocoEngine) -> None:
    q, quat = np.asarray(load_arm("panda").home) + 0.1, np.array([[0.8, 0.0, 0.0, 0.6]])
    p = np.array([0.4, 0.0, 0.3]) + 0.01 * np.arange(3)[:, None, None]
    v = np.array([[0.1, 0.0, 0.0]])
    engine.place(q, np.zeros(7), 0.05, p, quat, v)
    assert np.allclose(engine.joints(), q)
    assert np.allclose(engine.opening(), 0.05)
    seen, turned, moves = engine.objects()
    assert np.allclose(seen[:, :1], p)
    assert np.allclose(turned[:, 0], quat)
    assert np.allclose(moves[:, 0], v)
    assert (np.linalg.norm(seen[:, 1, :2], axis=1) > 1.0).all(), "the other cube is put away"


def test_what_went_astray_is_whole_again(engine: MujocoEngine) -> None:
    q, upright = np.asarray(load_arm("panda").home), np.array([[1.0, 0.0, 0.0, 0.0]])
    p = np.full((3, 1, 3), (0.4, 0.3, 0.4))
    engine.batch.bind("qvel")[1] = np.nan
    for _ in range(3):
        engine.advance(np.tile(q, (3, 1)), np.ones(3), SUBSTEPS)
    for _ in range(2):
        engine.place(q, np.zeros(7), 0.08, p, upright, np.zeros((1, 3)))
        engine.advance(np.tile(q, (3, 1)), np.ones(3), SUBSTEPS)
    assert not engine.astray().any()
    assert np.allclose(engine.objects()[0][1], engine.objects()[0][0])


def test_what_was_put_in_the_air_falls_as_it_must(engine: MujocoEngine) -> None:
    q, dt = np.asarray(load_arm("panda").home), 1.0 / CONTROL_HZ
    p, upright = np.full((3, 1, 3), (0.4, 0.3, 0.4)), np.array([[1.0, 0.0, 0.0, 0.0]])
    engine.place(q, np.zeros(7), 0.08, p, upright, np.array([[0.2, 0.0, 0.0]]))
    engine.advance(np.tile(q, (3, 1)), np.ones(3), SUBSTEPS)
    moved = engine.objects()[0][:, 0] - p[:, 0]
    assert np.allclose(moved[:, 0], 0.2 * dt, rtol=0.02)
    assert np.allclose(moved[:, 2], -9.81 / 2 * dt**2, rtol=0.15)  # in steps of 5 ms
    assert np.allclose(engine.joints(), q, atol=1e-3)

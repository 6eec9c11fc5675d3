"""An arm simulated in MuJoCo: the training's physics, simulated or real time, hidden context."""

from __future__ import annotations

import time

import numpy as np
import pytest

from daytwo.hardware.drivers.mujoco import MujocoDriver
from daytwo.hardware.drivers.simulated import TwinContext
from daytwo.hardware.drivers.twin import TwinDriver
from daytwo.sim.arms import load_arm
from daytwo.sim.context import Context
from daytwo.sim.engine import MujocoEngine
from daytwo.sim.kinematics import Chain, tool_down
from daytwo.sim.scene import SUBSTEPS
from daytwo.sim.tasks.base import Placement


def one_cube() -> Placement:
    placement = Placement.empty(1)
    placement.half[0, 0] = 0.02
    placement.p_object[0, 0] = 0.5, 0.1, 0.02
    placement.p_goal[0] = 0.5, 0.0, 0.2
    return placement


def swept(driver: MujocoDriver | TwinDriver, context: TwinContext) -> np.ndarray:
    """Joints and the cube while the shut hand sweeps it aside, (40, 10)."""
    driver.context = context
    chain, down = Chain(driver.arm), tool_down(np.zeros(1))
    q = chain.solve(chain.home[None], np.array([[0.5, 0.0, 0.03]]), down)
    driver.begin(q[0], one_cube())
    rows = []
    for i in range(40):
        q = chain.step(q, np.array([[0.5, 0.005 * i, 0.03]]), down, 0.05)
        driver.command(q[0], 0.0)
        driver.sleep_until(driver.now() + 0.05)
        rows.append([*driver.read().q, *driver.objects().p[0]])
    return np.array(rows)


def test_it_is_the_physics_of_the_training_to_the_bit() -> None:
    arm = load_arm("panda")
    engine = MujocoEngine(arm, 1, threads=1)
    home = np.asarray(arm.home)
    engine.reset(np.array([0]), home[None], one_cube(), Context.nominal(1))
    with MujocoDriver(arm) as driver:
        driver.begin(home, one_cube())
        for i in range(20):
            target = home + 0.01 * i
            engine.advance(target[None], np.array([0.5]), SUBSTEPS)
            driver.command(target, 0.5)
            driver.sleep_until(driver.now() + 0.05)
            reading = driver.read()
            np.testing.assert_array_equal(reading.q, engine.joints()[0])
            assert reading.opening == engine.opening()[0]
            np.testing.assert_array_equal(driver.objects().p, engine.objects()[0][0])


def test_velocities_are_those_of_the_positions() -> None:
    with MujocoDriver(load_arm("so101")) as driver:
        driver.command(np.asarray(driver.arm.home) + 0.3, 1.0)
        driver.sleep_until(driver.now() + 0.1)
        before = driver.read()
        driver.sleep_until(driver.now() + driver.timestep)
        after = driver.read()
        assert before.dq is not None
        assert after.dq is not None
        assert np.abs(after.dq).max() > 0.1, "the arm does not move: nothing is tested"
        np.testing.assert_allclose((after.q - before.q) / driver.timestep, after.dq, rtol=0.05)


def test_hidden_conditions_tell_in_the_motion_and_the_same_ones_repeat_it() -> None:
    with MujocoDriver(load_arm("panda")) as driver:
        plain = swept(driver, TwinContext())
        assert np.linalg.norm(plain[-1, 7:] - plain[0, 7:]) > 0.03, "the hand misses the cube"
        np.testing.assert_array_equal(plain, swept(driver, TwinContext()))
        for hidden in (
            TwinContext(friction=0.4),
            TwinContext(mass=4.0),
            TwinContext(stiffness=0.7),
            TwinContext(delay=2),
        ):
            assert np.abs(swept(driver, hidden) - plain).max() > 1e-4, hidden
        offset = np.array([0.02, -0.03, 0.01])
        seen = swept(driver, TwinContext(pose_offset=(0.02, -0.03, 0.01)))
        np.testing.assert_allclose(seen[:, 7:], plain[:, 7:] + offset, atol=1e-12)
        np.testing.assert_array_equal(driver.pose_offset, offset)


def test_in_real_time_the_arm_moves_while_nobody_asks() -> None:
    with MujocoDriver(load_arm("panda"), realtime=True) as driver:
        start = driver.read()
        driver.command(start.q + 0.1, 1.0)
        time.sleep(0.05)
        early = driver.read()
        assert early.stamp - start.stamp == pytest.approx(0.05, abs=0.04)
        for _ in range(30):
            time.sleep(0.03)
            reading = driver.read()
        np.testing.assert_allclose(reading.q, start.q + 0.1, atol=0.01)
        assert np.abs(early.q - start.q).max() < np.abs(reading.q - start.q).max()

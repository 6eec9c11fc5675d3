"""Kinematics of every arm against its URDF walked joint by joint, and against differences."""

from __future__ import annotations

from functools import cache

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from daytwo.sim.arms import arm_names, load_arm
from daytwo.sim.kinematics import Chain, axes, rotation_error, tool_down, tool_yaw
from daytwo.sim.scene import CONTROL_HZ

Array = NDArray[np.float64]
ARMS = arm_names()
SEEDS = st.integers(0, 2**31)


@cache
def chain_of(name: str) -> Chain:
    return Chain(load_arm(name))


def random_q(chain: Chain, n: int, seed: int) -> Array:
    return np.random.default_rng(seed).uniform(chain.lower, chain.upper, (n, chain.dof))


@pytest.mark.parametrize("name", ARMS)
@given(SEEDS)
@settings(max_examples=7, deadline=None)
def test_fk_is_the_urdf_s(name: str, seed: int) -> None:
    chain = chain_of(name)
    arm, q = chain.arm, random_q(chain_of(name), 4, seed)
    p, R = chain.fk(q)
    for i in range(len(q)):
        joints = dict(zip(arm.joints, q[i], strict=True))
        T = arm.robot.pose(arm.base_link, arm.tool_frame, joints)
        np.testing.assert_allclose(p[i], T[:3, 3], atol=1e-12)
        np.testing.assert_allclose(R[i], T[:3, :3], atol=1e-12)


@pytest.mark.parametrize("name", ARMS)
@given(SEEDS)
@settings(max_examples=7, deadline=None)
def test_jacobian_is_the_derivative_of_fk(name: str, seed: int) -> None:
    chain, h = chain_of(name), 1e-6
    q = random_q(chain, 3, seed)
    J = chain.jacobian(q)
    assert J.shape == (3, 6, chain.dof)
    for j in range(chain.dof):
        step = h * np.eye(chain.dof)[j]
        (p_low, R_low), (p_high, R_high) = chain.fk(q - step), chain.fk(q + step)
        np.testing.assert_allclose(J[:, :3, j], (p_high - p_low) / (2 * h), atol=1e-7)
        turned = rotation_error(R_low, R_high) / (2 * h)
        np.testing.assert_allclose(J[:, 3:, j], turned, atol=1e-7)


@pytest.mark.parametrize("name", ARMS)
def test_a_batch_is_its_rows(name: str) -> None:
    chain = chain_of(name)
    q, goals = random_q(chain, 20, 1), random_q(chain, 20, 2)
    p, R = chain.fk(goals)
    together = chain.step(q, p, R, 0.05)
    for i in range(20):
        row = slice(i, i + 1)
        alone = chain.step(q[row], p[row], R[row], 0.05)
        np.testing.assert_allclose(alone, together[row], atol=1e-12)
    assert np.array_equal(q, random_q(chain, 20, 1))  # inputs are left alone


@pytest.mark.parametrize("name", ARMS)
@given(SEEDS, st.sampled_from([1.0, 1.0 / CONTROL_HZ, 0.002]))
@settings(max_examples=10, deadline=None)
def test_a_step_keeps_position_and_velocity_limits(name: str, seed: int, dt: float) -> None:
    chain = chain_of(name)
    q, goal = random_q(chain, 16, seed), random_q(chain, 16, seed + 1)
    p, R = chain.fk(goal)
    far = p + np.random.default_rng(seed).normal(0, 5, p.shape)  # some out of reach
    for target in (p, far):
        after = chain.step(q, target, R, dt)
        assert np.isfinite(after).all()
        assert (after >= chain.lower).all()
        assert (after <= chain.upper).all()
        assert (np.abs(after - q) <= chain.velocity * dt * (1 + 1e-9)).all()


@pytest.mark.parametrize("name", ARMS)
@given(SEEDS)
@settings(max_examples=5, deadline=None)
def test_ik_reaches_reachable_poses_to_a_millimetre(name: str, seed: int) -> None:
    """From home to poses in the workspace that some joint positions near by have."""
    chain = chain_of(name)
    rng, low, high = np.random.default_rng(seed), *np.asarray(chain.arm.workspace).T
    home = np.tile(chain.home, (200, 1))
    q = np.clip(home + rng.normal(0, 0.25, home.shape), chain.lower, chain.upper)
    p, R = chain.fk(q)
    inside = ((p >= low) & (p <= high)).all(axis=1)
    p, R, home = p[inside], R[inside], home[inside]
    assert len(p) > 10
    p_reached, R_reached = chain.fk(chain.solve(home, p, R))
    assert np.linalg.norm(p_reached - p, axis=1).max() < 1e-3
    if chain.arm.orientation == "full":
        assert np.linalg.norm(rotation_error(R_reached, R), axis=1).max() < 0.02


@pytest.mark.parametrize("name", ARMS)
@given(SEEDS)
@settings(max_examples=5, deadline=None)
def test_ik_reaches_the_whole_workspace_with_the_tool_down(name: str, seed: int) -> None:
    """Point by point along straight lines at the speed limits, as the world drives it."""
    chain = chain_of(name)
    rng, (low, high) = np.random.default_rng(seed), np.asarray(chain.arm.workspace).T
    n, steps = 16, 80
    q = np.tile(chain.home, (n, 1))
    start, R_home = chain.fk(q)
    target = rng.uniform(low, high, (n, 3))
    R = tool_down(tool_yaw(R_home))
    for t in range(steps + 20):
        share = min((t + 1) / steps, 1.0)
        q = chain.step(q, start + share * (target - start), R, 1.0 / CONTROL_HZ)
    p, _ = chain.fk(q)
    # With too few joints to point straight down everywhere, position gives way a little too.
    tolerance = 1e-3 if chain.arm.orientation == "full" else 5e-3
    assert np.linalg.norm(p - target, axis=1).max() < tolerance


@given(st.floats(-3.1, 3.1))
def test_tool_down_points_down_at_its_yaw(yaw: float) -> None:
    R = tool_down(np.array([yaw]))
    np.testing.assert_allclose(R[0] @ R[0].T, np.eye(3), atol=1e-12)
    assert np.linalg.det(R[0]) == pytest.approx(1)
    np.testing.assert_allclose(R[0, :, 2], [0, 0, -1], atol=1e-12)
    assert tool_yaw(R)[0] == pytest.approx(yaw)


@given(st.lists(st.floats(-1, 1), min_size=4, max_size=4).filter(lambda q: np.linalg.norm(q) > 0.1))
def test_axes_are_the_columns_of_a_quaternion_s_rotation(numbers: list[float]) -> None:
    quat, R = np.array(numbers) / np.linalg.norm(numbers), np.zeros(9)
    mujoco.mju_quat2Mat(R, quat)
    np.testing.assert_allclose(axes(quat), R.reshape(3, 3).T, atol=1e-12)
    np.testing.assert_allclose(axes(np.stack([quat, quat]))[:, 1], axes(quat))

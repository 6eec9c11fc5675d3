"""Commands of a batch: limits are met, and the motion is the governor's."""

from __future__ import annotations

import numpy as np
import pytest

from daytwo.sim.arms import arm_names, load_arm
from daytwo.sim.rates import PERIOD, TICKS, LimitedMotion, Rates

N = 4


def walk(name: str, seed: int, steps: int = 200) -> np.ndarray:
    """Goals (steps, N, dof + 1) that wander at up to the speed limits, at the control rate, and
    jump now and then.
    """
    arm, rng = load_arm(name), np.random.default_rng(seed)
    rates = Rates.of(arm)
    low, high = np.array([*arm.lower, 0.0]), np.array([*arm.upper, 1.0])
    goal = np.tile([*arm.home, 1.0], (N, 1))
    v, goals = np.zeros_like(goal), []
    for _ in range(steps):
        v = 0.8 * v + 0.3 * rng.normal(size=v.shape) * rates.velocity
        jump = (rng.random((N, 1)) < 0.02) * rng.normal(size=v.shape)
        goal = goal + np.clip(v, -rates.velocity, rates.velocity) * PERIOD * TICKS + jump
        goal = np.clip(goal, low, high)
        goals.append(goal)
    return np.array(goals)


def follow(motion: LimitedMotion, goals: np.ndarray) -> np.ndarray:
    motion.begin(np.arange(N), goals[0])
    return np.array([motion.toward(goal).copy() for goal in goals for _ in range(TICKS)])


@pytest.mark.parametrize("name", arm_names())
def test_limits_are_met(name: str) -> None:
    rates = Rates.of(load_arm(name))
    motion = LimitedMotion(rates, N)
    goals = walk(name, 0)
    motion.begin(np.arange(N), goals[0])
    seen = []
    for goal in goals:
        for _ in range(TICKS):
            motion.toward(goal)
            seen.append((motion.v.copy(), motion.a.copy()))
    v, a = (np.array(each) for each in zip(*seen, strict=True))
    for found, limit in (
        (v, rates.velocity),
        (a, rates.acceleration),
        (np.diff(a, axis=0) / PERIOD, rates.jerk),
    ):
        assert (np.abs(found) <= limit * (1 + 1e-6)).all()
    assert (np.abs(v).max(axis=(0, 1)) > 0.5 * rates.velocity).all(), "it moved"
    assert (np.abs(a).max(axis=(0, 1)) > 0.9 * rates.acceleration).all(), "it was held back"


@pytest.mark.parametrize("name", arm_names())
def test_it_comes_to_rest_at_its_goal(name: str) -> None:
    """From any motion, hardly overshooting, and stays there."""
    motion = LimitedMotion(Rates.of(load_arm(name)), N)
    goals = walk(name, 1, 40)
    follow(motion, goals)
    goal = goals[0]
    side = np.sign(goal - motion.x)
    path = np.array([motion.toward(goal).copy() for _ in range(300)])
    np.testing.assert_allclose(path[-20:], np.tile(goal, (20, 1, 1)), atol=1e-4)
    # One that moved away has to turn round first, and then comes back within the limits.
    assert ((path - goal) * side).max() < 0.02 + np.abs(motion.rates.velocity).max() * 0.1


@pytest.mark.parametrize("name", arm_names())
def test_a_step_is_hardly_overshot(name: str) -> None:
    motion = LimitedMotion(Rates.of(load_arm(name)), N)
    start = np.tile([*load_arm(name).home, 1.0], (N, 1))
    motion.begin(np.arange(N), start)
    goal = start - 0.2 * np.arange(1, N + 1)[:, None]
    path = np.array([motion.toward(goal).copy() for _ in range(200)])
    assert ((goal - path) / (start - goal)).max() < 0.02
    np.testing.assert_allclose(path[-1], goal, atol=1e-6)


@pytest.mark.parametrize("name", arm_names())
def test_it_moves_as_the_governor_does(name: str) -> None:
    """Beside ruckig, which is exact: what a policy learns with is what stands before an arm."""
    from daytwo.hardware.motion import Motion

    rates, goals = Rates.of(load_arm(name)), walk(name, 2)
    ours = follow(LimitedMotion(rates, N), goals)
    motion, theirs = Motion(rates, PERIOD), []
    motion.begin(goals[0, 0])
    for goal in goals[:, 0]:
        theirs += [motion.toward(goal).copy() for _ in range(TICKS)]
    apart = np.abs(ours[:, 0] - np.array(theirs))
    lag = np.abs(np.repeat(goals[:, 0], TICKS, axis=0) - np.array(theirs))
    assert (apart.mean(axis=0) < 0.15 * lag.mean(axis=0)).all()


def test_what_begins_anew_leaves_the_others_alone() -> None:
    motion = LimitedMotion(Rates.of(load_arm("panda")), N)
    follow(motion, walk("panda", 3, 20))
    x, v = motion.x.copy(), motion.v.copy()
    motion.begin(np.array([1]), np.zeros((1, 8)))
    assert not motion.x[1].any()
    assert not motion.v[1].any()
    np.testing.assert_array_equal(np.delete(motion.x, 1, 0), np.delete(x, 1, 0))
    np.testing.assert_array_equal(np.delete(motion.v, 1, 0), np.delete(v, 1, 0))


def test_the_physics_steps_of_a_control_step_are_shared_out() -> None:
    motion = LimitedMotion(Rates.of(load_arm("panda")), 1)
    for steps in (10, 12, 7):
        shares = [share for _, share in motion.parts(np.zeros((1, 8)), steps)]
        assert sum(shares) == steps
        assert max(shares) - min(shares) <= 1

"""Motion: whatever is asked, limits are met, exactly and to the last period."""

from __future__ import annotations

import numpy as np
import pytest

from daytwo.hardware.motion import Motion
from daytwo.sim.arms import arm_names, load_arm
from daytwo.sim.rates import Rates

DT = 0.01


@pytest.mark.parametrize("name", arm_names())
@pytest.mark.parametrize("seed", [0, 1])
def test_limits_are_met_and_never_overshot(name: str, seed: int) -> None:
    """Goals that jump, at the limits too, stops at any instant and changes of speed."""
    arm, rng = load_arm(name), np.random.default_rng(seed)
    low, high = np.array([*arm.lower, 0.0]), np.array([*arm.upper, 1.0])
    rates = Rates.of(arm)
    motion = Motion(rates, DT)
    motion.begin((low + high) / 2)
    goal, stops, speed, xs = (low + high) / 2, False, 1.0, []
    for _ in range(3000):
        if rng.random() < 0.1:
            edge = rng.random(len(low))
            goal = np.where(edge < 0.2, low, np.where(edge > 0.8, high, rng.uniform(low, high)))
        if rng.random() < 0.05:
            stops, speed = not stops, float(rng.uniform(0.2, 1.0))
        xs.append(motion.slow() if stops else motion.toward(goal, speed))
    x = np.array(xs)
    v = np.diff(x, axis=0) / DT
    a = np.diff(v, axis=0) / DT
    j = np.diff(a, axis=0) / DT
    assert (x >= low - 1e-9).all()
    assert (x <= high + 1e-9).all()
    for found, limit in ((v, rates.velocity), (a, rates.acceleration), (j, rates.jerk)):
        assert (np.abs(found) <= limit * (1 + 1e-6)).all()
    assert np.abs(v).max() > 0.5, "it moved"


@pytest.mark.parametrize("name", arm_names())
def test_where_profiles_turn_into_each_other_there_is_a_way(name: str) -> None:
    """Ruckig itself finds none: an SO-101 that was told to go 0.1 rad had no governor then."""
    rates, rng = Rates.of(load_arm(name)), np.random.default_rng(0)
    v, a, j = rates.velocity, rates.acceleration, rates.jerk
    for far in (2 * a**3 / j**2, v**2 / a + v * a / j, 2 * v * np.sqrt(v / j)):
        quickest = 1.05 * (far / v + v / a + a / j + 2 * np.sqrt(far / a) + np.cbrt(32 * far / j))
        for i in range(40):
            motion, begin = Motion(rates, DT), np.round(rng.uniform(-1, 1, len(v)), 2)
            motion.begin(begin)
            goal, xs = begin + (-1) ** i * far, [begin, begin, begin]
            for _ in range(int(quickest.max() / DT)):
                xs.append(motion.toward(goal))
            np.testing.assert_allclose(xs[-1], goal, atol=1e-6)
            assert (np.abs(np.diff(xs, 3, axis=0)) <= j * DT**3 * (1 + 1e-6) + 1e-9).all()


def test_an_so101_goes_a_tenth_of_a_radian_and_that_at_once() -> None:
    arm = load_arm("so101")
    motion, home = Motion(Rates.of(arm), DT), np.array([*arm.home, 1.0])
    motion.begin(home)
    for _ in range(25):
        motion.toward(home + 0.1)
    np.testing.assert_allclose(motion.x, home + 0.1, atol=1e-7)


def test_it_arrives_and_rests() -> None:
    arm = load_arm("panda")
    motion = Motion(Rates.of(arm), DT)
    motion.begin(np.array([*arm.home, 1.0]))
    goal = np.array([*arm.home, 0.0]) + 0.3 * np.array([*np.ones(7), 0.0])
    for _ in range(100):
        x = motion.toward(goal)
    assert np.allclose(x, goal)
    assert motion.at_rest


def test_a_stop_is_as_short_as_the_limits_allow() -> None:
    arm = load_arm("so101")
    rates = Rates.of(arm)
    motion = Motion(rates, DT)
    motion.begin(np.array([*arm.lower, 0.0]))
    far = np.array([*arm.upper, 1.0])
    while np.abs(motion.v[0]) < 0.99 * rates.velocity[0]:
        motion.toward(far)
    at, periods = motion.x[0], 0
    v0 = motion.v[0]
    while not motion.at_rest:
        motion.slow()
        periods += 1
    least = v0 / rates.acceleration[0] + rates.acceleration[0] / rates.jerk[0]
    assert least <= periods * DT <= least + 5 * DT
    assert motion.x[0] - at <= v0 * least

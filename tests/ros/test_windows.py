"""Windows: whatever is asked for, each rises, rests at its end and goes on from the last one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("rclpy")

from daytwo.errors import InputError
from daytwo.hardware.motion import Motion
from daytwo.sim.arms import load_arm
from daytwo.sim.rates import Rates
from daytwo_ros.windows import PAUSE, Stream, Window

ARM = load_arm("panda")
RATES = Rates.of(ARM)
LOW, HIGH = np.append(ARM.lower, 0.0), np.append(ARM.upper, 1.0)
HOME = np.append(ARM.home, 1.0)
PERIOD = 0.01


def stream(x: np.ndarray = HOME) -> Stream:
    made = Stream(RATES, LOW, HIGH, PERIOD)
    made.begin(x, 0.0)
    return made


SHARES = st.lists(st.floats(0, 1), min_size=8, max_size=8)
PAUSES = st.floats(0, 0.99 * PAUSE)


@given(st.lists(st.tuples(SHARES, PAUSES, st.booleans()), min_size=1, max_size=8))
def test_whatever_is_asked_a_window_rises_rests_and_stays_within_limits(steps) -> None:
    made, now, last, began = stream(), 0.0, None, 0.0
    for shares, pause, holds in steps:
        now += pause
        goal = np.clip(LOW + np.array(shares) * (HIGH - LOW), LOW, HIGH)
        window = made.hold(goal, now) if holds else made.aim(goal, now)
        assert window.v is not None
        assert 2 <= len(window.t) <= 3
        assert window.t[0] == 0
        assert (np.diff(window.t) >= 0.001).all()
        assert not window.v[-1].any()
        assert np.isfinite([*window.x.flat, *window.v.flat]).all()
        assert (window.x[1:] >= LOW).all()
        assert (window.x[1:] <= HIGH).all()
        assert (np.abs(window.v[1:]) <= 1.01 * RATES.velocity).all()
        if last is not None:
            x, v = last.at(now - began)
            np.testing.assert_array_equal(window.x[0], x)
            np.testing.assert_array_equal(window.v[0], v)
        last, began = window, now


def test_what_a_governor_sends_is_played_as_it_is_and_ends_before_its_goal() -> None:
    """The commands that come out are those that went in, and the rest of a window, which is played
    if no other comes, never goes past where the governor was going.
    """
    motion, made = Motion(RATES, PERIOD), stream()
    motion.begin(HOME)
    goal = HOME + np.array([0.5, 0.1, -0.3, 0.2, 0.0, 0.4, -0.5, -1.0])
    longest = 0.0
    for k in range(1, 200):
        sent = motion.toward(goal)
        window = made.aim(sent, k * PERIOD)
        longest = max(longest, float(window.t[-1]))
        np.testing.assert_allclose(window.at(PERIOD)[0], sent, atol=1e-9)
        played = np.array([window.at(t)[0] for t in np.linspace(0, window.t[-1], 20)])
        past = (played - goal) * np.sign(goal - HOME)
        assert past.max() < 0.02, "a moment's braking; the governor's own margin is 0.05 rad"
    assert motion.at_rest
    assert 0.1 < longest < 0.4, "the arm rests soon after the last window"


def test_after_a_pause_it_does_not_go_on() -> None:
    made = stream()
    assert not made.paused(PAUSE)
    assert made.paused(PAUSE + 0.01)
    assert Stream(RATES, LOW, HIGH, PERIOD).paused(0.0)
    here = HOME + 0.3
    window = made.begin(here, 5.0)
    np.testing.assert_array_equal(window.x, [here, here])
    np.testing.assert_array_equal(made.hold(here, 9.0).x, [here, here])


def test_a_jump_takes_as_long_as_the_arm_needs() -> None:
    goal = HOME - np.array([1.0, 0, 0, 0, 0, 0, 0, 0])
    window = stream().aim(goal, 1e-3)
    assert len(window.t) == 2
    speeds = [window.at(t)[1] for t in np.linspace(0, window.t[-1], 100)]
    peak = np.abs(speeds).max(axis=0)[0]
    assert peak == pytest.approx(RATES.velocity[0], rel=0.01)


def test_the_first_target_is_of_no_stream() -> None:
    """However near it is: what comes to rest behind it would stay there if no other came."""
    made, goal = stream(), HOME + 0.01 * (HOME < 1)
    np.testing.assert_array_equal(made.aim(goal, 0.0).x[-1], goal)
    assert len(made.aim(goal + 0.005 * (HOME < 1), 0.01).t) == 3


def test_between_points_it_is_cubic_or_straight_and_outside_it_stands() -> None:
    t, x = np.array([0.0, 2.0]), np.array([[1.0], [3.0]])
    smooth = Window(t, x, np.zeros((2, 1)))
    np.testing.assert_allclose(smooth.at(0.5)[0], [1 + 2 * (3 / 16 - 2 / 64)])
    np.testing.assert_allclose(smooth.at(1.0), [[2.0], [1.5]])
    straight = Window(t, x, None)
    np.testing.assert_allclose(straight.at(0.5), [[1.5], [1.0]])
    for each in (smooth, straight):
        np.testing.assert_array_equal(each.at(-1.0), [[1.0], [0.0]])
        np.testing.assert_array_equal(each.at(7.0), [[3.0], [0.0]])


@pytest.mark.parametrize(
    ("t", "x", "v", "why"),
    [
        ([0, 0], [[0], [1]], None, "above the one before"),
        ([-1, 0], [[0], [1]], None, "above the one before"),
        ([0, 1], [[0], [np.nan]], None, "finite"),
        ([0, 1], [[0], [1]], [[0], [np.inf]], "finite"),
        ([0, 1], [[0], [1]], [[0], [0.1]], "not at rest"),
    ],
)
def test_what_is_no_window_cannot_be_made(t, x, v, why) -> None:
    velocities = None if v is None else np.array(v, float)
    with pytest.raises(InputError, match=why):
        Window(np.array(t, float), np.array(x, float), velocities)

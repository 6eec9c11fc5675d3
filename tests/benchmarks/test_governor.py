"""The benchmark of the governor: that it sees what is beyond a limit, and that it runs."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from daytwo.benchmarks import governor
from daytwo.hardware.guard_process import GuardProcess
from daytwo.hardware.link import Link
from daytwo.sim.arms import load_arm

ARM = load_arm("so101")
HOME = np.asarray(ARM.home)


@pytest.mark.parametrize(
    ("steps", "named"),
    [
        ([0, 0, 0.5, 0.5, 0.5], "velocity"),
        ([0, 0, 0.02, 0.04, 0.04, 0.04], "acceleration"),
        ([0, 0, 0, 9.0, 9.0], "position"),
    ],
)
@pytest.mark.parametrize("rounding", [0.0, governor.HALF_TICK])
def test_what_is_beyond_a_limit_is_counted(steps: list[float], named: str, rounding: float) -> None:
    goals = HOME + np.array(steps)[:, None] * np.eye(5)[0]
    one = np.zeros(len(goals))
    assert governor.count(ARM, goals, np.arange(len(goals)), one, rounding)[named] > 0
    still = np.tile(HOME, (40, 1))
    assert sum(governor.count(ARM, still, np.arange(40), np.zeros(40), rounding).values()) == 0


def ramp(jerk: float, periods: int = 40) -> np.ndarray:
    """To and fro, by a jerk [rad/s3] that changes its sign every 50 ms, below all other limits."""
    a = v = 0.0
    x, xs = 0.0, []
    for i in range(periods * 10):
        j, dt = (jerk if (i // 50) % 4 in (0, 3) else -jerk), 0.001
        x += v * dt + a * dt**2 / 2 + j * dt**3 / 6
        v += a * dt + j * dt**2 / 2
        a += j * dt
        xs.append(x)
    return HOME + np.array(xs[::10])[:, None] * np.eye(5)[0]


def test_a_jerk_by_a_fifth_too_high_is_seen_through_a_servos_ticks() -> None:
    at, one = np.arange(40), np.zeros(40)
    tick = 2 * governor.HALF_TICK
    for jerk, seen in ((0.99 * 400, False), (1.2 * 400, True)):
        exact = ramp(jerk)
        rounded = np.rint(exact / tick) * tick
        assert (governor.count(ARM, rounded, at, one, tick / 2)["jerk"] > 0) == seen
        assert (governor.count(ARM, exact, at, one)["jerk"] > 0) == seen


def test_goals_that_were_left_out_and_new_starts_are_no_violation() -> None:
    exact, one = ramp(0.99 * 400), np.zeros(40)
    kept = np.sort(np.random.default_rng(0).permutation(40)[:25])
    assert sum(governor.count(ARM, exact[kept], kept, one[kept]).values()) == 0
    assert governor.count(ARM, exact[kept], np.arange(25), one[kept])["jerk"] > 0
    again = np.concatenate([exact[:20], exact[:20] - 0.3])
    assert sum(governor.count(ARM, again, np.arange(40), np.arange(40) // 20).values()) == 0
    assert governor.count(ARM, again, np.arange(40), one)["velocity"] > 0


def test_goals_are_found_in_the_log() -> None:
    logged = ramp(300.0)
    tick = 2 * governor.HALF_TICK
    rounded = np.rint(logged[5:] / tick) * tick
    assert list(governor.matched(rounded, logged, tick / 2)) == list(range(5, 40))
    kept = [3, 4, 9, 20, 39]
    assert list(governor.matched(logged[kept], logged, 0.0)) == kept
    strange = np.insert(logged[kept], 2, HOME + 1.0, axis=0)
    assert list(governor.matched(strange, logged, 0.0)) == [3, 4, -1, 9, 20, 39]


def test_what_is_told_after_something_was_done_knows_of_it(tmp_path: Path) -> None:
    with GuardProcess("panda", "mujoco", socket=tmp_path / "guard") as guard:
        link = Link(guard.socket)
        for _ in range(5):
            session = link.ask({"op": "open"})["session"]
            state = governor._news_after(link, time.monotonic())
            assert (state["session"], state["leased"]) == (session, True)
            link.tell({"op": "close", "session": session})
        link.close()


@pytest.mark.slow
def test_nothing_beyond_a_limit_reaches_an_arm() -> None:
    figures = governor.run(quick=True)
    assert figures["commands"] == 2000
    assert set(figures["drivers"]) == {"feetech", "dynamixel", "ur", "xarm"}
    for driver, told in figures["drivers"].items():
        assert told["violations"] == 0, (driver, told)
        assert told["goals"] > 100
        assert told["moved_rad"] > 0.2
    assert figures["violations"] == 0

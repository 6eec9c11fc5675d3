"""The emulated controller keeps the real one's rules, and has the gaps that it has."""

import re
import time

import numpy as np
import pytest

pytest.importorskip("rclpy")

from builtin_interfaces.msg import Duration, Time
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from daytwo.connecting import connected
from daytwo.curricula.attempts import expert
from daytwo.hardware.cell import Cell
from daytwo.hardware.emulators.control import launched
from daytwo.hardware.opening import open_arm
from daytwo.sim.arms import load_arm
from daytwo_ros.emulated_control import flaw

JOINTS = ("a", "b")
NOW = 1_000_000_000_000  # [ns]


def point(at: float, x: list[float], v: list[float] | None = None) -> JointTrajectoryPoint:
    return JointTrajectoryPoint(
        positions=x,
        velocities=v or [],
        time_from_start=Duration(sec=int(at), nanosec=round(1e9 * (at % 1))),
    )


def told(*points: JointTrajectoryPoint, names: tuple[str, ...] = JOINTS) -> JointTrajectory:
    return JointTrajectory(joint_names=list(names), points=list(points))


def test_what_keeps_the_rules_is_taken() -> None:
    still = [0.0, 0.0]
    assert flaw(told(point(1, still)), JOINTS, NOW) == ""
    assert flaw(told(point(0, still, [1.0, 1.0]), point(1, still, still)), JOINTS, NOW) == ""
    assert flaw(told(point(1, still), names=("b", "a")), JOINTS, NOW) == ""
    late = told(point(2, still))
    late.header.stamp = Time(sec=999)  # a second ago, and it takes two
    assert flaw(late, JOINTS, NOW) == ""


def test_nobody_looks_for_what_is_no_number() -> None:
    assert flaw(told(point(1, [np.nan, np.inf])), JOINTS, NOW) == ""


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (told(), "Empty"),
        (told(point(1, [0.0]), names=("a",)), "don't match"),
        (told(point(1, [0.0] * 3), names=("a", "b", "c")), "Incoming joint c doesn't match"),
        (told(point(1, [0.0])), "Mismatch"),
        (told(point(1, [0.0, 0.0], [0.0])), "Mismatch"),
        (told(point(1, [0.0, 0.0]), point(1, [0.0, 0.0])), "not strictly increasing"),
        (told(point(1, [0.0, 0.0], [0.0, 0.1])), "Velocity of last .* joint b is not zero"),
    ],
)
def test_what_breaks_a_rule_is_dropped(message: JointTrajectory, why: str) -> None:
    assert re.search(why, flaw(message, JOINTS, NOW))


def test_what_ended_before_it_came_is_dropped() -> None:
    message = told(point(0.5, [0.0, 0.0]))
    message.header.stamp = Time(sec=999)
    assert "in the past" in flaw(message, JOINTS, NOW)


@pytest.mark.slow
def test_an_expert_picks_behind_the_governor(sourced) -> None:
    """`--driver ros2_control --host emulated`, with its objects."""
    with connected("ros2_control", "panda", {"host": "emulated"}) as (arm, source):
        cell = Cell(arm, source, ["pick"])
        came = [cell.attempt(expert, "pick", 0.3, seed).success for seed in (11, 12)]
    assert any(came)


@pytest.mark.slow
def test_it_starts_moves_and_ends(sourced) -> None:
    arm = load_arm("so101")
    with launched("ros2_control", "so101") as (domain, control):
        driver, _ = open_arm("ros2_control", arm, {"domain": domain})
        with driver:
            goal = driver.read().q + 0.1
            for _ in range(30):
                driver.command(goal, 1.0)
                time.sleep(0.01)
        goals = control.goals()
        np.testing.assert_allclose(goals[-2][1], goal, atol=1e-6)
        np.testing.assert_allclose(control.ask("measured")["q"], goal, atol=0.02)

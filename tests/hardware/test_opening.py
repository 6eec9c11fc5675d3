"""Arms by the names of their drivers, through the governor's process to the wire."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pytest

from daytwo.errors import DriverError, InputError
from daytwo.hardware.driver import ArmDriver
from daytwo.hardware.emulators.control import launched
from daytwo.hardware.emulators.feetech import FeetechEmulator
from daytwo.hardware.emulators.lag import LagArm
from daytwo.hardware.governor import State
from daytwo.hardware.guard_process import GuardProcess
from daytwo.hardware.guarded import GuardedArm
from daytwo.hardware.opening import DRIVERS, brings_objects, open_arm
from daytwo.sim.arms import load_arm
from daytwo.sim.rates import Rates

SO101 = load_arm("so101")
TICK = 2 * np.pi / 4096  # [rad]


@pytest.fixture(scope="module")
def calibration(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("calibration") / "so101.json"
    emulator = FeetechEmulator(SO101, LagArm(SO101))
    emulator.calibration.save(path)
    return str(path)


def test_every_driver_opens_without_its_arm(calibration: str) -> None:
    servos = {"port": "/dev/null", "calibration": calibration}
    settings = {"feetech": servos, "dynamixel": servos}
    arms = {"feetech": "so101", "dynamixel": "so101", "ur": "ur5e"}
    for name in set(DRIVERS) - {"ros2_control"}:  # it needs ROS 2: tests/ros/test_ros2_control.py
        given = settings.get(name, {} if name in ("twin", "mujoco") else {"host": "127.0.0.1"})
        made, scene = open_arm(name, load_arm(arms.get(name, "panda")), given)
        assert isinstance(made, ArmDriver)
        assert not made.connected
        assert (scene is made) == brings_objects(name, given) == (name in ("twin", "mujoco"))
    assert brings_objects("feetech", {"port": "emulated"})


@pytest.mark.parametrize(
    ("name", "settings", "why"),
    [
        ("nonsense", {}, "there is none; there are: twin"),
        ("twin", {"port": 1}, "unknown setting port; it has: hidden"),
        ("feetech", {}, "missing setting port; it has: port, calibration"),
        ("ur", {"host": "x", "gripper": "hook"}, "gripper"),
        ("feetech", {"port": "x", "calibration": "/nonexistent"}, "nonexistent"),
    ],
)
def test_what_cannot_be_opened_says_why(name: str, settings: dict, why: str) -> None:
    with pytest.raises(InputError, match=why):
        open_arm(name, load_arm("ur5e" if name == "ur" else "so101"), settings)


@pytest.mark.parametrize(
    ("missing", "why"),
    [
        (
            "daytwo_ros",
            r"daytwo_ros is not found; build the workspace \(make ros\) and: source ros_",
        ),
        ("rclpy", "rclpy is not found; `make ros` installs ROS 2, or source your own"),
    ],
)
def test_what_needs_ros_says_what_of_it_is_missing(
    missing: str, why: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in [n for n in sys.modules if n.partition(".")[0] == "daytwo_ros"]:
        monkeypatch.delitem(sys.modules, name)
    if missing == "rclpy":
        (tmp_path / "daytwo_ros").mkdir()
        (tmp_path / "daytwo_ros" / "ros2_control.py").write_text("import rclpy\n")
        monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(InputError, match=f"^ros2_control: {why}"):
        open_arm("ros2_control", load_arm("panda"), {})


@pytest.mark.slow
def test_whatever_is_asked_the_servos_receive_what_is_within_limits(calibration: str) -> None:
    """G2, G3: the goals that came out of the wire, from a commander that asks for anything."""
    rng, home = np.random.default_rng(0), np.asarray(SO101.home)
    with launched("feetech", "so101") as (port, control):
        settings = {"port": port, "calibration": calibration}
        with (
            GuardProcess("so101", "feetech", settings) as process,
            GuardedArm(SO101, process.socket) as arm,
        ):
            first = len(control.goals())
            for _ in range(40):
                arm.command(home + rng.normal(0, 0.5, 5), float(rng.random()))
                time.sleep(0.05)
        goals = control.goals(since=first)
    asked = np.array([x for _, x in goals])[:, :-1]
    assert len(asked) > 100
    assert np.abs(asked - home).max() > 0.1, "it moved"
    assert (asked >= np.asarray(SO101.lower) + 0.05 - TICK).all()
    assert (asked <= np.asarray(SO101.upper) - 0.05 + TICK).all()
    # Each goal is one period after the last, however late it came; it is rounded to a tick.
    rates = Rates.of(SO101)
    assert (np.abs(np.diff(asked, axis=0)) <= rates.velocity[:-1] * 0.01 + TICK).all()
    bends = np.abs(np.diff(asked, 2, axis=0))
    assert (bends <= rates.acceleration[:-1] * 0.01**2 + 2 * TICK).all()


@pytest.mark.parametrize(
    ("fault", "why"), [("dead", "no news of elbow_flex"), ("unplug", "plugged in")]
)
def test_g7_g15_a_dead_servo_and_a_pulled_cable_latch(
    calibration: str, fault: str, why: str
) -> None:
    with launched("feetech", "so101") as (port, control):
        settings = {"port": port, "calibration": calibration}
        with GuardProcess("so101", "feetech", settings) as process:
            arm = GuardedArm(SO101, process.socket)
            arm.connect()
            arm.command(SO101.home, 1.0)
            if fault == "dead":
                control.faults(dead=[3])
            else:
                control.ask("unplug")
            assert arm.link is not None
            struck = time.monotonic()
            while (state := arm.link.news())["state"] != State.LATCHED:
                assert time.monotonic() < struck + 1.0, state
                time.sleep(0.01)
            assert why in state["reason"]
            with pytest.raises(DriverError, match="the governor stopped the arm"):
                arm.command(SO101.home, 1.0)
            arm.disconnect()

"""The governor in front of an arm whose time is simulated."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from daytwo.errors import DriverError, InputError
from daytwo.hardware.decisions import DecisionLog, read_decisions
from daytwo.hardware.driver import Array
from daytwo.hardware.drivers.twin import TwinDriver
from daytwo.hardware.governed import Governed, GovernedScene
from daytwo.hardware.governor import State
from daytwo.sim.arms import load_arm
from daytwo.sim.rates import Rates
from daytwo.sim.tasks.base import Placement

ARM = load_arm("panda")


class Listened(TwinDriver):
    """A twin that keeps what it was sent, and when."""

    received: list[tuple[float, Array]]

    def _send(self, command: Array) -> None:
        self.received.append((self.now(), command))
        super()._send(command)


@pytest.fixture
def twin() -> Listened:
    twin = Listened(ARM)
    twin.received = []
    return twin


@pytest.fixture
def arm(twin: Listened, tmp_path: Path) -> Iterator[Governed]:
    with DecisionLog(tmp_path / "log", ARM) as log, Governed(twin, log=log) as arm:
        yield arm


def drive(arm: Governed, q: Array, seconds: float, gripper: float = 1.0) -> None:
    """Ask for the same at 20 Hz."""
    for _ in range(int(seconds * 20)):
        arm.command(q, gripper)
        arm.sleep_until(arm.now() + 0.05)


def test_it_goes_where_it_is_told_within_the_rates(arm: Governed, twin: Listened) -> None:
    q = arm.read().q + 0.2 * np.array([1, 0, 0, 0, 0, 0, 1.0])
    drive(arm, q, 1.5, gripper=0.0)
    np.testing.assert_allclose(arm.read().q, q, atol=0.01)
    assert arm.read().opening < 0.01
    np.testing.assert_allclose(arm.sent, [*q, 0.0], atol=1e-9)
    times, sent = np.array([t for t, _ in twin.received]), np.array([x for _, x in twin.received])
    np.testing.assert_allclose(np.diff(times), 0.01, atol=0.0026)  # physics comes in steps
    rates = Rates.of(ARM)
    for order, limit in ((1, rates.velocity), (2, rates.acceleration), (3, rates.jerk)):
        assert (np.abs(np.diff(sent, order, axis=0)) <= limit * 0.01**order * (1 + 1e-6)).all()


def test_what_is_refused_leaves_the_goal_as_it_was(arm: Governed) -> None:
    arm.command(ARM.home, 1.0)
    before = arm.goal
    below = np.asarray(ARM.home) + np.array([0, 0.9, 0, 0, 0, 0, 0])  # through the table
    arm.command(below, 1.0)
    assert np.array_equal(arm.goal, before)


def test_stop_brings_it_to_rest(arm: Governed, twin: Listened) -> None:
    arm.command(np.asarray(ARM.home) + 0.3 * np.array([1, 0, 0, 0, 0, 0, 0]), 1.0)
    arm.sleep_until(arm.now() + 0.15)
    arm.stop()
    assert arm.governor.state is State.HOLD
    assert np.array_equal(twin.received[-1][1], arm.sent)
    arm.sleep_until(arm.now() + 0.3)
    here = arm.read().q
    arm.sleep_until(arm.now() + 0.3)
    np.testing.assert_allclose(arm.read().q, here, atol=1e-3)
    drive(arm, np.asarray(ARM.home), 1.0)
    np.testing.assert_allclose(arm.read().q, ARM.home, atol=0.01)


def test_a_latched_arm_ends_the_attempt(arm: Governed) -> None:
    arm.governor.stop("stop button", latch=True)
    arm.sleep_until(arm.now() + 0.1)
    with pytest.raises(DriverError, match="the governor stopped the arm: stop button"):
        arm.command(ARM.home, 1.0)


def test_nothing_is_sent_after_the_end(arm: Governed, twin: Listened) -> None:
    arm.disconnect()
    n = len(twin.received)
    twin.connect()
    arm.sleep_until(arm.now() + 0.1)
    assert len(twin.received) == n
    with pytest.raises(InputError, match="not connected"):
        Governed(TwinDriver(ARM)).command(ARM.home, 1.0)


def test_a_scene_that_puts_the_arm_elsewhere_starts_the_governor_there(
    arm: Governed, twin: Listened
) -> None:
    scene = GovernedScene(arm, twin)
    assert scene.places_arm
    q = np.asarray(ARM.home) + 0.5
    scene.begin(q, Placement.empty(1))
    arm.sleep_until(arm.now() + 0.1)
    np.testing.assert_allclose(twin.received[-1][1][:-1], q, atol=1e-9)
    assert len(scene.objects().p) == 2
    assert np.array_equal(scene.pose_offset, np.zeros(3))


def test_every_decision_is_logged(arm: Governed, tmp_path: Path) -> None:
    drive(arm, np.asarray(ARM.home) + 9.0, 0.1)
    names, rows = read_decisions(tmp_path / "log")
    assert len(names) == 8
    assert len(rows) == 10
    assert (rows["refused"] != b"").sum() == 2

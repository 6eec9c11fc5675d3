"""What is Dynamixel's own: the bus watchdog, the delay of answers, the hardware error."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest
from servo_arm import Rig

from daytwo.errors import InputError
from daytwo.hardware.bus.dynamixel import Register
from daytwo.hardware.drivers.dynamixel import UNIT, WATCHDOG


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig.of("dynamixel", lag=0.3)
    with rig.emulator:
        yield rig
        rig.emulator.faults = type(rig.emulator.faults)()
        rig.driver.disconnect()


def watchdogs(rig: Rig) -> list[int]:
    return [rig.emulator.get(id, Register.BUS_WATCHDOG) for id in rig.emulator.memory]


def keep_talking(rig: Rig, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        rig.driver.read()
        time.sleep(0.01)


def test_servos_stop_by_themselves_when_nobody_talks_to_them(rig: Rig) -> None:
    """The program is gone; the arm stays where it is then, and does not go on to its goal."""
    rig.driver.connect()
    goal = rig.driver.read().q - 0.5
    rig.driver.command(goal, 1.0)
    time.sleep(WATCHDOG * UNIT + 0.1)
    assert watchdogs(rig) == [-1] * 6
    here = rig.plant.read().q
    assert np.abs(here - goal).min() > 0.1
    time.sleep(0.2)
    np.testing.assert_allclose(rig.plant.read().q, here, atol=2e-3)


def test_a_program_that_paused_goes_on_with_its_next_command(rig: Rig) -> None:
    rig.driver.connect()
    start = rig.driver.read().q
    rig.driver.command(start - 0.5, 1.0)
    time.sleep(WATCHDOG * UNIT + 0.1)
    here = rig.driver.read().q
    keep_talking(rig, 0.3)
    # Looking does not bring the goal from before back to life,
    np.testing.assert_allclose(rig.driver.read().q, here, atol=3e-3)
    assert watchdogs(rig) == [-1] * 6
    rig.driver.command(start - 0.1, 1.0)  # a new one does its work.
    keep_talking(rig, 0.1)
    assert watchdogs(rig) == [WATCHDOG] * 6
    keep_talking(rig, 1.6)
    np.testing.assert_allclose(rig.driver.read().q, start - 0.1, atol=0.01)


def test_talking_keeps_the_watchdog_quiet(rig: Rig) -> None:
    rig.driver.connect()
    goal = rig.driver.read().q - 0.2
    rig.driver.command(goal, 1.0)
    keep_talking(rig, 1.6)
    assert watchdogs(rig) == [WATCHDOG] * 6
    np.testing.assert_allclose(rig.driver.read().q, goal, atol=0.01)


def test_who_leaves_turns_the_watchdog_off(rig: Rig) -> None:
    rig.driver.connect()
    rig.driver.disconnect()
    time.sleep(WATCHDOG * UNIT + 0.1)
    assert watchdogs(rig) == [0] * 6


def test_one_that_tripped_is_cleared_on_connecting(rig: Rig) -> None:
    for memory in rig.emulator.memory.values():
        memory[Register.BUS_WATCHDOG.address] = 0xFF
    rig.driver.connect()
    assert watchdogs(rig) == [WATCHDOG] * 6


def test_servos_are_told_to_answer_at_once_and_pull_with_measure(rig: Rig) -> None:
    assert rig.emulator.get(1, Register.RETURN_DELAY) == 250
    rig.driver.connect()
    for id in rig.emulator.memory:
        assert rig.emulator.get(id, Register.RETURN_DELAY) == 0
        assert rig.emulator.get(id, Register.GOAL_PWM) == pytest.approx(
            885 * (0.75 if id < 6 else 0.51), abs=1
        )


def test_a_hardware_error_has_a_name(rig: Rig) -> None:
    rig.driver.connect()
    rig.emulator.faults.alarm = {4: 1 << 5}
    for _ in range(3):  # an answer says that there is something; what it is is asked then
        rig.driver.read()
    health = rig.driver.read().health
    assert health is not None
    assert health.faults == ("", "", "", "overload", "", "")


def test_a_servo_that_was_turned_round_is_noticed(rig: Rig) -> None:
    rig.emulator.memory[2][Register.DRIVE_MODE.address] = 1
    with pytest.raises(InputError, match=r"'shoulder_lift' \(id 2\): keeps drive_mode 1, the"):
        rig.driver.connect()

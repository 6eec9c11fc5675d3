"""What every arm of bus servos does when its servos or its line fail: both families alike."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from servo_arm import FAMILIES, PATIENT, SO101, Rig

from daytwo.errors import DriverError, InputError
from daytwo.hardware.calibration import Calibration
from daytwo.hardware.drivers.servos import AGAIN, SILENT, ServoConfig
from daytwo.hardware.emulators.servos import nominal
from daytwo.sim.arms import load_arm


@pytest.fixture(params=FAMILIES)
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    rig = Rig.of(request.param)
    with rig.emulator:
        yield rig
        rig.emulator.faults = type(rig.emulator.faults)()
        rig.driver.disconnect()


def torques(rig: Rig) -> list[int]:
    memory = rig.emulator.memory
    at = TORQUE[type(rig.emulator).__name__]
    return [memory[id][at] for id in memory]


TORQUE = {"FeetechEmulator": 40, "DynamixelEmulator": 64}
GOAL = {"FeetechEmulator": 42, "DynamixelEmulator": 116}
POSITION = {"FeetechEmulator": 56, "DynamixelEmulator": 132}


def test_connecting_forgets_the_goal_from_before(rig: Rig) -> None:
    at = GOAL[type(rig.emulator).__name__]
    for memory in rig.emulator.memory.values():
        memory[at : at + 2] = (2300).to_bytes(2, "little")
    before = rig.plant.read().q
    rig.driver.connect()
    time.sleep(0.2)
    np.testing.assert_allclose(rig.plant.read().q, before, atol=2e-3)
    goals = np.array([row for _, row in rig.emulator.goals])
    np.testing.assert_allclose(goals[:, :-1], np.tile(before, (len(goals), 1)), atol=2e-3)
    assert torques(rig) == [1] * 6


def test_commands_reach_the_servos_as_they_were_meant(rig: Rig) -> None:
    with rig.driver as driver:
        q = np.array([0.3, -0.4, 0.5, 1.0, -0.6])
        sent = driver.command(q, 0.5)
        driver.read()
        np.testing.assert_allclose(rig.emulator.goals[-1][1], sent, atol=2e-3)


def test_leaving_switches_every_motor_off(rig: Rig) -> None:
    with rig.driver:
        assert torques(rig) == [1] * 6
    assert torques(rig) == [0] * 6


def test_a_dead_servo_does_not_keep_the_others_powered(rig: Rig) -> None:
    rig.driver.connect()
    rig.emulator.faults.dead = {1}
    with pytest.raises(DriverError, match=r"torque of 'shoulder_pan' may still be on: .*servo 1"):
        rig.driver.disconnect()
    assert torques(rig)[1:] == [0] * 5
    assert not rig.driver.connected
    rig.emulator.faults.dead = set()
    rig.driver.connect()  # the port was closed


def test_a_silent_servo_keeps_its_old_value_and_says_so(rig: Rig) -> None:
    with rig.driver as driver:
        before = driver.read()
        rig.emulator.faults.dead = {3}
        driver.command(before.q - 0.3, 1.0)
        ages = []
        for _ in range(4):
            time.sleep(0.02)
            reading = driver.read()
            assert reading.valid.tolist() == [True, True, False, True, True, True]
            assert reading.q[2] == before.q[2]
            ages.append(reading.age_s[2])
        assert (np.diff(ages) > 0).all()
        assert ages[0] > 0.02
        assert reading.age_s[[0, 1, 3, 4, 5]].max() < 0.02
        np.testing.assert_allclose(np.delete(before.q - reading.q, 2), 0.3, atol=0.05)
        rig.emulator.faults.dead = set()
        assert any(driver.read().valid.all() for _ in range(AGAIN + 1))


def test_a_dead_servo_costs_little_time(rig: Rig) -> None:
    with rig.driver as driver:
        rig.emulator.faults.dead = {2}
        took = []
        for _ in range(SILENT + 2 * AGAIN):
            start = time.monotonic()
            driver.read()
            took.append(time.monotonic() - start)
        rig.emulator.faults.dead = set()
        assert max(took) < 1.5 * PATIENT.timeout
        assert np.median(took[SILENT:]) < PATIENT.timeout / 2  # it is asked now and then only


def test_nobody_answers(rig: Rig) -> None:
    with rig.driver as driver:
        rig.emulator.faults.dead = set(range(1, 7))
        for _ in range(SILENT + 2):
            start = time.monotonic()
            with pytest.raises(DriverError, match=r"arm 'so101': no servo on port .* answers"):
                driver.read()
            assert time.monotonic() - start < 2 * PATIENT.timeout
        assert driver.connected
        rig.emulator.faults.dead = set()
        assert driver.read().valid.all()


def test_an_unplugged_arm(rig: Rig) -> None:
    driver = rig.driver
    driver.connect()
    here = driver.read().q
    rig.emulator.unplug()
    with pytest.raises(DriverError, match=r"still plugged in\?"):
        driver.read()
    assert not driver.connected
    for act in (driver.read, driver.stop, lambda: driver.command(here, 1.0)):
        with pytest.raises(DriverError, match=r"connection broke .*connect\(\) again"):
            act()
    with pytest.raises(InputError, match="there is none; is it plugged in"):
        driver.connect()
    rig.emulator.plug()
    driver.connect()
    assert driver.connected
    np.testing.assert_allclose(driver.read().q, here, atol=2e-3)
    driver.disconnect()


def test_leaving_an_unplugged_arm_does_not_hang(rig: Rig) -> None:
    rig.driver.connect()
    rig.driver.command(rig.driver.read().q + 0.1, 1.0)
    rig.emulator.unplug()
    start = time.monotonic()
    with pytest.raises(DriverError, match=r"still plugged in\?"):
        rig.driver.disconnect()
    assert time.monotonic() - start < 0.5
    assert not rig.driver.connected
    rig.driver.disconnect()
    rig.emulator.plug()


def test_a_command_finds_the_cable_gone(rig: Rig) -> None:
    rig.driver.connect()
    q = rig.driver.read().q
    rig.emulator.unplug()
    with pytest.raises(DriverError):
        rig.driver.command(q, 1.0)
    assert not rig.driver.connected
    rig.emulator.plug()


def test_a_jump_that_no_joint_can_make_is_not_believed(rig: Rig) -> None:
    """One broken packet in 256 has the right sum (Feetech)."""
    with rig.driver as driver:
        before = driver.read()
        rig.emulator.faults.frozen = {2}
        at = POSITION[type(rig.emulator).__name__]
        ticks = int.from_bytes(rig.emulator.memory[2][at : at + 2], "little") + 700
        rig.emulator.memory[2][at : at + 2] = ticks.to_bytes(2, "little")
        jumped = driver.read()
        assert jumped.valid.tolist() == [True, False, True, True, True, True]
        assert jumped.q[1] == before.q[1]
        time.sleep(0.4)  # by now it could have gone there
        later = driver.read()
        assert later.valid.all()
        assert later.q[1] == pytest.approx(before.q[1] + 700 * 2 * np.pi / 4096, abs=3e-3)


def test_what_comes_too_late_is_never_taken_for_new(rig: Rig) -> None:
    with rig.driver as driver:
        before = driver.read().q
        rig.emulator.faults.late = 1.3 * PATIENT.timeout
        driver.command(before - 0.2, 1.0)
        for _ in range(6):
            with pytest.raises(DriverError, match="no servo"):
                driver.read()
        rig.emulator.faults.late = 0.0
        time.sleep(0.2)
        reading = driver.read()
        assert reading.valid.all()
        np.testing.assert_allclose(reading.q, before - 0.2, atol=0.01)


def test_broken_bytes_move_no_joint_and_hide_none_for_long(rig: Rig) -> None:
    with rig.driver as driver:
        before = driver.read()
        rig.emulator.faults.flip = rig.emulator.faults.half = 0.02
        rig.emulator.faults.garbage = 0.05
        missed = np.zeros(6)
        for _ in range(60):
            try:
                reading = driver.read()
            except DriverError:  # all at once
                missed += 1
            else:
                missed = np.where(reading.valid, 0, missed + 1)
                np.testing.assert_allclose(reading.q, before.q, atol=3e-3)
            assert missed.max() <= 4
        rig.emulator.faults = type(rig.emulator.faults)()


def test_health_comes_along(rig: Rig) -> None:
    quick = replace(PATIENT, health_period=0.1)
    rig.driver = FAMILIES[family(rig)][1](SO101, rig.emulator.port, rig.emulator.calibration, quick)
    with rig.driver as driver:
        health = driver.read().health
        assert health is not None
        np.testing.assert_allclose(health.temperature, 30.0)
        np.testing.assert_allclose(health.voltage, 12.0)
        assert health.faults == ("",) * 6
        faults = rig.emulator.faults
        faults.temperature, faults.voltage = {2: 75.0}, {6: 7.4}
        faults.alarm = {5: 1 << 5}
        time.sleep(0.1)
        driver.read()
        health = driver.read().health
        assert health is not None
        assert health.temperature.tolist() == [30, 75, 30, 30, 30, 30]
        assert health.voltage.tolist() == [12, 12, 12, 12, 12, 7.4]
        assert health.faults == ("", "overheating", "", "", "overload", "")
        faults.temperature, faults.alarm = {}, {}
        time.sleep(0.1)
        driver.read()
        health = driver.read().health
        assert health is not None
        assert health.faults == ("",) * 6


def test_stop_holds_where_the_arm_is_and_what_it_holds() -> None:
    rig = Rig.of("feetech", lag=0.2)
    with rig.emulator, rig.driver as driver:
        driver.command(driver.read().q - 0.5, 0.0)
        time.sleep(0.15)
        driver.stop()
        goal = rig.emulator.goals
        deadline = time.monotonic() + 1.0
        while len(goal) < 8 and time.monotonic() < deadline:
            time.sleep(0.01)
        here = rig.plant.read().q
        np.testing.assert_allclose(goal[-1][1][:-1], here, atol=0.1)
        assert np.abs(goal[-1][1][:-1] - goal[-2][1][:-1]).min() > 0.1
        assert goal[-1][1][-1] == pytest.approx(0.0, abs=1e-2)


def family(rig: Rig) -> str:
    return next(name for name, (kind, _) in FAMILIES.items() if isinstance(rig.emulator, kind))


def changed(rig: Rig, name: str, **fields: int) -> Calibration:
    joints = dict(rig.emulator.calibration.joints)
    joints[name] = joints[name].model_copy(update=fields)
    return Calibration(joints)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"homing_offset": 17}, "keeps homing_offset .*, the calibration says 17"),
        ({"range_min": 500}, "keeps range_min .*, the calibration says 500"),
        ({"range_max": 3000}, "keeps range_max .*, the calibration says 3000"),
    ],
)
def test_servos_that_were_not_calibrated_so_are_refused(
    rig: Rig, fields: dict[str, int], says: str
) -> None:
    calibration = changed(rig, "elbow_flex", **fields)
    driver = type(rig.driver)(SO101, rig.emulator.port, calibration, PATIENT)
    with pytest.raises(InputError, match=f"servo 'elbow_flex' \\(id 3\\): {says}.*calibrate"):
        driver.connect()
    assert not driver.connected
    assert len(rig.emulator.goals) == 0
    assert torques(rig) == [0] * 6


def test_another_kind_of_servo_is_refused(rig: Rig) -> None:
    model = {"feetech": 3, "dynamixel": 0}[family(rig)]
    rig.emulator.memory[4][model : model + 2] = b"\x07\x00"
    with pytest.raises(InputError, match=r"'wrist_flex' \(id 4\): has model number 7; known are"):
        rig.driver.connect()
    assert torques(rig) == [0] * 6


def test_a_joint_outside_its_range_is_refused(rig: Rig) -> None:
    servo = rig.emulator.calibration.joints["shoulder_lift"]
    rig.emulator.calibration = changed(
        rig, "shoulder_lift", homing_offset=servo.homing_offset + 1700
    )
    with pytest.raises(InputError, match=r"'shoulder_lift' \(id 2\): stands at .*, outside its"):
        rig.driver.connect()


def test_a_servo_that_is_missing_at_first_is_named(rig: Rig) -> None:
    rig.emulator.faults.dead = {5}
    with pytest.raises(DriverError, match=r"servo 'wrist_roll' \(id 5\).*is it powered"):
        rig.driver.connect()
    assert not rig.driver.connected
    assert torques(rig) == [0] * 6


def test_a_narrower_calibration_narrows_the_limits() -> None:
    arm = nominal(SO101).joints["wrist_flex"]
    joints = dict(nominal(SO101).joints)
    joints["wrist_flex"] = arm.model_copy(update={"range_min": 1547, "range_max": 2547})
    driver = FAMILIES["feetech"][1](SO101, "/dev/none", Calibration(joints))
    at = SO101.joints.index("wrist_flex")
    edge = 500 * 2 * np.pi / 4096
    assert driver.features.lower[at] == pytest.approx(-edge)
    assert driver.features.upper[at] == pytest.approx(edge)
    assert driver.features.lower[0] == SO101.lower[0]


def test_what_is_no_arm_of_servos_is_refused() -> None:
    with pytest.raises(InputError, match="arm 'panda': its gripper's joints are panda_finger"):
        nominal(load_arm("panda"))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"rate": 100.0, "timeout": 0.02}, r"timeout 0.02 s at rate 100.0 Hz"),
        ({"timeout": 0.0}, "timeout 0.0 s"),
        ({"strength": 1.1}, "strength 1.1; give a share"),
    ],
)
def test_settings_that_make_no_sense(fields: dict[str, float], says: str) -> None:
    with pytest.raises(InputError, match=says):
        ServoConfig(**fields)

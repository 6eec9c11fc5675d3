"""What is Feetech's own: settings that survive, torque by a goal, limits of torque."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest
from servo_arm import PATIENT, SO101, Rig

from daytwo.errors import DriverError
from daytwo.hardware.bus.feetech import Instruction, Register
from daytwo.hardware.calibration import Calibration
from daytwo.hardware.drivers.feetech import FeetechDriver
from daytwo.hardware.emulators.feetech import FeetechEmulator
from daytwo.hardware.emulators.lag import LagArm
from daytwo.hardware.emulators.servos import nominal


class Listening(FeetechEmulator):
    """Takes down the requests."""

    def __enter__(self) -> Listening:
        self.requests: list[bytes] = []
        return super().__enter__()

    def _answer(self, request: bytes) -> list[tuple[int, float, bytes]]:
        self.requests.append(request)
        return super()._answer(request)

    def written(self, id: int) -> list[tuple[int, int]]:
        """Addresses and first bytes written to one servo alone."""
        return [(r[5], r[6]) for r in self.requests if r[2] == id and r[4] == Instruction.WRITE]


@pytest.fixture
def emulator() -> Iterator[Listening]:
    with Listening(SO101, LagArm(SO101)) as emulator:
        yield emulator


def driver_of(emulator: FeetechEmulator) -> FeetechDriver:
    return FeetechDriver(SO101, emulator.port, emulator.calibration, PATIENT)


def test_the_goal_is_where_the_servo_is_before_the_torque_comes(emulator: Listening) -> None:
    with driver_of(emulator):
        for id in emulator.memory:
            addresses = [address for address, _ in emulator.written(id)]
            limit = addresses.index(Register.TORQUE_LIMIT.address)
            goal = addresses.index(Register.GOAL.address)
            assert limit < goal < addresses.index(Register.TORQUE.address)


def test_torque_is_limited_the_grippers_most(emulator: Listening) -> None:
    with driver_of(emulator):
        limits = [emulator.get(id, Register.TORQUE_LIMIT) for id in emulator.memory]
        assert limits == [750] * 5 + [510]  # 1.5 of 2.94 N m


def test_what_is_kept_without_power_is_written_once(emulator: Listening) -> None:
    with driver_of(emulator):
        for id in emulator.memory:
            assert emulator.get(id, Register.RETURN_DELAY) == 0
            assert emulator.get(id, Register.P) == 16
            assert emulator.get(id, Register.LOCK) == 1
    emulator.requests.clear()
    with driver_of(emulator):
        kept = [a for id in emulator.memory for a, _ in emulator.written(id) if a < 40]
        assert kept == []


def test_an_arm_that_is_held_is_not_let_go(emulator: Listening) -> None:
    """After a crash the next program takes over an arm that stands in the air."""
    first = driver_of(emulator)
    first.connect()
    first._line.port.close()  # as the system does when a program is killed
    emulator.requests.clear()
    with driver_of(emulator):
        off = [id for id in emulator.memory if (Register.TORQUE.address, 0) in emulator.written(id)]
        assert off == []


class Stubborn(FeetechEmulator):
    """Servo 4 does not take torque."""

    def _answer(self, request: bytes) -> list[tuple[int, float, bytes]]:
        if request[2] == 4 and request[5:7] == bytes((Register.TORQUE.address, 1)):
            return []
        return super()._answer(request)


def test_an_arm_that_cannot_be_held_whole_is_not_held_in_part() -> None:
    with Stubborn(SO101, LagArm(SO101)) as emulator:
        driver = driver_of(emulator)
        with pytest.raises(DriverError, match="servo 4 does not answer"):
            driver.connect()
        assert not driver.connected
        assert [emulator.get(id, Register.TORQUE) for id in emulator.memory] == [0] * 6


def test_one_answer_with_an_alarm_is_no_alarm(emulator: Listening) -> None:
    """A broken packet may come through; a servo in trouble goes on complaining."""
    with driver_of(emulator) as driver:
        driver.read()
        emulator.faults.alarm = {2: 1 << 5}
        assert faults_of(driver) == ("",) * 6
        emulator.faults.alarm = {}
        assert faults_of(driver) == ("",) * 6
        emulator.faults.alarm = {2: 1 << 5}
        faults_of(driver)
        assert faults_of(driver) == ("", "overload", "", "", "", "")


def faults_of(driver: FeetechDriver) -> tuple[str, ...]:
    health = driver.read().health
    assert health is not None
    return health.faults


def test_servos_that_turn_the_other_way() -> None:
    joints = dict(nominal(SO101).joints)
    for name in ("shoulder_lift", "gripper"):
        joints[name] = joints[name].model_copy(update={"drive_mode": 1})
    plant = LagArm(SO101)
    with (
        FeetechEmulator(SO101, plant, Calibration(joints)) as emulator,
        driver_of(emulator) as driver,
    ):
        before = [emulator.get(id, Register.POSITION) for id in (1, 2, 6)]
        q = driver.read().q - 0.3
        driver.command(q, 0.2)
        time.sleep(0.4)
        reading = driver.read()
        np.testing.assert_allclose(reading.q, q, atol=3e-3)
        np.testing.assert_allclose(plant.read().q, q, atol=3e-3)
        assert reading.opening == pytest.approx(0.2 * SO101.gripper.max_opening, abs=1e-3)
        after = [emulator.get(id, Register.POSITION) for id in (1, 2, 6)]
        assert (np.sign(np.subtract(after, before)) == [-1, 1, 1]).all()


def test_a_goal_never_leaves_the_calibrated_range() -> None:
    rig = Rig.of("feetech")
    joints = dict(rig.emulator.calibration.joints)
    joints["shoulder_pan"] = joints["shoulder_pan"].model_copy(
        update={"range_min": 1900, "range_max": 2194}
    )
    emulator = Listening(SO101, LagArm(SO101), Calibration(joints))
    with emulator, driver_of(emulator) as driver:
        for q in (9.0, -9.0):
            driver.command(np.full(5, q), 0.5)
        driver.read()
        goals = [
            Register.GOAL.unpack(r[8:10]) for r in emulator.requests if r[4] == 0x83 and r[5] == 42
        ]
        assert goals == [2194, 1900]

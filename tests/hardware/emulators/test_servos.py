"""Emulated servos: time on the wire, goals as they came in, and faults that are what they say."""

from __future__ import annotations

import time

import numpy as np
import pytest
from servo_arm import SO101, Rig

from daytwo.hardware.bus.feetech import FeetechBus, Register
from daytwo.hardware.bus.serial_port import SerialPort
from daytwo.hardware.emulators.feetech import FeetechEmulator
from daytwo.hardware.emulators.lag import LagArm

IDS = (1, 2, 3, 4, 5, 6)


@pytest.mark.parametrize(("baud", "factor"), [(1_000_000, 1.0), (115_200, 8.68)])
def test_bytes_take_as_long_as_on_a_wire(baud: int, factor: float) -> None:
    """Six answers of 14 bytes to a request of 14: 98 bytes, 0.98 ms at 1 Mbps."""
    with (
        FeetechEmulator(SO101, LagArm(SO101), baud=baud) as emulator,
        SerialPort(emulator.port) as port,
    ):
        bus, took = FeetechBus(port), []
        for _ in range(30):
            start = time.monotonic()
            assert len(bus.sync_read(IDS, 56, 8, start + 0.5)) == 6
            took.append(time.monotonic() - start)
        assert min(took) >= 0.98e-3 * factor
        assert np.median(took) < 0.98e-3 * factor + 5e-3


def test_what_is_written_keeps_the_wire_busy() -> None:
    with (
        FeetechEmulator(SO101, LagArm(SO101), baud=9600) as emulator,
        SerialPort(emulator.port) as port,
    ):
        bus = FeetechBus(port)
        bus.sync_write(Register.ACCELERATION.address, dict.fromkeys(IDS, bytes(1)))
        start = time.monotonic()
        assert bus.sync_read((1,), 56, 2, start + 1.0)
        # 20 bytes written, 9 and 8 for the question and its answer: 37 bytes of 1.04 ms.
        assert time.monotonic() - start >= 0.9 * 37 * 10 / 9600


def test_a_wire_without_time() -> None:
    with (
        FeetechEmulator(SO101, LagArm(SO101), baud=0) as emulator,
        SerialPort(emulator.port) as port,
    ):
        bus, took = FeetechBus(port), []
        for _ in range(50):
            start = time.monotonic()
            bus.sync_read(IDS, 56, 15, start + 0.5)
            took.append(time.monotonic() - start)
        assert min(took) < 1.4e-3  # which it would be


@pytest.mark.parametrize("family", ["feetech", "dynamixel"])
def test_goals_are_kept_as_they_came_in(family: str) -> None:
    rig = Rig.of(family)
    with rig.emulator, rig.driver as driver:
        q = driver.read().q
        before, start = len(rig.emulator.goals), time.monotonic()
        sent = [driver.command(q - 0.01 * k, 0.1 * k) for k in range(5)]
        driver.read()
        got = rig.emulator.goals[before:]
        np.testing.assert_allclose([row for _, row in got], sent, atol=2e-3)
        stamps = [t for t, _ in got]
        assert stamps == sorted(stamps)
        assert start <= stamps[0] <= stamps[-1] <= time.monotonic()


@pytest.mark.parametrize("family", ["feetech", "dynamixel"])
def test_without_torque_a_joint_stays(family: str) -> None:
    rig = Rig.of(family, lag=0.2)
    with rig.emulator:
        with rig.driver as driver:
            driver.command(driver.read().q - 0.5, 0.0)
        rig.plant.connect()
        here = rig.plant.read().q
        time.sleep(0.2)
        np.testing.assert_allclose(rig.plant.read().q, here, atol=1e-3)


def test_frozen_joints_show_where_they_were() -> None:
    rig = Rig.of("feetech")
    with rig.emulator, rig.driver as driver:
        q = driver.read().q
        rig.emulator.faults.frozen = {1}
        driver.command(q - 0.2, 1.0)
        time.sleep(0.3)
        reading = driver.read()
        assert reading.valid.all()
        assert reading.q[0] == q[0]
        np.testing.assert_allclose(reading.q[1:], q[1:] - 0.2, atol=3e-3)


def test_a_second_cable_has_the_same_name() -> None:
    with FeetechEmulator(SO101, LagArm(SO101)) as emulator:
        for _ in range(3):
            with SerialPort(emulator.port) as port:
                assert FeetechBus(port).read(1, Register.MODEL) == 777
            emulator.unplug()
            emulator.unplug()
            emulator.plug()
            emulator.plug()

"""The Franka driver through the real libfranka against franka-sim, and what needs no robot."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import contract
import numpy as np
import pytest
from franka_controller import ADDRESS, serving

from daytwo.errors import DriverError, InputError
from daytwo.hardware.drivers.franka import FrankaDriver
from daytwo.sim.arms import load_arm

pylibfranka = pytest.importorskip(
    "pylibfranka", reason="pylibfranka is not installed: pip install 'daytwo[franka]'"
)
ARM = load_arm("panda")


@pytest.fixture(scope="module")
def server() -> Iterator[None]:
    with serving():
        yield


@pytest.fixture
def driver(server: None) -> Iterator[FrankaDriver]:
    with FrankaDriver(ARM, ADDRESS) as driver:
        yield driver


def fault(driver: FrankaDriver) -> str:
    health = driver.read().health
    assert health is not None
    return health.faults[0]


@pytest.mark.slow
def test_it_stands_until_told_and_follows_a_stream(driver: FrankaDriver) -> None:
    start = driver.read().q
    driver.sleep_until(driver.now() + 0.5)
    np.testing.assert_allclose(driver.read().q, start, atol=0.03)
    for i in range(100):
        driver.command(start + 0.002 * i, 1.0)
        driver.sleep_until(driver.now() + 1.0 / driver.features.rate)
        reading = driver.read()
        assert np.abs(reading.q - (start + 0.002 * i)).max() < 0.15
    driver.sleep_until(driver.now() + 0.5)
    np.testing.assert_allclose(driver.read().q, start + 0.198, atol=0.02)
    assert fault(driver) == ""


@pytest.mark.slow
def test_a_far_target_is_gone_to_within_what_the_controller_accepts(driver: FrankaDriver) -> None:
    start = driver.read().q
    target = start - 0.3
    driver.command(target, 1.0)  # as it stands the controller would refuse it
    driver.sleep_until(driver.now() + 0.3)
    driver.command(start, 1.0)  # and to turn round on the way as well
    driver.sleep_until(driver.now() + 0.2)
    driver.stop()
    driver.sleep_until(driver.now() + 0.6)
    here = driver.read().q
    driver.sleep_until(driver.now() + 0.3)
    np.testing.assert_allclose(driver.read().q, here, atol=0.03)
    assert fault(driver) == ""


@pytest.mark.slow
def test_no_wrong_number_moves_it(driver: FrankaDriver) -> None:
    start = driver.read().q
    for bad in (np.nan, np.inf):
        with pytest.raises(InputError, match="must be finite"):
            driver.command(np.array([bad, *start[1:]]), 1.0)
    driver.sleep_until(driver.now() + 0.2)
    np.testing.assert_allclose(driver.read().q, start, atol=0.03)
    assert fault(driver) == ""


@pytest.mark.slow
def test_a_motion_that_broke_off_is_a_fault_and_is_not_taken_up_again(
    driver: FrankaDriver,
) -> None:
    process = driver._process
    assert process is not None
    time.sleep(0.2)  # packets are missed only from the first one on
    os.kill(process.pid, signal.SIGSTOP)  # no packet for longer than 20 ms
    time.sleep(0.2)
    os.kill(process.pid, signal.SIGCONT)
    until = driver.now() + 2.0
    while not fault(driver) and driver.now() < until:
        time.sleep(0.05)
    assert "communication_constraints_violation" in fault(driver)
    with pytest.raises(DriverError, match="communication_constraints_violation"):
        driver.command(driver.read().q, 1.0)
    driver.disconnect()
    pylibfranka.Robot(ADDRESS, pylibfranka.RealtimeConfig.kIgnore).automatic_error_recovery()
    time.sleep(0.2)
    driver.connect()
    assert fault(driver) == ""


@pytest.mark.slow
def test_the_arm_stands_soon_after_its_process_was_killed(driver: FrankaDriver) -> None:
    start = driver.read().q
    driver.command(start + 0.5, 1.0)
    driver.sleep_until(driver.now() + 0.2)
    assert driver._process is not None
    driver._process.kill()
    time.sleep(0.6)
    with pytest.raises(DriverError, match="Franka controller at"):
        driver.read()
    driver.disconnect()
    robot = pylibfranka.Robot(ADDRESS, pylibfranka.RealtimeConfig.kIgnore)
    here = np.array(robot.read_once().q)
    assert np.abs(here - (start + 0.5)).max() > 0.05
    time.sleep(0.2)
    np.testing.assert_allclose(robot.read_once().q, here, atol=0.01)


def test_what_of_the_contract_needs_no_robot() -> None:
    driver = FrankaDriver(ARM, "127.0.0.1")
    contract.test_features_are_readable_while_disconnected(driver)
    contract.test_nothing_works_while_disconnected_but_disconnecting(driver)
    assert driver.features.lower == ARM.lower


def test_nobody_there_is_said_plainly() -> None:
    driver = FrankaDriver(ARM, "127.9.9.9")
    with pytest.raises(DriverError, match=r"Franka controller at 127\.9\.9\.9: "):
        driver.connect()
    assert not driver.connected


def test_an_arm_of_six_joints_is_no_franka() -> None:
    with pytest.raises(InputError, match="a Franka has 7"):
        FrankaDriver(load_arm("ur5e"), "127.0.0.1")

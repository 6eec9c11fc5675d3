"""The xArm driver through UFACTORY's SDK against an emulated controller, faults at the wire."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from daytwo.errors import DriverError, InputError
from daytwo.hardware.drivers.xarm import XArmDriver
from daytwo.hardware.emulators.xarm import PORT
from daytwo.sim.arms import load_arm

pytest.importorskip("xarm", reason="the SDK is not installed: pip install 'daytwo[xarm]'")

# The SDK's own: it is asked for no reports, so it reminds of a mode that it does not know.
pytestmark = [
    pytest.mark.slow,  # a real controller's time, a third of a minute of it
    pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated"),
]

ARM = load_arm("panda")  # seven joints, as an xArm7
HOME = np.asarray(ARM.home)


@pytest.fixture(scope="module")
def controller(elsewhere: Callable[..., Any]) -> Any:
    return elsewhere("daytwo.hardware.emulators.xarm", "XArmController", "panda")


@pytest.fixture(autouse=True)
def whole(controller: Any) -> Iterator[None]:
    """Each test leaves a controller without faults behind."""
    yield
    controller.call("mend")
    controller.set("error_code", 0)


@pytest.fixture
def driver(controller: Any) -> Iterator[XArmDriver]:
    with XArmDriver(ARM, controller.address, port=PORT) as driver:
        yield driver


def read_for(driver: XArmDriver, seconds: float) -> None:
    until = driver.now() + seconds
    while driver.now() < until:
        driver.read()
        time.sleep(0.05)


def moving(controller: Any) -> bool:
    before = controller.call("plant.read").q
    time.sleep(0.05)
    return bool(np.abs(controller.call("plant.read").q - before).max() > 1e-4)


def test_what_is_streamed_arrives_whole_and_in_order(controller: Any, driver: XArmDriver) -> None:
    before, start = len(controller.get("goals")), driver.read().q
    for i in range(50):
        driver.command(start + 0.002 * (i + 1), 1.0)
        driver.sleep_until(driver.now() + 1.0 / driver.features.rate)
    driver.sleep_until(driver.now() + 0.3)
    goals = np.array([q for _, q in controller.get("goals")[before:]])
    assert len(goals) >= 45  # of two in one period the newer goes
    assert (np.diff(goals, axis=0) > 0).all()
    np.testing.assert_allclose(goals[-1], start + 0.1, atol=1e-6)
    np.testing.assert_allclose(driver.read().q, start + 0.1, atol=1e-3)
    driver.command(HOME, 1.0)
    driver.sleep_until(driver.now() + 0.5)


def test_no_wrong_number_reaches_the_wire(controller: Any, driver: XArmDriver) -> None:
    before = len(controller.get("goals"))
    for bad in (np.nan, np.inf, -np.inf):
        for i in range(7):
            q = HOME.copy()
            q[i] = bad
            with pytest.raises(InputError, match="must be finite"):
                driver.command(q, 1.0)
    driver.sleep_until(driver.now() + 0.1)
    assert len(controller.get("goals")) == before
    driver.command(np.full(7, 50.0), 1.0)  # the SDK would send this
    driver.sleep_until(driver.now() + 0.05)
    driver.stop()
    driver.sleep_until(driver.now() + 0.1)
    goals = np.array([q for _, q in controller.get("goals")[before:]])
    assert len(goals) > 0
    assert (goals <= np.asarray(ARM.upper) + 1e-6).all()
    driver.command(HOME, 1.0)
    driver.sleep_until(driver.now() + 1.5)


def test_without_answers_old_is_never_read_as_new(controller: Any, driver: XArmDriver) -> None:
    controller.set("faults.stalled", True)
    driver.sleep_until(driver.now() + 0.1)
    first = driver.read()
    driver.sleep_until(driver.now() + 0.1)
    second = driver.read()
    assert second.stamp == first.stamp
    assert not first.valid.any()
    assert not second.valid.any()
    np.testing.assert_allclose(second.age_s - first.age_s, 0.1, atol=0.05)
    with pytest.raises(DriverError, match="silent for"):
        read_for(driver, 2.0)
    start = time.monotonic()
    driver.disconnect()
    assert time.monotonic() - start < 3.0


def test_a_target_that_waited_is_not_sent_any_more(controller: Any, driver: XArmDriver) -> None:
    controller.set("faults.stalled", True)
    driver.sleep_until(driver.now() + 0.05)
    goals = len(controller.get("goals"))
    driver.command(HOME + 0.3, 1.0)  # the SDK waits for an answer just then
    time.sleep(0.4)
    controller.set("faults.stalled", False)
    time.sleep(0.4)
    late = controller.get("goals")[goals:]
    assert len(late) <= 1  # at most the one that was on its way when the answers ended
    assert not moving(controller)
    driver.command(HOME, 1.0)
    driver.sleep_until(driver.now() + 0.5)


def test_a_lost_connection_is_told_and_nothing_old_is_sent_afterwards(
    controller: Any, driver: XArmDriver
) -> None:
    driver.command(HOME + 0.1, 1.0)
    driver.sleep_until(driver.now() + 0.05)
    controller.call("drop")
    with pytest.raises(DriverError):
        read_for(driver, 3.0)
    with pytest.raises(DriverError):
        driver.command(HOME + 0.2, 1.0)
    driver.disconnect()
    controller.call("mend")
    goals, here = len(controller.get("goals")), controller.call("plant.read").q
    driver.connect()
    driver.sleep_until(driver.now() + 0.3)
    assert len(controller.get("goals")) == goals
    np.testing.assert_allclose(driver.read().q, here, atol=1e-5)
    driver.command(HOME, 1.0)
    driver.sleep_until(driver.now() + 0.5)


def test_an_error_is_a_fault_of_every_joint_and_clearing_it_does_not_arm(
    controller: Any, driver: XArmDriver
) -> None:
    driver.command(HOME + 0.2, 1.0)
    controller.call("fail", 31)
    driver.sleep_until(driver.now() + 0.3)
    health = driver.read().health
    assert health is not None
    assert health.faults == (*["error 31"] * 7, "")
    goals = len(controller.get("goals"))
    with pytest.raises(DriverError, match="error 31"):
        driver.command(HOME, 1.0)
    driver.disconnect()
    with pytest.raises(DriverError, match="error 31; clear it first"):
        driver.connect()
    driver.clear_errors()
    assert controller.get("error_code") == 0
    assert controller.get("state") == 4, "cleared, but it does not move"
    assert len(controller.get("goals")) == goals
    driver.connect()
    driver.command(HOME, 1.0)
    driver.sleep_until(driver.now() + 0.5)
    np.testing.assert_allclose(driver.read().q, HOME, atol=1e-2)


def test_a_warning_is_told(controller: Any, driver: XArmDriver) -> None:
    controller.set("faults.warn_code", 14)
    driver.sleep_until(driver.now() + 0.3)
    health = driver.read().health
    assert health is not None
    assert health.faults[0] == "warning 14"


KILLED = """
import sys, time
from daytwo.hardware.drivers.xarm import XArmDriver
from daytwo.sim.arms import load_arm

driver = XArmDriver(load_arm("panda"), sys.argv[1], port=int(sys.argv[2]))
driver.connect()
print("moves", flush=True)
q = driver.read().q
while True:
    q = q + 0.002
    driver.command(q, 1.0)
    time.sleep(0.01)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_the_arm_stands_soon_after_who_moved_it_was_killed(
    controller: Any, how: signal.Signals
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, controller.address, str(PORT)], stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"moves\n"
        time.sleep(0.2)
        assert moving(controller), "the arm does not move: nothing is tested"
        os.kill(process.pid, how)
        time.sleep(0.45)
        assert not moving(controller)
    finally:
        process.kill()
        process.wait()


def test_the_gripper_goes_where_it_is_told_and_the_arm_does_not_wait(controller: Any) -> None:
    with XArmDriver(ARM, controller.address, gripper="xarm", port=PORT) as driver:
        for share in (0.0, 0.5, 1.0):
            driver.command(HOME + 0.1 * share, share)
            driver.sleep_until(driver.now() + 0.8)
            reading = driver.read()
            assert reading.valid.all()
            assert reading.opening == pytest.approx(share * ARM.gripper.max_opening, abs=0.001)
            np.testing.assert_allclose(reading.q, HOME + 0.1 * share, atol=0.01)
        driver.command(HOME, 1.0)
        driver.sleep_until(driver.now() + 0.5)


def test_the_sdk_leaves_no_trace_in_the_process(
    controller: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    before = socket.getdefaulttimeout()
    with XArmDriver(ARM, controller.address, port=PORT):
        assert socket.getdefaulttimeout() == before
    assert capfd.readouterr().out == "", "what the SDK prints would spoil `--json`"


def test_what_connects_with_another_number_of_joints_is_refused(controller: Any) -> None:
    with pytest.raises(DriverError, match="it has 7 joints, arm 'ur5e' 6"):
        XArmDriver(load_arm("ur5e"), controller.address, port=PORT).connect()


def test_nobody_there_is_said_plainly() -> None:
    driver = XArmDriver(ARM, "127.9.9.9", port=PORT)
    with pytest.raises(DriverError, match=r"xArm controller at 127\.9\.9\.9:10502: "):
        driver.connect()
    assert not driver.connected


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(InputError, match="none or xarm"):
        XArmDriver(ARM, "127.0.0.1", gripper="claw")  # type: ignore[arg-type]

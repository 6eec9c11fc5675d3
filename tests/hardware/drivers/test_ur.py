"""The UR driver through the real ur_rtde against an emulated controller, faults at the wire."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from daytwo.errors import DriverError, InputError
from daytwo.hardware.drivers.ur import UrDriver, model_of
from daytwo.sim.arms import load_arm

pytestmark = pytest.mark.slow  # a real controller's time, half a minute of it

pytest.importorskip("rtde_control", reason="ur_rtde is not installed: pip install 'daytwo[ur]'")

ARM = load_arm("ur5e")
HOME = np.asarray(ARM.home)


@pytest.fixture(scope="module")
def controller(elsewhere: Callable[..., Any]) -> Any:
    return elsewhere("daytwo.hardware.emulators.ur", "URController", "ur5e")


@pytest.fixture(autouse=True)
def whole(controller: Any) -> Iterator[None]:
    """Each test begins and ends with a controller without faults and an arm at home."""
    yield
    for fault in ("stalled", "dropped", "frozen", "protective_stop"):
        controller.set(f"faults.{fault}", False)
    controller.set("faults.safety_mode", 1)
    time.sleep(0.05)


@pytest.fixture
def driver(controller: Any) -> Iterator[UrDriver]:
    with UrDriver(ARM, controller.address) as driver:
        yield driver


def read_for(driver: UrDriver, seconds: float) -> None:
    until = driver.now() + seconds
    while driver.now() < until:
        driver.read()
        time.sleep(0.05)


def moving(controller: Any) -> bool:
    before = controller.call("plant.read").q
    time.sleep(0.05)
    return bool(np.abs(controller.call("plant.read").q - before).max() > 1e-4)


def stream(driver: UrDriver, seconds: float, step: float = 0.002) -> np.ndarray:
    """Joint targets as a governor sends them, a little further each time; the last one."""
    q = driver.read().q
    for _ in range(int(seconds * driver.features.rate)):
        driver.read()
        q = q + step
        driver.command(q, 1.0)
        driver.sleep_until(driver.now() + 1.0 / driver.features.rate)
    return q


def test_what_is_streamed_arrives_whole_and_in_order(controller: Any, driver: UrDriver) -> None:
    before = len(controller.get("goals"))
    start = driver.read().q
    last = stream(driver, 0.5)
    goals = np.array([q for _, q in controller.get("goals")[before:]])
    np.testing.assert_allclose(goals[-1], last)
    np.testing.assert_allclose(goals, [start + 0.002 * (i + 1) for i in range(50)], atol=1e-9)
    driver.sleep_until(driver.now() + 0.3)
    np.testing.assert_allclose(driver.read().q, last, atol=1e-3)
    driver.command(HOME, 1.0)
    driver.sleep_until(driver.now() + 0.5)


def test_another_model_is_refused_by_its_name(controller: Any) -> None:
    controller.set("model", "UR10")
    before = len(controller.get("goals"))
    try:
        with pytest.raises(DriverError, match="it moves a UR10e, and the arm's file is a UR5e's"):
            UrDriver(ARM, controller.address).connect()
        assert not controller.get("running"), "no program was started"
        with UrDriver(ARM.model_copy(update={"name": "bench"}), controller.address):
            pass  # whose name is no model's
        controller.set("model", "could not understand: 'get robot model'")
        with UrDriver(ARM, controller.address):
            pass  # old software
    finally:
        controller.set("model", "UR5")
    assert len(controller.get("goals")) == before


@pytest.mark.parametrize(
    ("name", "model"),
    [("ur5e", "UR5e"), ("ur10", "UR10"), ("UR20-left", "UR20"), ("ur5e_2", "UR5e"), ("urchin", "")],
)
def test_an_arms_name_may_be_a_models(name: str, model: str) -> None:
    assert model_of(name) == model


def test_no_wrong_number_reaches_the_wire(controller: Any, driver: UrDriver) -> None:
    before = len(controller.get("goals"))
    for bad in (np.nan, np.inf, -np.inf):
        for i in range(6):
            q = HOME.copy()
            q[i] = bad
            with pytest.raises(InputError, match="must be finite"):
                driver.command(q, 1.0)
    driver.sleep_until(driver.now() + 0.1)
    assert len(controller.get("goals")) == before
    driver.command(np.full(6, 99.0), 1.0)  # the client would send this
    driver.stop()
    driver.sleep_until(driver.now() + 0.1)
    goals = np.array([q for _, q in controller.get("goals")[before:]])
    assert (goals <= np.asarray(ARM.upper) + 1e-12).all()
    driver.command(HOME, 1.0)
    driver.sleep_until(driver.now() + 2.0)


@pytest.mark.parametrize("fault", ["stalled", "frozen"])
def test_a_stream_that_stands_still_is_never_read_as_new(
    controller: Any, driver: UrDriver, fault: str
) -> None:
    stamp = driver.read().stamp
    controller.set(f"faults.{fault}", True)
    driver.sleep_until(driver.now() + 0.1)
    first = driver.read()
    assert stamp <= first.stamp
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
    time.sleep(0.2)
    assert not controller.get("running"), "its watchdog must have ended the program"


def test_a_lost_connection_is_told_and_not_mended_in_secret(
    controller: Any, driver: UrDriver
) -> None:
    last = stream(driver, 0.1)
    controller.set("faults.dropped", True)
    time.sleep(0.3)
    controller.set("faults.dropped", False)
    goals = len(controller.get("goals"))
    with pytest.raises(DriverError):
        read_for(driver, 2.0)
    with pytest.raises(DriverError):
        driver.command(last, 1.0)
    time.sleep(0.3)
    assert len(controller.get("goals")) == goals
    assert not moving(controller)


def test_connected_again_after_a_pause_nothing_old_is_sent(controller: Any) -> None:
    with UrDriver(ARM, controller.address) as driver:
        far = np.array([2.5, *HOME[1:]])
        driver.command(far, 1.0)
        driver.sleep_until(driver.now() + 0.1)
        controller.set("faults.dropped", True)
        driver.sleep_until(driver.now() + 0.3)
        driver.disconnect()
        controller.set("faults.dropped", False)
        time.sleep(0.2)
        goals, here = len(controller.get("goals")), controller.call("plant.read").q
        assert np.abs(here - far).max() > 0.1
        driver.connect()
        driver.sleep_until(driver.now() + 0.4)
        assert len(controller.get("goals")) == goals
        np.testing.assert_allclose(driver.read().q, here, atol=1e-6)
        driver.command(HOME, 1.0)
        driver.sleep_until(driver.now() + 1.0)


def test_a_protective_stop_is_a_fault_of_every_joint(controller: Any, driver: UrDriver) -> None:
    stream(driver, 0.1)
    controller.set("faults.protective_stop", True)
    driver.sleep_until(driver.now() + 0.1)
    health = driver.read().health
    assert health is not None
    assert all("protective stop" in fault for fault in health.faults[:6])
    with pytest.raises(DriverError, match="the control program"):
        driver.command(HOME, 1.0)
    controller.set("faults.protective_stop", False)
    goals = len(controller.get("goals"))
    driver.sleep_until(driver.now() + 0.2)
    with pytest.raises(DriverError, match="the control program"):  # it does not re-arm
        driver.command(HOME, 1.0)
    assert len(controller.get("goals")) == goals


def test_an_emergency_stop_is_named(controller: Any, driver: UrDriver) -> None:
    controller.set("faults.safety_mode", 7)
    driver.sleep_until(driver.now() + 0.1)
    health = driver.read().health
    assert health is not None
    assert "robot emergency stop" in health.faults[0]


KILLED = """
import sys, time
from daytwo.hardware.drivers.ur import UrDriver
from daytwo.sim.arms import load_arm
import numpy as np

arm = load_arm("ur5e")
driver = UrDriver(arm, sys.argv[1])
driver.connect()
print(driver._process.pid, flush=True)
q = driver.read().q
while True:
    q = q - 0.002
    driver.command(q, 1.0)
    driver.read()
    time.sleep(0.01)
"""


@pytest.mark.parametrize("who", ["driver", "link", "both"])
def test_the_arm_stands_soon_after_who_moved_it_was_killed(controller: Any, who: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, controller.address], stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        link = int(process.stdout.readline())
        time.sleep(0.3)
        assert moving(controller), "the arm does not move: nothing is tested"
        if who in ("link", "both"):
            os.kill(link, signal.SIGKILL)
        if who in ("driver", "both"):
            process.kill()
        time.sleep(0.45)
        assert not moving(controller)
    finally:
        process.kill()
        process.wait()


def test_nobody_there_is_said_plainly() -> None:
    driver = UrDriver(ARM, "127.9.9.9")
    with pytest.raises(DriverError, match=r"UR controller at 127\.9\.9\.9: .*"):
        driver.connect()
    assert not driver.connected


def test_the_gripper_goes_where_it_is_told(controller: Any) -> None:
    with UrDriver(ARM, controller.address, gripper="robotiq") as driver:
        for share in (0.0, 0.5, 1.0):
            driver.command(driver.read().q, share)
            driver.sleep_until(driver.now() + 0.8)
            reading = driver.read()
            assert reading.valid.all()
            assert reading.opening == pytest.approx(share * ARM.gripper.max_opening, abs=0.002)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"gripper": "claw"}, "none or robotiq"),
        ({"lookahead": 0.5}, "0.03 to 0.2"),
        ({"gain": float("nan")}, "100 to 2000"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        UrDriver(ARM, "127.0.0.1", **settings)


def test_an_arm_of_seven_joints_is_no_ur() -> None:
    with pytest.raises(InputError, match="a UR has 6"):
        UrDriver(load_arm("panda"), "127.0.0.1")

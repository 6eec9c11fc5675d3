"""The Franka driver through the real libfranka against franka-sim, which has an environment of its
own because it wants an older MuJoCo. It enforces the interface's limits of motion and of lost
packets, as a real controller does.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from daytwo.errors import DriverError, InputError
from daytwo.hardware.drivers.franka import FrankaDriver
from daytwo.sim.arms import load_arm

pylibfranka = pytest.importorskip(
    "pylibfranka", reason="pylibfranka is not installed: pip install 'daytwo[franka]'"
)
# The simulated controller has to keep its millisecond, which a machine with few cores does not do
# for it: there it breaks motions off. So it runs where it is asked for.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        "DAYTWO_FRANKA_SIM" not in os.environ,
        reason="needs a machine that keeps a millisecond: set DAYTWO_FRANKA_SIM=1",
    ),
]

ARM = load_arm("panda")
ROOT = Path(__file__).resolve().parents[3]
ENVIRONMENT = ROOT / ".venv-franka"
ADDRESS, PORT = "127.42.0.1", 1337


def franka_sim() -> Path:
    """The Python that has franka-sim; skips where it cannot be installed."""
    python = ENVIRONMENT / "bin" / "python"
    try:
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True)
        if subprocess.run([python, "-c", "import franka_sim"], capture_output=True).returncode:
            install = [python, "-m", "pip", "install", "-q", "franka-sim==1.1.7"]
            subprocess.run(install, check=True, capture_output=True, timeout=240)
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"franka-sim does not install here: {error}")
    return python


@pytest.fixture(scope="module")
def server() -> Iterator[None]:
    script = Path(__file__).with_name("franka_server.py")
    with subprocess.Popen(
        [franka_sim(), str(script), ADDRESS, str(ARM.urdf)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                socket.create_connection((ADDRESS, PORT), timeout=1).close()
                break
            except OSError:
                time.sleep(0.2)
        time.sleep(0.5)
        yield
        process.kill()


@pytest.fixture
def driver(server: None) -> Iterator[FrankaDriver]:
    with FrankaDriver(ARM, ADDRESS) as driver:
        yield driver


def fault(driver: FrankaDriver) -> str:
    health = driver.read().health
    assert health is not None
    return health.faults[0]


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


def test_no_wrong_number_moves_it(driver: FrankaDriver) -> None:
    start = driver.read().q
    for bad in (np.nan, np.inf):
        with pytest.raises(InputError, match="must be finite"):
            driver.command(np.array([bad, *start[1:]]), 1.0)
    driver.sleep_until(driver.now() + 0.2)
    np.testing.assert_allclose(driver.read().q, start, atol=0.03)
    assert fault(driver) == ""


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


def test_nobody_there_is_said_plainly() -> None:
    driver = FrankaDriver(ARM, "127.9.9.9")
    with pytest.raises(DriverError, match=r"Franka controller at 127\.9\.9\.9: "):
        driver.connect()
    assert not driver.connected


def test_an_arm_of_six_joints_is_no_franka() -> None:
    with pytest.raises(InputError, match="a Franka has 7"):
        FrankaDriver(load_arm("ur5e"), "127.0.0.1")

"""The contract of all drivers, kept across processes."""

import pytest

pytest.importorskip("rclpy")

from contract import *  # noqa: F403
from driver_client import DriverClient, executable

from daytwo.sim.arms import load_arm
from daytwo_ros.arm import RosArm

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def driver(start_for_file, spun):
    arm = load_arm("panda")
    start_for_file(*executable("arm_driver", "/cell", autostart="true"))
    DriverClient(spun, "/cell", arm).wait("hold")
    driver = RosArm(arm, spun, "/cell")
    yield driver
    driver.disconnect()

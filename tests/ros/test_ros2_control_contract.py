"""The contract of all drivers, kept through a joint_trajectory_controller."""

import pytest

pytest.importorskip("rclpy")

from contract import *  # noqa: F403

from daytwo.hardware.emulators.control import launched
from daytwo.hardware.opening import open_arm
from daytwo.sim.arms import load_arm

pytestmark = pytest.mark.slow

ARMS = {
    "panda": {"gripper": "/gripper_controller/joint_trajectory"},
    "so101": {"gripper": "with_arm", "controller": "/follower/joint_trajectory"},
}


@pytest.fixture(scope="module", params=ARMS)
def driver(sourced, request):
    with launched("ros2_control", request.param) as (domain, _):
        settings = ARMS[request.param] | {"domain": domain}
        driver, scene = open_arm("ros2_control", load_arm(request.param), settings)
        assert scene is None
        yield driver
        driver.disconnect()

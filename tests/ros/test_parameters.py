"""The parameter files that are shipped, as a node reads them."""

import json
from pathlib import Path

import pytest

pytest.importorskip("rclpy")

import rclpy
from rclpy.context import Context
from workspace import INSTALL

from daytwo.hardware.opening import check_settings
from daytwo.sim.arms import load_arm

ARMS = {"panda", "ur5e", "so101"}
SHIPPED = sorted((INSTALL / "share" / "daytwo_bringup" / "config").glob("*.yaml"))


def test_there_is_one_an_arm() -> None:
    assert {path.stem for path in SHIPPED} == {
        *ARMS,
        "so101_feetech",
        "ur5e_ur",
        "ur5e_ros2_control",
    }


@pytest.mark.parametrize("path", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_it_names_an_arm_that_loads(environment: dict[str, str], path: Path) -> None:
    context = Context()
    rclpy.init(args=["--ros-args", "--params-file", str(path)], context=context)
    node = rclpy.create_node("any", context=context)
    try:
        arm = node.declare_parameter("arm", "").value
        loaded = load_arm(arm)
        assert loaded.name == path.stem.partition("_")[0]
        driver = node.declare_parameter("driver", "twin").value
        settings = json.loads(node.declare_parameter("settings", "{}").value)
        check_settings(driver, loaded, settings)
    finally:
        node.destroy_node()
        rclpy.shutdown(context=context)

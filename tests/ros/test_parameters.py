"""The parameter files that are shipped, as a node reads them."""

import json
from pathlib import Path

import pytest

pytest.importorskip("rclpy")

import rclpy
from rclpy.context import Context
from workspace import INSTALL

from daytwo.errors import InputError
from daytwo.hardware.opening import check_settings
from daytwo.sim.arms import load_arm
from daytwo_ros.processes import arm_of
from daytwo_ros.things import Things

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
        assert arm_of(path) == arm
        driver = node.declare_parameter("driver", "twin").value
        settings = json.loads(node.declare_parameter("settings", "{}").value)
        check_settings(driver, loaded, settings)
        if node.declare_parameter("source", "twin").value == "tracker":
            topics = node.declare_parameter("topics", [""]).value
            sizes = node.declare_parameter("sizes", [0.0]).value
            things = Things(sizes, node.declare_parameter("pedestal", [0.0]).value)
            assert len(things.sizes) == len(topics)
            assert all(2 * size < loaded.gripper.max_opening for size in sizes)
    finally:
        node.destroy_node()
        rclpy.shutdown(context=context)


@pytest.mark.parametrize("text", ["", "/**: {}", "arm: panda", "/**: [", None])
def test_a_file_that_names_no_arm_is_named(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "mine.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=r"mine\.yaml: names no arm"):
        arm_of(path)

"""Launch files, where `ros2 launch` is installed; the wheels have none."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("launch_ros")

from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    SetEnvironmentVariable,
)
from launch_ros.actions import Node
from workspace import INSTALL

from daytwo_ros import launching
from daytwo_ros.alive import PARENT
from daytwo_ros.processes import GRAPHS

# As `ros2 launch` does it (ros2launch/api/api.py).
LAUNCHED = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
source = PythonLaunchDescriptionSource(sys.argv[1])
given = [tuple(word.split(":=")) for word in sys.argv[2:]]
service = LaunchService()
included = IncludeLaunchDescription(source, launch_arguments=given)
service.include_launch_description(LaunchDescription([included]))
service.run()
"""
LAUNCH = INSTALL / "share/daytwo_bringup/launch"


def described(name: str) -> LaunchDescription:
    return runpy.run_path(str(LAUNCH / f"{name}.launch.py"))["generate_launch_description"]()


def visited(name: str, **given: str) -> LaunchContext:
    """The context after everything but processes; what a launch's own begins with."""
    context = LaunchContext()
    context.launch_configurations.update(given)
    for entity in described(name).entities:
        if isinstance(entity, DeclareLaunchArgument | SetEnvironmentVariable):
            entity.visit(context)
    return context


@pytest.fixture(autouse=True)
def sourced(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell in which the workspace is sourced and nothing else is said."""
    monkeypatch.setenv("AMENT_PREFIX_PATH", environment["AMENT_PREFIX_PATH"])
    for name in ("ROS_AUTOMATIC_DISCOVERY_RANGE", "FASTRTPS_DEFAULT_PROFILES_FILE", PARENT):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", GRAPHS)
def test_it_starts_the_graphs_nodes(name: str) -> None:
    nodes = [each for each in described(name).entities if isinstance(each, Node)]
    assert tuple(node.node_executable for node in nodes) == GRAPHS[name].executables


@pytest.mark.parametrize("name", [*GRAPHS, "train"])
def test_what_it_starts_stays_on_this_machine_and_ends_with_it(name: str, monkeypatch) -> None:
    told = visited(name).environment
    assert told["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    assert Path(told["FASTRTPS_DEFAULT_PROFILES_FILE"]).name == "fastdds.xml"
    assert Path(told["FASTRTPS_DEFAULT_PROFILES_FILE"]).is_file()
    assert told[PARENT] == str(os.getpid())
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "SUBNET")
    assert visited(name).environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "SUBNET"


def test_rviz_shows_the_arm_that_the_parameter_file_names() -> None:
    context = visited("deploy", arm="so101_feetech")
    state, rviz = launching.shown(context)
    assert state.node_package == "robot_state_publisher"
    assert rviz.node_package == "rviz2"


def launched(environment: dict[str, str], name: str, *given: str) -> str:
    """What `ros2 launch` says until it ends."""
    words = [sys.executable, "-c", LAUNCHED, str(LAUNCH / f"{name}.launch.py"), *given]
    done = subprocess.run(
        words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return done.stdout


@pytest.mark.slow
def test_nodes_come_up_with_what_they_are_given(environment: dict[str, str]) -> None:
    """Without a memory the arm is refused, which ends all of it with the reason."""
    said = launched(environment, "deploy", "arm:=so101", "memory:=/nowhere")
    assert "arm_driver: memory /nowhere: there is none" in said
    assert "config/so101.yaml" in said


@pytest.mark.slow
def test_train_is_the_command(environment: dict[str, str]) -> None:
    said = launched(environment, "train", "textbook:=nonsense", "run:=/nowhere")
    assert "nonsense" in said
    assert "Traceback" not in said

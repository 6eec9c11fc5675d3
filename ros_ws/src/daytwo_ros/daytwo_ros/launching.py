"""The graphs of `daytwo_ros.processes` as launch descriptions; imported by launch files alone."""

from __future__ import annotations

import os
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    OpaqueFunction,
    SetEnvironmentVariable,
    Shutdown,
)
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterFile, ParameterValue

from daytwo.sim.arms import load_arm
from daytwo_ros.alive import PARENT
from daytwo_ros.environment import on_loopback
from daytwo_ros.processes import ALWAYS, GRAPHS, PACKAGE, arm_of


def share() -> Path:
    """Where parameters, middleware settings and views lie."""
    return Path(get_package_share_directory("daytwo_bringup"))


def here() -> list[SetEnvironmentVariable]:
    """Processes that are started after this end with `ros2 launch`, and stay on this machine.

    SIGTERM to `ros2 launch` leaves its nodes running, if they do not look.
    """
    set_to = {PARENT: str(os.getpid())} | on_loopback(share() / "config/fastdds.xml", os.environ)
    return [SetEnvironmentVariable(name, value) for name, value in set_to.items()]


def describe(name: str) -> LaunchDescription:
    """Every process of a graph; the end of any is the end of all."""
    graph = GRAPHS[name]
    config = [str(share() / "config"), "/", LaunchConfiguration("arm"), ".yaml"]
    given = {
        each.name: ParameterValue(LaunchConfiguration(each.name), value_type=each.kind)
        for each in graph.parameters
    }
    return LaunchDescription(
        [
            *here(),
            DeclareLaunchArgument(
                "arm", default_value="panda", description="name of a parameter file"
            ),
            DeclareLaunchArgument("rviz", default_value="false", description="show it in RViz"),
            *(
                DeclareLaunchArgument(each.name, default_value=each.default)
                for each in graph.parameters
            ),
            *(
                Node(
                    package=PACKAGE,
                    executable=executable,
                    parameters=[ParameterFile(config), ALWAYS | given],
                    output="screen",
                    on_exit=Shutdown(),
                )
                for executable in graph.executables
            ),
            OpaqueFunction(function=shown, condition=IfCondition(LaunchConfiguration("rviz"))),
        ]
    )


def shown(context: LaunchContext) -> list[Node]:
    """What RViz needs, and RViz."""
    config = share() / "config" / f"{LaunchConfiguration('arm').perform(context)}.yaml"
    arm, view = load_arm(arm_of(config)), str(share() / "rviz/daytwo.rviz")
    description = {"robot_description": ParameterValue(Path(arm.urdf).read_text(), value_type=str)}
    return [
        Node(
            package="robot_state_publisher",
            executable="robot_state_publisher",
            parameters=[description],
        ),
        Node(package="rviz2", executable="rviz2", arguments=["-d", view, "-f", arm.base_link]),
    ]

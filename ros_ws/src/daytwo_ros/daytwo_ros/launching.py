"""The graphs of `daytwo_ros.processes` as launch descriptions; imported by launch files alone."""

from __future__ import annotations

import os
from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    OpaqueFunction,
    SetEnvironmentVariable,
    Shutdown,
)
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from daytwo.sim.arms import load_arm
from daytwo_ros.alive import PARENT
from daytwo_ros.processes import ALWAYS, GRAPHS, PACKAGE

BRINGUP = "daytwo_bringup"


def describe(name: str) -> LaunchDescription:
    """Every process of a graph; the end of any is the end of all."""
    graph = GRAPHS[name]
    config = PathJoinSubstitution(
        [FindPackageShare(BRINGUP), "config", [LaunchConfiguration("arm"), ".yaml"]]
    )
    given = {
        each.name: ParameterValue(LaunchConfiguration(each.name), value_type=each.kind)
        for each in graph.parameters
    }
    return LaunchDescription(
        [
            # SIGTERM to `ros2 launch` leaves its nodes running, if they did not look.
            SetEnvironmentVariable(PARENT, str(os.getpid())),
            DeclareLaunchArgument("arm", default_value="panda"),
            DeclareLaunchArgument("rviz", default_value="false", description="show it in RViz"),
            *(
                DeclareLaunchArgument(each.name, default_value=each.default)
                for each in graph.parameters
            ),
            *(
                Node(
                    package=PACKAGE,
                    executable=executable,
                    parameters=[config, ALWAYS | given],
                    output="screen",
                    on_exit=Shutdown(),
                )
                for executable in graph.executables
            ),
            OpaqueFunction(function=_shown, condition=IfCondition(LaunchConfiguration("rviz"))),
        ]
    )


def _shown(context: LaunchContext) -> list[Node]:
    """What RViz needs, and RViz."""
    arm = load_arm(LaunchConfiguration("arm").perform(context))
    view = PathJoinSubstitution([FindPackageShare(BRINGUP), "rviz", "daytwo.rviz"])
    description = {"robot_description": ParameterValue(Path(arm.urdf).read_text(), value_type=str)}
    return [
        Node(
            package="robot_state_publisher",
            executable="robot_state_publisher",
            parameters=[description],
        ),
        Node(package="rviz2", executable="rviz2", arguments=["-d", view, "-f", arm.base_link]),
    ]

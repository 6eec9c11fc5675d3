"""A study, as `daytwo train` does it.

ros2 launch daytwo_bringup train.launch.py textbook:=first_steps arm:=panda run:=PATH
"""

import sys

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess
from launch.substitutions import LaunchConfiguration as Given

from daytwo_ros.launching import here


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription(
        [
            *here(),
            DeclareLaunchArgument("textbook", default_value="first_steps"),
            DeclareLaunchArgument("arm", default_value="panda"),
            DeclareLaunchArgument("run", default_value="runs/first_steps"),
            ExecuteProcess(
                cmd=[
                    sys.executable,
                    "-m",
                    "daytwo_ros.study",  # ends with `ros2 launch`
                    "train",
                    Given("textbook"),
                    "--arm",
                    Given("arm"),
                    "--run",
                    Given("run"),
                ],
                output="screen",
                sigterm_timeout="60",  # it saves what was learnt
            ),
        ]
    )

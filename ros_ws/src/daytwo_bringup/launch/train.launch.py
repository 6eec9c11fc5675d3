"""A study, as `daytwo train` does it.

ros2 launch daytwo_bringup train.launch.py textbook:=first_steps arm:=panda run:=PATH
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess
from launch.substitutions import LaunchConfiguration as Given


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription(
        [
            DeclareLaunchArgument("textbook", default_value="first_steps"),
            DeclareLaunchArgument("arm", default_value="panda"),
            DeclareLaunchArgument("run", default_value="runs/first_steps"),
            ExecuteProcess(
                cmd=[
                    "daytwo",
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

"""An arm, its objects, its memory, what learns, and the action `run_skill`.

ros2 launch daytwo_bringup deploy.launch.py arm:=panda memory:=PATH [rviz:=true]
"""

from launch import LaunchDescription

from daytwo_ros.launching import describe


def generate_launch_description() -> LaunchDescription:
    return describe("deploy")

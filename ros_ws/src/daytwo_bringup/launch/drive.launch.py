"""Attempts again and again, kept by nobody: to see, or to measure, how commands reach an arm.

ros2 launch daytwo_bringup drive.launch.py arm:=panda memory:=PATH seconds:=60.0
"""

from launch import LaunchDescription

from daytwo_ros.launching import describe


def generate_launch_description() -> LaunchDescription:
    return describe("drive")

"""Two days on the twin with a night between them, and a report in the memory's folder.

ros2 launch daytwo_bringup twin_day.launch.py memory:=PATH tasks:="[reach, pick]" attempts:=3
"""

from launch import LaunchDescription

from daytwo_ros.launching import describe


def generate_launch_description() -> LaunchDescription:
    return describe("twin_day")

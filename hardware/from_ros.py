"""What lives in `daytwo_ros`, by its name: it needs rclpy, which the library never imports."""

from __future__ import annotations

import importlib
from types import ModuleType

from daytwo.errors import InputError

SOURCE = "source ros_ws/install/local_setup.bash"


def from_ros(name: str) -> ModuleType:
    """A module of `daytwo_ros`.

    Args:
        name: of it, without the package's.

    Raises:
        InputError: the workspace is not sourced, or ROS 2 is not whole.
    """
    try:
        return importlib.import_module(f"daytwo_ros.{name}")
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] == "daytwo_ros":
            why = f"daytwo_ros is not found; build the workspace (make ros) and: {SOURCE}"
        else:
            why = f"{error.name} is not found; `make ros` installs ROS 2, or source your own"
        raise InputError(f"ros2_control: {why}") from error
    except ImportError as error:  # a library that it is made of
        raise InputError(f"ros2_control: ROS 2 is not whole: {error}") from error

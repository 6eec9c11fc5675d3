"""Opens an arm's driver by its name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal

from daytwo.errors import InputError
from daytwo.hardware.calibrations import calibration_of
from daytwo.hardware.driver import ArmDriver
from daytwo.hardware.from_ros import from_ros
from daytwo.hardware.objects import ObjectSource
from daytwo.sim.arms import Arm

EMULATED = "emulated"  # the port or host of whoever has no arm
DRIVERS = (
    "twin",
    "mujoco",
    "feetech",
    "dynamixel",
    "ur",
    "xarm",
    "franka",
    "ros2_control",
)
SIMULATED = ("twin", "mujoco")

Gripper = Literal["none", "robotiq"]


def check_driver(name: str) -> None:
    """Refuse a name that is no driver's.

    Raises:
        InputError: there is no such driver.
    """
    if name not in DRIVERS:
        raise InputError(f"driver '{name}': there is none; there are: {', '.join(DRIVERS)}")


def check_settings(name: str, arm: Arm, settings: dict[str, Any]) -> None:
    """Refuse settings that a driver does not have, or lacks; their values show when it is opened.

    Raises:
        InputError: there is no such driver, an unknown setting, or one is missing.
    """
    check_driver(name)
    known = inspect.signature(_makers(arm)[name]).parameters
    unknown = [key for key in settings if key not in known]
    missing = [key for key, p in known.items() if p.default is p.empty and key not in settings]
    for what, keys in (("unknown", unknown), ("missing", missing)):
        if keys:
            raise InputError(
                f"driver '{name}': {what} setting {', '.join(keys)}; it has: {', '.join(known)}"
            )


def wants_emulator(settings: Mapping[str, Any]) -> bool:
    """Whether a driver's settings ask for an emulator in the place of an arm
    (`hardware/emulators/emulated.py`).
    """
    return EMULATED in (settings.get("port"), settings.get("host"))


def brings_objects(name: str, settings: Mapping[str, Any]) -> bool:
    """Whether an arm simulates objects of its own; any other needs somebody who sees them."""
    return name in SIMULATED or wants_emulator(settings)


def open_arm(
    name: str, arm: Arm, settings: dict[str, Any]
) -> tuple[ArmDriver, ObjectSource | None]:
    """An arm in real time, not connected yet, and the scene of objects that it simulates, if any.

    Args:
        name: one of DRIVERS.
        arm: the arm.
        settings: of the driver, by the names of its parameters below.

    Raises:
        InputError: there is no such driver or setting, one is missing or wrong, or the maker's
            client or ROS 2 is not there.
    """
    check_settings(name, arm, settings)
    made = _makers(arm)[name](**settings)
    # Only simulated arms bring objects; they are their own scene.
    return made, made if isinstance(made, ObjectSource) else None


def _makers(arm: Arm) -> dict[str, Callable[..., ArmDriver]]:
    """What makes each driver, from its settings."""
    # Imported late: each brings a physics engine or a maker's client.

    def twin(hidden: int | None = None) -> ArmDriver:
        from daytwo.hardware.drivers.twin import TwinContext, TwinDriver

        context = TwinContext() if hidden is None else TwinContext.draw(hidden)
        return TwinDriver(arm, context, realtime=True)

    def mujoco(hidden: int | None = None) -> ArmDriver:
        from daytwo.hardware.drivers.mujoco import MujocoDriver
        from daytwo.hardware.drivers.twin import TwinContext

        context = TwinContext() if hidden is None else TwinContext.draw(hidden)
        return MujocoDriver(arm, context, realtime=True)

    def feetech(port: str, calibration: str | None = None) -> ArmDriver:
        from daytwo.hardware.drivers.feetech import FeetechDriver

        return FeetechDriver(arm, port, calibration_of(arm, port, calibration))

    def dynamixel(port: str, calibration: str | None = None) -> ArmDriver:
        from daytwo.hardware.drivers.dynamixel import DynamixelDriver

        return DynamixelDriver(arm, port, calibration_of(arm, port, calibration))

    def ur(host: str, gripper: Gripper = "none") -> ArmDriver:
        from daytwo.hardware.drivers.ur import UrDriver

        return UrDriver(arm, host, gripper)

    def xarm(host: str, gripper: Literal["none", "xarm"] = "none", port: int = 502) -> ArmDriver:
        from daytwo.hardware.drivers.xarm import XArmDriver

        return XArmDriver(arm, host, gripper, port)

    def franka(host: str) -> ArmDriver:
        from daytwo.hardware.drivers.franka import FrankaDriver

        return FrankaDriver(arm, host)

    def ros2_control(
        controller: str = "/joint_trajectory_controller/joint_trajectory",
        joint_states: str = "/joint_states",
        gripper: str = "none",
        host: str = "",
        domain: int | None = None,
    ) -> ArmDriver:
        driver = from_ros("ros2_control").Ros2ControlDriver
        made: ArmDriver = driver(arm, controller, joint_states, gripper, host, domain)
        return made

    return {
        "twin": twin,
        "mujoco": mujoco,
        "feetech": feetech,
        "dynamixel": dynamixel,
        "ur": ur,
        "xarm": xarm,
        "franka": franka,
        "ros2_control": ros2_control,
    }

"""An emulator in the place of an arm, for whoever has none: the port or host `emulated`.

The driver, its transport and the maker's client are the real ones, and so is the wire; what hangs
on it is another process, with the PyBullet twin as its plant.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from daytwo.errors import InputError
from daytwo.hardware.emulators.control import launched
from daytwo.hardware.emulators.scene import EmulatedScene
from daytwo.hardware.emulators.servos import nominal
from daytwo.hardware.emulators.xarm import PORT
from daytwo.hardware.governor import GovernorConfig
from daytwo.hardware.opening import EMULATED
from daytwo.sim.arms import load_arm

PATIENT = GovernorConfig(misses=20, overruns=20)
# An emulator's answers are as late as its machine is busy, which is no fault of an arm.
PLACES: Mapping[str, str] = {
    "feetech": "port",
    "dynamixel": "port",
    "ur": "host",
    "xarm": "host",
    "ros2_control": "host",
}  # by driver: the setting that says where its arm is
ADDRESSES: Mapping[str, str] = {"ros2_control": "domain"}  # where an emulator is found by another
BESIDE: Mapping[str, dict[str, Any]] = {
    "ur": {"gripper": "robotiq"},
    "xarm": {"gripper": "xarm", "port": PORT},
    "ros2_control": {"gripper": "/gripper_controller/joint_trajectory"},
}


@contextlib.contextmanager
def emulated(
    driver: str, arm: str, settings: Mapping[str, Any]
) -> Iterator[tuple[dict[str, Any], EmulatedScene]]:
    """Start an emulator for a driver, and end it: settings that reach it, and its objects.

    Args:
        driver: its name.
        arm: name of an arm, or path of an arm.yaml.
        settings: of the driver, for which `wants_emulator` holds. What the driver needs beside
            (a calibration, a gripper) fits the emulator unless they say otherwise.

    Raises:
        InputError: the driver has no emulator, or not for that arm.
        DriverError: the emulator failed.
    """
    place = PLACES.get(driver)
    if place is None or settings.get(place) != EMULATED:
        known = ", ".join(f"{name} (--{where})" for name, where in PLACES.items())
        raise InputError(f"driver '{driver}': there is no such emulator; there are: {known}")
    given = {**BESIDE.get(driver, {}), **settings}
    del given[place]
    with (
        tempfile.TemporaryDirectory(prefix="daytwo-") as folder,
        launched(driver, arm, "twin") as (address, control),
    ):
        if place == "port" and "calibration" not in given:
            path = Path(folder, "calibration.json")
            nominal(load_arm(arm)).save(path)
            given["calibration"] = str(path)
        yield {**given, ADDRESSES.get(driver, place): address}, EmulatedScene(control)

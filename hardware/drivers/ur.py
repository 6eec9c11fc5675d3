"""A Universal Robots arm over RTDE, e-Series or CB3, its program uploaded by ur_rtde.

The arm stops by the controller's own watchdog when nobody keeps it quiet. What ended once stays
ended: after a lost connection, a protective stop or a program that was ended on the pendant, the
driver sends nothing more until it is connected again, and then only what it is told from then on.
"""

from __future__ import annotations

import importlib.util
import re
from typing import Literal

from daytwo.errors import InputError
from daytwo.hardware.drivers.linked import Gripper, LinkedDriver
from daytwo.hardware.drivers.robotiq import Robotiq
from daytwo.sim.arms import Arm


def model_of(name: str) -> str:
    """Which model an arm's name means, like UR5e; "" where it means none."""
    found = re.match(r"ur(3|5|10|16|20|30)(e?)(?![0-9a-z])", name.lower())
    return f"UR{found[1]}{found[2]}" if found else ""


class UrDriver(LinkedDriver):
    """One UR arm of six joints.

    Args:
        arm: the arm.
        host: the controller's address.
        gripper: "robotiq" at the tool, or "none": then the opening is reported as wide.
        lookahead: [s] over which the controller smooths, 0.03 to 0.2.
        gain: of its position control, 100 to 2000.

    Raises:
        InputError: ur_rtde is not installed, or a setting is none that it takes.

    `connect` raises a DriverError if the arm's name is a model's, and the controller says that it
    moves another.
    """

    module = "daytwo.hardware.drivers.ur_link"
    what = "UR controller"

    def __init__(
        self,
        arm: Arm,
        host: str,
        gripper: Literal["none", "robotiq"] = "none",
        lookahead: float = 0.05,
        gain: float = 300.0,
    ) -> None:
        super().__init__(arm, host, (str(lookahead), str(gain), model_of(arm.name)))
        if importlib.util.find_spec("rtde_control") is None:
            raise InputError("a UR arm needs ur_rtde; pip install 'daytwo[ur]'")
        if len(arm.joints) != 6:
            raise InputError(f"arm '{arm.name}' has {len(arm.joints)} joints; a UR has 6")
        if gripper not in ("none", "robotiq"):
            raise InputError(f"gripper: '{gripper}'; give none or robotiq")
        if not 0.03 <= lookahead <= 0.2:
            raise InputError(f"lookahead: {lookahead} s; give 0.03 to 0.2")
        if not 100 <= gain <= 2000:
            raise InputError(f"gain: {gain}; give 100 to 2000")
        self._kind = gripper

    def _make_gripper(self) -> Gripper | None:
        return Robotiq(self.host) if self._kind == "robotiq" else None

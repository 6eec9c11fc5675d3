"""A Franka arm over its control interface (FCI), on pylibfranka, in a process of its own.

It goes to each target within the arm's limits of velocity, acceleration and jerk. The controller
itself stops the arm when nothing came for 20 ms. After an error the driver sends nothing more until
it is connected again, which it refuses as long as the controller reports one.
"""

from __future__ import annotations

import importlib.util
import json

from daytwo.errors import InputError
from daytwo.hardware.drivers.linked import LinkedDriver
from daytwo.sim.arms import Arm


class FrankaDriver(LinkedDriver):
    """One Franka arm; its hand is not driven, and the opening is reported as wide.

    Args:
        arm: the arm, of seven joints.
        host: the controller's address.

    Raises:
        InputError: pylibfranka is not installed, or the arm is none of seven joints.
    """

    module = "daytwo.hardware.drivers.franka_link"
    what = "Franka controller"

    def __init__(self, arm: Arm, host: str) -> None:
        limits = json.dumps([arm.velocity, arm.acceleration, arm.jerk])
        super().__init__(arm, host, (limits,))
        if importlib.util.find_spec("pylibfranka") is None:
            raise InputError("a Franka arm needs pylibfranka; pip install 'daytwo[franka]'")
        if len(arm.joints) != 7:
            raise InputError(f"arm '{arm.name}' has {len(arm.joints)} joints; a Franka has 7")

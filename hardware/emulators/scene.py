"""The objects before an emulated arm: the twin's, over the emulator's control socket."""

from __future__ import annotations

import numpy as np

from daytwo.hardware.approach import approach
from daytwo.hardware.driver import ArmDriver, Array
from daytwo.hardware.emulators.control import Control
from daytwo.hardware.emulators.stage import as_lists
from daytwo.hardware.objects import Sighting
from daytwo.sim.tasks.base import Placement


class EmulatedScene:
    """Lays out exercises for an arm that is behind a real driver and an emulated wire.

    Args:
        control: of an emulator with a twin as its plant.
        driver: of that arm, connected.
    """

    def __init__(self, control: Control, driver: ArmDriver) -> None:
        self._control, self._driver = control, driver

    @property
    def places_arm(self) -> bool:
        return True

    @property
    def pose_offset(self) -> Array:
        return np.array(self._control.ask("objects")["pose_offset"])

    def begin(self, q: Array, placement: Placement) -> Placement:
        """The arm goes there as any arm does, and then things lie as they should.

        Raises:
            DriverError: it does not get there.
        """
        approach(self._driver, q)
        seen = self._control.ask("begin", placement=as_lists(placement))["placement"]
        return Placement(**{name: np.array(value) for name, value in seen.items()})

    def objects(self) -> Sighting:
        seen = self._control.ask("objects")
        names = ("p", "quat", "v", "age_s")
        return Sighting(**{name: np.array(seen[name], dtype=np.float64) for name in names})

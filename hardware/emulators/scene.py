"""The objects before an emulated arm: the twin's, over the emulator's control socket."""

from __future__ import annotations

import numpy as np

from daytwo.hardware.driver import Array
from daytwo.hardware.emulators.control import Control
from daytwo.hardware.emulators.stage import as_lists
from daytwo.hardware.objects import Sighting
from daytwo.sim.tasks.base import Placement


class EmulatedScene:
    """Lays out exercises for an arm that is behind a real driver and an emulated wire.

    Args:
        control: of an emulator with a twin as its plant.
    """

    def __init__(self, control: Control) -> None:
        self._control = control

    @property
    def places_arm(self) -> bool:
        return False  # as with any arm on a wire: it has to go there

    @property
    def pose_offset(self) -> Array:
        return np.array(self._control.ask("objects")["pose_offset"])

    def begin(self, q: Array, placement: Placement) -> Placement:
        """Things lie as they should; the arm stays where it is."""
        seen = self._control.ask("begin", placement=as_lists(placement))["placement"]
        return Placement(**{name: np.array(value) for name, value in seen.items()})

    def objects(self) -> Sighting:
        seen = self._control.ask("objects")
        names = ("p", "quat", "v", "age_s")
        return Sighting(**{name: np.array(seen[name], dtype=np.float64) for name in names})

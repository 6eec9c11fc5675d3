"""Where objects are: what a tracker reports, and who lays them out for an attempt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from daytwo.sim.tasks.base import Placement

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Sighting:
    """Objects as they are reported, in the arm's base frame; k objects."""

    p: Array  # (k, 3) centres [m]
    quat: Array  # (k, 4) wxyz
    v: Array  # (k, 3) [m/s]
    age_s: Array  # (k,) [s] since each was seen


class ObjectSource(Protocol):
    """Lays out exercises and sees objects: the twin itself, or a person and a tracker."""

    @property
    def pose_offset(self) -> Array | None:
        """Reported minus true positions (3,) [m], for the judge alone; None where nobody knows."""
        ...

    def begin(self, q: Array, placement: Placement) -> Placement:
        """Lay out one exercise; returns when the arm rests at `q` (dof,) [rad], gripper open, and
        objects lie as `placement` (one row) says. Returns it as it is reported.
        """
        ...

    def objects(self) -> Sighting:
        """Where they are seen now."""
        ...

"""Where objects are: what a tracker reports, and who lays them out for an attempt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

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


@runtime_checkable
class ObjectSource(Protocol):
    """Lays out exercises and sees objects: the twin itself, or a person and a tracker."""

    @property
    def places_arm(self) -> bool:
        """Whether `begin` also puts the arm where the attempt starts, as only a simulation can."""
        ...

    @property
    def pose_offset(self) -> Array | None:
        """Reported minus true positions (3,) [m], for the judge alone; None where nobody knows."""
        ...

    def begin(self, q: Array, placement: Placement) -> Placement:
        """Lay out one exercise around an arm at `q` (dof,) [rad] with its gripper open.

        Returns when objects lie as `placement` (one row) says, or as a person laid them; it, as it
        is reported.
        """
        ...

    def objects(self) -> Sighting:
        """Where they are seen now."""
        ...

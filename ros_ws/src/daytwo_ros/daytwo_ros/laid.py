"""What a way of seeing objects tells the node `object_source`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from builtin_interfaces.msg import Time

from daytwo.hardware.driver import Array
from daytwo.sim.tasks.base import Placement

# Publishes the pose of an object: its number, centre (3,) [m] and wxyz (4,), base frame, when seen.
Show = Callable[[int, Array, Array, Time], None]


@dataclass(frozen=True)
class Laid:
    """How an exercise was laid out."""

    reported: Placement | None  # as the camera sees it; None where nothing was to be laid out
    arm_placed: bool  # whether the arm was, or would be, put where the attempt starts
    pose_offset: Array | None  # (3,) [m], reported minus true; None where nobody knows


class View(Protocol):
    """Sees objects, and has them laid out."""

    async def lay_out(self, placement: Placement | None, q: Array) -> Laid:
        """One exercise around an arm at `q` (dof,) [rad]; None only asks whether the arm would be
        placed.

        Raises:
            InputError: it cannot be laid out, or another is to be laid out instead.
            DriverError: the simulation is gone.
        """
        ...

    def close(self) -> None: ...

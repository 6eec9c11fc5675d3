"""Cubes and a pedestal of a person's own, in the place of those that an exercise draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from daytwo.errors import InputError
from daytwo.sim.tasks.base import Placement

LARGEST = 0.25  # [m] half an edge: what is more was meant in millimetres
RESTS = 1e-4  # [m] a parcel's numbers are rounded by less


@dataclass(frozen=True)
class Things:
    """What a person has to lay out; an exercise draws sizes, of which theirs take the place.

    Raises:
        InputError: a number is none that a thing has.
    """

    sizes: Sequence[float]  # half an edge of each cube [m], object 0's first; may be empty
    pedestal: Sequence[float]  # half an edge of its top, and its height [m]; may be empty

    def __post_init__(self) -> None:
        for name, given in vars(self).items():
            for value in given:
                if not 0.0 < value <= LARGEST:
                    raise InputError(f"{name}: {value:g} m; give more than 0, at most {LARGEST} m")
        if len(self.pedestal) not in (0, 2):
            raise InputError(
                f"pedestal: {len(self.pedestal)} numbers; give half an edge and the height [m]"
            )

    def check(self, placement: Placement) -> None:
        """Refuse an exercise for which something is not there.

        Raises:
            InputError: names the parameter that tells of it.
        """
        for i in np.flatnonzero(placement.half[0] > 0):
            if i >= len(self.sizes):
                raise InputError(
                    f"sizes: none for object {i}; give half an edge [m] of each object on the table"
                )
        if has_pedestal(placement) and not self.pedestal:
            raise InputError("pedestal: none is there; give half an edge of its top and its height")

    def of(self, placement: Placement) -> Placement:
        """An exercise with these things in the place of the drawn ones.

        A goal at which the drawn cube would stand, on the pedestal or the table, is one at which
        this one stands.
        """
        own = Placement(**{name: np.array(value) for name, value in vars(placement).items()})
        for i in np.flatnonzero(placement.half[0] > 0).tolist():
            own.half[0, i] = self.sizes[i]
        floor = own_floor = 0.0
        if has_pedestal(placement):
            floor = float(placement.p_pedestal[0, 2])
            own.pedestal_half[0], own_floor = self.pedestal
            own.p_pedestal[0, 2] = own_floor
        drawn = float(placement.half[0, 0])
        if drawn > 0 and abs(placement.p_goal[0, 2] - floor - drawn) < RESTS:
            own.p_goal[0, 2] = own_floor + own.half[0, 0]
        return own


def has_pedestal(placement: Placement) -> bool:
    return not np.isnan(placement.p_pedestal[0]).any()

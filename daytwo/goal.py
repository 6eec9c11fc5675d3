"""A goal that somebody names, instead of the one that an exercise draws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from daytwo.errors import InputError
from daytwo.hardware.driver import Array
from daytwo.hardware.objects import ObjectSource, Sighting
from daytwo.sim.arms import Arm
from daytwo.sim.fixtures import PART, has_part
from daytwo.sim.tasks import get_task
from daytwo.sim.tasks.base import Placement, Task


def check_goal(arm: Arm, task: str, p_goal: ArrayLike) -> Array:
    """A goal (3,) [m] in the arm's base frame, as it may be asked for.

    Raises:
        InputError: it lies outside the workspace, or the task's goal is where an object is.
    """
    if type(get_task(task, arm)).goal is not Task.goal:
        raise InputError(f"goal: that of task '{task}' is where an object lies; name none")
    p = np.asarray(p_goal, dtype=np.float64)
    for axis, value, (low, high) in zip("xyz", p, arm.workspace, strict=True):
        if not low <= value <= high:  # NaN, too
            raise InputError(
                f"goal: {axis} = {value:g} m; arm '{arm.name}' works from {low:g} to {high:g} m"
            )
    return p


class GoalAt(ObjectSource):
    """Lays exercises out with the goal where it was asked for; a pedestal stands under it, and a
    fixture moves along, on the table.

    Args:
        source: of the objects.
        p_goal: (3,) [m], base frame.
    """

    def __init__(self, source: ObjectSource, p_goal: Array) -> None:
        self._source, self._p_goal = source, p_goal

    @property
    def places_arm(self) -> bool:
        return self._source.places_arm

    @property
    def pose_offset(self) -> Array | None:
        return self._source.pose_offset

    def begin(self, q: Array, placement: Placement) -> Placement:
        moved = self._p_goal - placement.p_goal
        p_object = placement.p_object.copy()
        fixed = placement.fixture > 0
        moved[fixed, 2] = 0.0
        p_object[:, PART] += np.where(has_part(placement.fixture)[:, None], moved, 0.0)
        laid = replace(
            placement,
            p_object=p_object,
            p_goal=placement.p_goal + moved,
            p_pedestal=placement.p_pedestal + moved,  # NaN where there is none
            p_fixture=placement.p_fixture + moved,  # likewise
        )
        return self._source.begin(q, laid)

    def objects(self) -> Sighting:
        return self._source.objects()

"""Probes: short scripted motions before attempt 1, made to feel what a trial hides.

A probe is actions like any other, so they pass the same inverse kinematics and, on an arm, the
governor. It sees what is told and knows no task.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from daytwo.sim.arms import Arm
from daytwo.sim.scene import CONTROL_HZ
from daytwo.sim.state import Array, State
from daytwo.sim.tasks.base import ACTION
from daytwo.sim.tasks.pick import Pick
from daytwo.sim.tasks.reach import Reach

LONGEST = 60  # control steps a probe may take: 3 s
_AIR = 0.12  # [m] above the table: what is lifted is held there
_GRASPS = 0.03  # [m] a gripper that opens less cannot be asked to, see `tasks.base.Task`
_ABOVE = 0.02  # [m] what is pressed from there on down
_LIGHT = 0.003  # [m] by which the command is ahead of the arm then


class Probe(ABC):
    """One motion on one arm. Stateless: everything is in what it is given.

    Args:
        arm: that makes it.
    """

    name: ClassVar[str]
    steps: ClassVar[int]  # control steps it takes, at most `LONGEST`

    def __init__(self, arm: Arm) -> None:
        self.arm = arm

    @abstractmethod
    def act(self, state: State, step: NDArray[np.int64]) -> Array:
        """Actions (k, 5) in [-1, 1] from what is told and the steps (k,) already made."""


class Nothing(Probe):
    """None."""

    name, steps = "none", 0

    def act(self, state: State, step: NDArray[np.int64]) -> Array:
        return _still(len(step))


class Still(Probe):
    """Stays where it is: measurement noise, and how far a load bends the arm."""

    name, steps = "still", 20

    def act(self, state: State, step: NDArray[np.int64]) -> Array:
        return _still(len(step))


class Step(Probe):
    """Steps there and back, level along x, then along y: delay, and the servos' gains."""

    name, steps = "step", 32
    _along = np.array([1.0] * 4 + [0.0] * 4 + [-1.0] * 4 + [0.0] * 4)

    def act(self, state: State, step: NDArray[np.int64]) -> Array:
        action = _still(len(step))
        axis, at = np.divmod(step, len(self._along))
        action[np.arange(len(step)), axis % 2] = self._along[at]
        return action


class Lift(Probe):
    """Grasps object 0 as pick's expert does, lifts it and holds it: payload, mass, grip. Where
    there is none the empty hand goes up.
    """

    name, steps = "lift", LONGEST

    def __init__(self, arm: Arm) -> None:
        super().__init__(arm)
        self._pick, self._reach = Pick(arm), Reach(arm)

    def act(self, state: State, step: NDArray[np.int64]) -> Array:
        here = state.half[:, 0] > 0
        p = np.where(here[:, None], state.p_object[:, 0], state.p_ee)
        p[:, 2] = np.where(here, _AIR, 2 * _AIR)
        there = replace(state, p_goal=p)
        grasp, rise = self._pick.expert(there), self._reach.expert(there)
        return np.where(here[:, None], grasp, rise)


class Press(Probe):
    """Presses lightly on object 0 from above and slides over it: by how much the arm lags sideways
    then, beside how hard it presses, tells friction. Where there is none it only goes down.
    """

    name, steps = "press", LONGEST
    _from, _slide = 26, 46  # steps at which it goes down, and at which it slides

    def __init__(self, arm: Arm) -> None:
        super().__init__(arm)
        self._reach = Reach(arm)
        self._full = arm.speed / CONTROL_HZ  # [m] a full action moves the command this far

    def act(self, state: State, step: NDArray[np.int64]) -> Array:
        here = (state.half[:, 0] > 0)[:, None]
        p = np.where(here, state.p_object[:, 0], state.p_ee)
        p[:, 2] = np.where(here[:, 0], p[:, 2] + state.half_z[:, 0], 0.012) + _ABOVE
        above = self._reach.expert(replace(state, p_goal=p))
        press = np.zeros_like(above)
        # The command stays so far below where the arm is: what resists is pressed this hard.
        lag = state.p_ee[:, 2] - state.p_command[:, 2]
        press[:, 2] = np.clip((lag - _LIGHT) / self._full, -1.0, 1.0)
        press[:, 1] = np.where((step >= self._slide) & (step < self._slide + 8), 0.1, 0.0)
        press[:, 4] = -1.0
        return np.where((step >= self._from)[:, None], press, above)


def probes(arm: Arm) -> tuple[Probe, ...]:
    """What an arm can choose from; `Nothing` first."""
    made: list[Probe] = [Nothing(arm), Still(arm), Step(arm), Press(arm)]
    if arm.gripper.max_opening >= _GRASPS:
        made.append(Lift(arm))
    return tuple(made)


def _still(k: int) -> Array:
    """k actions that stay, with the gripper open."""
    action = np.zeros((k, len(ACTION)))
    action[:, ACTION.index("gripper")] = 1.0
    return action

"""What is told of objects and goals beside what is true: offsets, beliefs of them, and noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from daytwo.sim.context import Context
from daytwo.sim.engine import Engine
from daytwo.sim.fixtures import PART
from daytwo.sim.scene import N_OBJECTS
from daytwo.sim.state import Array, State

_LEVEL = np.array([1.0, 1.0, 0.0])  # a target is wrong by x and y, and by how it is turned
# Measurement noise is looked up, not drawn: a simulation's future is decided by its state.
_NOISE = np.random.default_rng(0).standard_normal((4096, N_OBJECTS + 1, 3))


class Telling:
    """What n simulations are told, less what is true.

    A camera's offset is the engine's; a wrongly taught target's is kept here. What is believed of
    either is taken off, so that what is left is by how much the belief is off. Where a goal is
    taught, so is the fixture whose part shall get there: the two differ by nothing that could not
    be told, or the one would say by how much the other is off.

    Args:
        engine: the physics, or an arm.
    """

    def __init__(self, engine: Engine, n: int) -> None:
        self._engine = engine
        self.target = np.zeros((n, 3))  # x, y [m], yaw [rad]
        self._part = np.zeros((n, 1), dtype=bool)  # whose fixture's part is taught with the goal
        self.correction = np.zeros((n, 6))  # taken off what is told: camera x y z, target x y yaw
        self._noise_at = np.zeros(n, dtype=np.int64)

    def hide_camera(self, ids: NDArray[np.int64], context: Context) -> None:
        """Simulations `ids` (k,) are told by cameras that are off as k contexts say."""
        camera = (context.camera_x, context.camera_y, context.camera_z)
        self._engine.pose_offset[ids] = np.stack(camera, axis=1)

    def reset(
        self,
        ids: NDArray[np.int64],
        context: Context,
        taught: NDArray[np.bool_],
        part: NDArray[np.bool_],
        seed: NDArray[np.int64],
    ) -> None:
        """Attempts of simulations `ids` (k,) begin; nothing is believed of their offsets any more.
        Where something may be, their cameras' offsets are hidden anew first (`hide_camera`).

        Args:
            ids: which.
            context: k rows.
            taught: whose goals are taught, (k,); what is seen is off as the camera is.
            part: whose fixtures have a part, (k,), taught with the goal if that is.
            seed: of the noise, (k,).
        """
        target = np.stack([context.target_x, context.target_y, context.target_yaw], axis=1)
        self.target[ids] = target * taught[:, None]
        self._part[ids, 0] = taught & part
        self.correction[ids] = 0.0
        self._noise_at[ids] = seed % len(_NOISE)

    def teach(self, ids: NDArray[np.int64], p_goal: Array, yaw_goal: Array, state: State) -> None:
        """Write the true goals (k, 3), (k,) of simulations `ids` into `state`, as they are told,
        and move their fixtures in it likewise.
        """
        target = self.target[ids]
        state.p_goal[ids] = p_goal + target * _LEVEL
        state.yaw_goal[ids] = yaw_goal + target[:, 2]
        state.p_fixture[ids] += target * _LEVEL * self._part[ids]

    def place(self, state: State) -> None:
        """Write fixtures' parts, as they were just measured, into `state` as they are told."""
        _move_part(state, self.target * self._part)

    def correct(self, ids: NDArray[np.int64], correction: Array, state: State) -> None:
        """From now on take this (k, 6) off what simulations `ids` are told, and off `state`."""
        camera, target = np.split(correction - self.correction[ids], 2, axis=1)
        self.correction[ids] = correction
        self._engine.pose_offset[ids] -= camera
        self.target[ids] -= target
        part = target * self._part[ids]
        state.p_object[ids] -= camera[:, None]
        state.p_object[ids, PART] -= part * _LEVEL
        state.yaw_object[ids, PART] -= part[:, 2]
        state.p_goal[ids] -= camera + target * _LEVEL
        state.p_fixture[ids] -= camera + part * _LEVEL
        state.yaw_goal[ids] -= target[:, 2]

    def truth(self, state: State, rows: slice | NDArray[np.int64]) -> State:
        """The state of simulations `rows` as it is, not as it is told."""
        state = state.moved(-self._engine.pose_offset[rows])  # of what it moves a copy
        target, part = self.target[rows], self.target[rows] * self._part[rows]
        state = replace(
            state,
            yaw_object=state.yaw_object.copy(),
            p_goal=state.p_goal - target * _LEVEL,
            p_fixture=state.p_fixture - part * _LEVEL,
            yaw_goal=state.yaw_goal - target[:, 2],
        )
        _move_part(state, -part)
        return state

    def noisy(self, state: State, steps: NDArray[np.int64], noise: Array) -> State:
        """The state with the noise of step number `steps` (n,) in its positions, of standard
        deviations (n,) [m].
        """
        if not noise.any():
            return state
        drawn = _NOISE[(self._noise_at + 97 * steps) % len(_NOISE)] * noise[:, None, None]
        return replace(
            state, p_object=state.p_object + drawn[:, 1:], p_goal=state.p_goal + drawn[:, 0]
        )


def _move_part(state: State, by: Array) -> None:
    """Fixtures' parts in `state` by (n, 3): x, y [m], yaw [rad]."""
    state.p_object[:, PART] += by * _LEVEL
    state.yaw_object[:, PART] += by[:, 2]

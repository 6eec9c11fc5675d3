"""From actions to the joint targets that reach the servos: a commanded tool pose, followed."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from daytwo.sim.arms import Arm
from daytwo.sim.context import MAX_DELAY
from daytwo.sim.kinematics import Chain, tool_down, tool_yaw
from daytwo.sim.scene import CONTROL_HZ
from daytwo.sim.state import Array, State, wrap
from daytwo.sim.tasks.base import YAW_STEP

LEASH = 0.05  # [m] the commanded tool point stays this near the measured one
YAW_LEASH = 0.5  # [rad] likewise its yaw
YAW_RANGE = 1.7  # [rad] the commanded yaw stays this near its value at the start


class Command:
    """What n arms were asked for. The commanded pose itself lies in the `State`: arms see it.

    Args:
        arm: the arm.
        chain: its kinematics.
        n: number of arms.
    """

    def __init__(self, arm: Arm, chain: Chain, n: int) -> None:
        self._chain, self._step = chain, arm.speed / CONTROL_HZ
        self._low, self._high = np.asarray(arm.workspace).T
        self._q = np.tile(chain.home, (n, 1))
        self._yaw_start = np.zeros(n)
        self._before = np.zeros((n, 3)), np.zeros(n)  # commanded pose before the latest action
        self._waiting = np.zeros((n, MAX_DELAY + 1, chain.dof + 1))  # latest commands first

    def reset(self, ids: NDArray[np.int64], q: Array, yaw: Array) -> None:
        """Arms `ids` (k,) stand at joints q (k, dof), their tools turned by yaw (k,), and open."""
        self._q[ids], self._yaw_start[ids] = q, yaw
        self._waiting[ids] = np.column_stack([q, np.ones(len(ids))])[:, None]

    def follow(self, state: State, action: Array) -> Array:
        """Move the commanded tool pose in `state` by the action (n, 5) and follow it with the
        joints: their targets (n, dof).
        """
        self._before = state.p_command, state.yaw_command
        p = np.clip(state.p_command + action[:, :3] * self._step, *_around(state.p_ee, LEASH))
        state.p_command = np.clip(p, self._low, self._high)
        yaw = state.yaw_command + action[:, 3] * YAW_STEP
        yaw = np.clip(yaw, *_around(state.yaw_ee, YAW_LEASH))
        state.yaw_command = np.clip(yaw, *_around(self._yaw_start, YAW_RANGE))
        R = tool_down(state.yaw_command)
        self._q = self._chain.step(self._q, state.p_command, R, 1.0 / CONTROL_HZ)
        return self._q

    def delayed(self, q_target: Array, gripper: Array, delay: ArrayLike) -> tuple[Array, Array]:
        """What reaches the servos now, asked for `delay` (n,) steps ago: joint targets (n, dof) and
        gripper (n,), 0 shut .. 1 open.

        Args:
            q_target: asked for now, (n, dof).
            gripper: likewise, (n,), -1 shut .. 1 open.
            delay: control steps.
        """
        self._waiting[:, 1:] = self._waiting[:, :-1]
        self._waiting[:, 0, :-1], self._waiting[:, 0, -1] = q_target, (gripper + 1) / 2
        at = np.asarray(delay).astype(np.int64)
        now = self._waiting[np.arange(len(self._waiting)), at]
        return now[:, :-1], now[:, -1]

    def retake(self, state: State, q_target: Array, grip: Array) -> Array:
        """Go on from joint targets (n, dof) and grips (n,) that were sent instead of those asked
        for; the action (n, 5) that comes nearest to having led there.
        """
        state.p_command, R = self._chain.fk(q_target)
        state.yaw_command = state.yaw_command + wrap(tool_yaw(R) - state.yaw_command, 2 * np.pi)
        self._q = q_target
        before_p, before_yaw = self._before
        step = (state.p_command - before_p) / self._step
        turn = (state.yaw_command - before_yaw) / YAW_STEP
        return np.clip(np.column_stack([step, turn, 2 * grip - 1]), -1.0, 1.0)


def _around(middle: Array, reach: float) -> tuple[Array, Array]:
    return middle - reach, middle + reach

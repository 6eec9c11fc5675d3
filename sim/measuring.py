"""Reads joints and objects into a state."""

from __future__ import annotations

import numpy as np

from daytwo.sim.engine import Engine
from daytwo.sim.kinematics import Chain, axes, tool_yaw
from daytwo.sim.state import State, wrap


def measure(state: State, chain: Chain, engine: Engine) -> None:
    """Write where the arms and their objects are now into `state`.

    Args:
        state: of all simulations; yaws are told beside its commanded ones.
        chain: of the arm.
        engine: where they are.
    """
    state.p_ee, R_ee = chain.fk(engine.joints())
    # Measured yaw beside the commanded one, so that it does not jump at +-pi.
    yaw = tool_yaw(R_ee)
    state.yaw_ee = state.yaw_command + wrap(yaw - state.yaw_command, 2 * np.pi)
    state.opening = engine.opening()
    k = engine.n_objects
    if k == 0:
        return
    state.p_object[:, :k], quat, state.v_object[:, :k] = engine.objects()
    x, y, z = axes(quat)
    steep = np.abs(np.stack([x[..., 2], y[..., 2], z[..., 2]]))
    yaw_of_x, yaw_of_y = np.arctan2(x[..., 1], x[..., 0]), np.arctan2(-y[..., 0], y[..., 1])
    state.yaw_object[:, :k] = np.where(steep[0] < steep[1], yaw_of_x, yaw_of_y)
    # A cube may stand on any face, what is longer on two of them alone.
    which = np.where(state.stretch[:, :k] > 1.0, 2, steep.argmax(axis=0))
    axis = np.choose(which[..., None], [x, y, z])
    state.lean_object[:, :k] = axis[..., :2] * np.where(axis[..., 2:] < 0, -1.0, 1.0)

"""What an attempt hides from the policy, written into each simulation's own model."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import mujoco.batch
import numpy as np
from numpy.typing import NDArray

from daytwo.sim.arms import Arm
from daytwo.sim.scene import NO_GRAVCOMP, PEDESTAL_HEIGHT
from daytwo.sim.state import Array
from daytwo.sim.tasks.base import Placement


@dataclass
class Context:
    """Hidden conditions of k attempts."""

    stiffness: Array  # (k,) factor on the arm servos' position gain
    damping: Array  # (k,) factor on their velocity gain

    @classmethod
    def draw(cls, u: Array, difficulty: Array) -> Context:
        """From two uniform numbers in u (k, 2); the harder, the wider the range."""
        spread = 0.02 + 0.18 * difficulty[:, None]
        factor = 1.0 + (2 * u - 1) * spread
        return cls(stiffness=factor[:, 0], damping=factor[:, 1])


class ContextWriter:
    """Writes hidden conditions and object properties through `Batch.expand`."""

    def __init__(
        self, model: mujoco.MjModel, batch: mujoco.batch.Batch, arm: Arm, n_objects: int
    ) -> None:
        self._batch = batch
        name = mujoco.mj_name2id
        geom, body = mujoco.mjtObj.mjOBJ_GEOM, mujoco.mjtObj.mjOBJ_BODY
        self._geoms = [name(model, geom, f"object{i}") for i in range(n_objects)]
        self._bodies = [name(model, body, f"object{i}") for i in range(n_objects)]
        self._pedestal = name(model, geom, "pedestal")
        servo = mujoco.mjtObj.mjOBJ_ACTUATOR
        self._servos = np.array([name(model, servo, joint) for joint in arm.joints])
        self._gain = model.actuator_gainprm[self._servos, 0].copy()
        self._bias = model.actuator_biasprm[self._servos, 1:3].copy()
        self.size = batch.expand("geom_size")
        self.friction = batch.expand("geom_friction")
        self.mass = batch.expand("body_mass")
        self.inertia = batch.expand("body_inertia")
        self.gravcomp = batch.expand("body_gravcomp")
        self.gainprm = batch.expand("actuator_gainprm")
        self.biasprm = batch.expand("actuator_biasprm")

    def write(self, ids: NDArray[np.int64], placement: Placement, context: Context) -> None:
        """Give simulations `ids` (k,) their objects' properties and hidden conditions."""
        for i, (geom, body) in enumerate(zip(self._geoms, self._bodies, strict=True)):
            mass, absent = placement.mass[:, i], ~placement.free[:, i]
            side = np.where(absent, 0.02, placement.half[:, i])
            tall = side * placement.stretch[:, i]
            self.size[ids, geom] = np.stack([side, side, tall], axis=1)
            self.friction[ids, geom, 0] = placement.friction[:, i]
            self.mass[ids, body] = mass
            # A solid box: m (a^2 + b^2) / 3 about each axis, of the other two half-sizes.
            level = mass * (side**2 + tall**2) / 3
            self.inertia[ids, body] = np.stack([level, level, 2 * mass * side**2 / 3], axis=1)
            self.gravcomp[ids, body] = np.where(absent, 1.0, NO_GRAVCOMP)  # absent: it floats
        self.size[ids, self._pedestal, 0] = placement.pedestal_half
        self.size[ids, self._pedestal, 1] = placement.pedestal_half
        self.size[ids, self._pedestal, 2] = PEDESTAL_HEIGHT
        rows = ids[:, None]
        self.gainprm[rows, self._servos, 0] = context.stiffness[:, None] * self._gain
        self.biasprm[rows, self._servos, 1] = context.stiffness[:, None] * self._bias[:, 0]
        self.biasprm[rows, self._servos, 2] = context.damping[:, None] * self._bias[:, 1]
        self._batch.set_const(ids)

"""What a trial hides from the policy: how it is drawn, and how it is written into a simulation."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, Self

import mujoco
import mujoco.batch
import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from daytwo.sim.arms import Arm
from daytwo.sim.scene import NO_GRAVCOMP, PEDESTAL_HEIGHT
from daytwo.sim.state import Array, Rows
from daytwo.sim.tasks.base import Placement

MAX_DELAY = 3  # control steps


@dataclass
class Context(Rows):
    """Hidden conditions of k attempts, (k,) each."""

    stiffness: Array  # factor on the arm servos' position gain
    damping: Array  # factor on their velocity gain: with the former, how far they lag
    delay: Array  # whole control steps from a command to its effect
    grip: Array  # factor on the gripper's force
    payload: Array  # [kg] on the tool that nobody compensates
    mass: Array  # factor on the objects' mass
    friction: Array  # factor on their friction
    com: Array  # share of its half-size that object 0's centre of mass is off its middle
    target_x: Array  # [m] what a wrongly taught target adds to the goal that is told
    target_y: Array  # [m]
    target_yaw: Array  # [rad]
    camera_x: Array  # [m] what a camera adds to every object and goal that is told
    camera_y: Array  # [m]
    camera_z: Array  # [m]
    noise: Array  # [m] standard deviation of each position that is told

    @classmethod
    def nominal(cls, k: int, **given: Array) -> Self:
        """k attempts that hide nothing but what is `given`, (k,) each."""
        return cls(**{name: given.get(name, np.full(k, NOMINAL[name])) for name in NAMES})

    @classmethod
    def of(cls, values: Array) -> Self:
        """From an array (k, len(NAMES))."""
        return cls(**{name: values[:, i].copy() for i, name in enumerate(NAMES)})

    @classmethod
    def draw(cls, u: Array, difficulty: Array) -> Self:
        """Servos alone, from two uniform numbers in u (k, 2); the harder, the wider the range."""
        spread = 0.02 + 0.18 * difficulty[:, None]
        factor = 1.0 + (2 * u - 1) * spread
        return cls.nominal(len(u), stiffness=factor[:, 0], damping=factor[:, 1])

    @property
    def values(self) -> Array:
        """As an array (k, len(NAMES))."""
        return np.stack([getattr(self, name) for name in NAMES], axis=1)


NAMES = tuple(field.name for field in fields(Context))
NOMINAL = dict.fromkeys(NAMES, 0.0) | dict.fromkeys(
    ("stiffness", "damping", "grip", "mass", "friction"), 1.0
)
_WRONG = 0.05  # [m] a camera or a target may be off
# What can be: nobody believes or simulates more.
PHYSICAL: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("stiffness", "damping"), (0.3, 3.0)),
    "delay": (0.0, float(MAX_DELAY)),
    "grip": (0.1, 2.0),
    "payload": (0.0, 2.0),
    "mass": (0.1, 10.0),
    "friction": (0.1, 3.0),
    "com": (-0.6, 0.6),
    **dict.fromkeys(
        ("target_x", "target_y", "camera_x", "camera_y", "camera_z"), (-_WRONG, _WRONG)
    ),
    "target_yaw": (-0.35, 0.35),
    "noise": (0.0, 0.02),
}


def _ordered(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError("the lower bound must not exceed the upper")
    return bounds


def _whole(bounds: tuple[float, float]) -> tuple[float, float]:
    if any(bound % 1 for bound in bounds):
        raise ValueError("give whole control steps")
    return bounds


Bounds = Annotated[tuple[float, float], AfterValidator(_ordered)]


class Ranges(BaseModel):
    """From where to where each hidden condition is drawn, uniformly; what is left out hides
    nothing.

    Raises:
        ValueError: a range that is upside down, or leaves what is physically sensible.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    stiffness: Bounds = (1.0, 1.0)
    damping: Bounds = (1.0, 1.0)
    delay: Annotated[Bounds, AfterValidator(_whole)] = (0.0, 0.0)
    grip: Bounds = (1.0, 1.0)
    payload: Bounds = Field((0.0, 0.0), description="[kg]")
    mass: Bounds = (1.0, 1.0)
    friction: Bounds = (1.0, 1.0)
    com: Bounds = (0.0, 0.0)
    target_x: Bounds = Field((0.0, 0.0), description="[m]")
    target_y: Bounds = Field((0.0, 0.0), description="[m]")
    target_yaw: Bounds = Field((0.0, 0.0), description="[rad]")
    camera_x: Bounds = Field((0.0, 0.0), description="[m]")
    camera_y: Bounds = Field((0.0, 0.0), description="[m]")
    camera_z: Bounds = Field((0.0, 0.0), description="[m]")
    noise: Bounds = Field((0.0, 0.0), description="[m]")

    @model_validator(mode="after")
    def _physical(self) -> Self:
        for name, (low, high) in PHYSICAL.items():
            found = getattr(self, name)
            if not low <= found[0] <= found[1] <= high:
                raise ValueError(f"{name}: {found} leaves its physical range [{low:g}, {high:g}]")
        return self

    @property
    def bounds(self) -> tuple[Array, Array]:
        """Lower and upper ends, (len(NAMES),) each."""
        low, high = np.array([getattr(self, name) for name in NAMES]).T
        return low, high

    @property
    def hidden(self) -> tuple[str, ...]:
        """Names of the conditions that vary."""
        return tuple(name for name in NAMES if getattr(self, name)[0] < getattr(self, name)[1])

    def draw(self, u: Array) -> Context:
        """From uniform numbers in [0, 1), (k, len(NAMES))."""
        low, high = self.bounds
        values = low + u * (high - low)
        i = NAMES.index("delay")
        values[:, i] = np.floor(low[i] + u[:, i] * (high[i] - low[i] + 1))
        return Context.of(values)


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
        self._fingers = np.array([name(model, servo, joint) for joint in arm.gripper.joints])
        self._gain = model.actuator_gainprm[self._servos, 0].copy()
        self._bias = model.actuator_biasprm[self._servos, 1:3].copy()
        self._force = model.actuator_forcerange[self._fingers].copy()
        tool = model.body(arm.tool_frame).id  # what hangs there moves as its parent does
        while model.body_mass[tool] < 1e-3:
            tool = int(model.body_parentid[tool])
        self._tool, self._tool_mass = tool, float(model.body_mass[tool])
        self.size = batch.expand("geom_size")
        self.friction = batch.expand("geom_friction")
        self.mass = batch.expand("body_mass")
        self.inertia = batch.expand("body_inertia")
        self.centre = batch.expand("body_ipos")
        self.gravcomp = batch.expand("body_gravcomp")
        self.gainprm = batch.expand("actuator_gainprm")
        self.biasprm = batch.expand("actuator_biasprm")
        self.forcerange = batch.expand("actuator_forcerange")

    def write(self, ids: NDArray[np.int64], placement: Placement, context: Context) -> None:
        """Give simulations `ids` (k,) their objects' properties and hidden conditions."""
        for i, (geom, body) in enumerate(zip(self._geoms, self._bodies, strict=True)):
            mass, absent = placement.mass[:, i] * context.mass, ~placement.free[:, i]
            side = np.where(absent, 0.02, placement.half[:, i])
            tall = side * placement.stretch[:, i]
            self.size[ids, geom] = np.stack([side, side, tall], axis=1)
            self.friction[ids, geom, 0] = placement.friction[:, i] * context.friction
            self.mass[ids, body] = mass
            # A solid box: m (a^2 + b^2) / 3 about each axis, of the other two half-sizes.
            level = mass * (side**2 + tall**2) / 3
            self.inertia[ids, body] = np.stack([level, level, 2 * mass * side**2 / 3], axis=1)
            self.gravcomp[ids, body] = np.where(absent, 1.0, NO_GRAVCOMP)  # absent: it floats
            if i == 0:
                self.centre[ids, body, 0] = context.com * side
        self.size[ids, self._pedestal, 0] = placement.pedestal_half
        self.size[ids, self._pedestal, 1] = placement.pedestal_half
        self.size[ids, self._pedestal, 2] = PEDESTAL_HEIGHT
        rows = ids[:, None]
        self.gainprm[rows, self._servos, 0] = context.stiffness[:, None] * self._gain
        self.biasprm[rows, self._servos, 1] = context.stiffness[:, None] * self._bias[:, 0]
        self.biasprm[rows, self._servos, 2] = context.damping[:, None] * self._bias[:, 1]
        self.forcerange[rows, self._fingers] = context.grip[:, None, None] * self._force
        # Of what hangs on the tool the arm compensates its own part alone.
        loaded = self._tool_mass + context.payload
        self.mass[ids, self._tool] = loaded
        self.gravcomp[ids, self._tool] = self._tool_mass / loaded
        self._batch.set_const(ids)

"""Arms that are simulated: time, delay and hidden context, whatever engine computes the physics.

Their time is simulated too: it passes in `sleep_until`, as fast as it computes, or, in real time,
as the wall clock says.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from daytwo.errors import DriverError, InputError
from daytwo.hardware.driver import ArmDriver, Array, Reading
from daytwo.hardware.objects import Sighting
from daytwo.sim.arms import Arm
from daytwo.sim.context import MAX_DELAY, Context
from daytwo.sim.engine import Engine, reported
from daytwo.sim.tasks.base import Placement

LOST = 0.2  # [s] in real time: what the physics has fallen behind by more is not made up for


@dataclass(frozen=True)
class TwinContext:
    """What a trial hides on a simulated arm."""

    pose_offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    # [m] what a badly calibrated camera adds to every reported object and goal position
    friction: float = 1.0  # factor on the objects' friction
    mass: float = 1.0  # factor on their mass
    stiffness: float = 1.0  # factor on the arm servos' position gain
    damping: float = 1.0  # factor on their velocity gain
    delay: int = 0  # control steps from a command to its effect

    @classmethod
    def draw(cls, seed: int) -> TwinContext:
        """A badly set up arm: a camera that is 2 to 4 cm off, other objects and servos."""
        rng = np.random.default_rng(seed)
        angle, radius = rng.uniform(0, 2 * np.pi), rng.uniform(0.02, 0.04)
        return cls(
            pose_offset=(
                float(radius * np.cos(angle)),
                float(radius * np.sin(angle)),
                float(rng.uniform(-0.004, 0.004)),
            ),
            friction=float(rng.uniform(0.8, 1.2)),
            mass=float(rng.uniform(0.7, 1.4)),
            stiffness=float(rng.uniform(0.8, 1.2)),
            damping=float(rng.uniform(0.8, 1.2)),
            delay=int(rng.integers(2)),
        )

    def __post_init__(self) -> None:
        if np.shape(self.pose_offset) != (3,) or not np.isfinite(self.pose_offset).all():
            raise InputError(f"context: pose_offset {self.pose_offset}; give 3 finite numbers [m]")
        for name in ("friction", "mass", "stiffness", "damping"):
            factor = getattr(self, name)
            if not 0 < factor < np.inf:
                raise InputError(f"context: {name} {factor}; give a factor above 0")
        if self.delay not in range(MAX_DELAY + 1):
            raise InputError(f"context: delay {self.delay}; give 0 to {MAX_DELAY} control steps")


class PhysicsEngine(Engine, Protocol):
    """An engine of the world that can be stepped finely."""

    def advance(self, q_target: Array, grip: Array, steps: int) -> None:
        """Physics steps towards joint targets (n, dof) [rad], gripper (n,) 0 shut .. 1 open."""
        ...

    def joint_velocities(self) -> Array:
        """Measured (n, dof) [rad/s]."""
        ...


class SimulatedDriver(ArmDriver):
    """One simulated arm with its table, and the source of the objects on it.

    Args:
        arm: the arm.
        context: what it hides; one set later holds from the next `begin`.
        realtime: whether time passes by itself, like a real arm's.
    """

    timestep: ClassVar[float]  # [s] of the physics
    substeps: ClassVar[int]  # physics steps per control step

    def __init__(
        self, arm: Arm, context: TwinContext | None = None, realtime: bool = False
    ) -> None:
        super().__init__(arm, rate=1.0 / self.timestep)
        self._realtime, self._behind = realtime, 0.0
        self.context = context or TwinContext()
        self._hidden = self.context  # the one in force
        self._engine: PhysicsEngine | None = None
        self._ticks = 0  # physics steps since this driver was made
        self._target = np.zeros(len(arm.joints) + 1)
        self._waiting: deque[tuple[int, Array]] = deque()  # commands and the ticks they are due at

    @abstractmethod
    def _make_engine(self) -> PhysicsEngine:
        """One simulation of the arm."""

    @property
    def connected(self) -> bool:
        return self._engine is not None

    def connect(self) -> None:
        if self._engine is None:
            self._engine = self._make_engine()
            self.begin(np.asarray(self.arm.home), Placement.empty(1))

    def read(self) -> Reading:
        engine = self._physics()
        self._catch_up()
        if engine.astray()[0]:
            raise DriverError(f"simulated arm '{self.arm.name}': the physics diverged")
        n = len(self.arm.joints) + 1
        return Reading(
            q=engine.joints()[0],
            dq=engine.joint_velocities()[0],
            opening=float(engine.opening()[0]),
            valid=np.ones(n, dtype=bool),
            age_s=np.zeros(n),
            stamp=self.now(),
        )

    def stop(self) -> None:
        self._catch_up()
        q = self._physics().joints()[0]
        self._waiting.clear()
        self._target = np.append(q, self._target[-1])

    def disconnect(self) -> None:
        self._engine = None

    def now(self) -> float:
        return super().now() if self._realtime else self._ticks * self.timestep

    def sleep_until(self, t: float) -> None:
        if self._realtime:
            super().sleep_until(t)
            self._catch_up()
        else:
            self._pass(int(np.ceil(t / self.timestep - 1e-6)))

    def _catch_up(self) -> None:
        """In real time: let the physics come to where the clock is."""
        if not self._realtime:
            return
        late = self.now() - self._behind - self._ticks * self.timestep
        if late > LOST:
            self._behind += late
        else:
            self._pass(self._ticks + int(late / self.timestep))

    def _pass(self, end: int) -> None:
        """Physics up to step `end`."""
        engine = self._physics()
        while self._ticks < end:
            while self._waiting and self._waiting[0][0] <= self._ticks:
                self._target = self._waiting.popleft()[1]
            until = min(end, self._waiting[0][0]) if self._waiting else end
            q, grip = self._target[None, :-1], self._target[-1:]
            engine.advance(q, grip, until - self._ticks)
            self._ticks = until

    def _send(self, command: Array) -> None:
        self._catch_up()
        self._waiting.append((self._ticks + self._hidden.delay * self.substeps, command))

    # As the source of objects.

    @property
    def places_arm(self) -> bool:
        return True

    @property
    def pose_offset(self) -> Array:
        return np.asarray(self._hidden.pose_offset, dtype=np.float64)

    def begin(self, q: Array, placement: Placement) -> Placement:
        engine = self._physics()
        self._catch_up()
        self._hidden = hidden = self.context
        engine.pose_offset[0] = hidden.pose_offset
        factors = ("friction", "mass", "stiffness", "damping")
        context = Context.nominal(
            1, **{name: np.array([getattr(hidden, name)]) for name in factors}
        )
        self._waiting.clear()
        self._target = np.append(q, 1.0)
        engine.reset(np.array([0]), q[None], placement, context)
        return reported(placement, engine.pose_offset)  # what things weigh is nobody's to see

    def objects(self) -> Sighting:
        self._catch_up()
        p, quat, v = self._physics().objects()
        return Sighting(p[0], quat[0], v[0], age_s=np.zeros(len(p[0])))

    def _physics(self) -> PhysicsEngine:
        self._check_connected()
        assert self._engine is not None
        return self._engine

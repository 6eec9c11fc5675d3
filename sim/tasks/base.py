"""What a task is: where things start, what must hold at the end, and an expert that shows it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from daytwo.errors import InputError
from daytwo.sim.arms import Arm
from daytwo.sim.fixtures import PART, has_part
from daytwo.sim.predicates import distance
from daytwo.sim.state import Array, Rows, State

N_RANDOM = 24  # uniform numbers an exercise is made of; its seed decides them all
ACTION = ("dx", "dy", "dz", "dyaw", "gripper")


@dataclass
class Placement(Rows):
    """Where an exercise starts: arrays over k exercises."""

    p_object: Array  # (k, 2, 3) [m]
    yaw_object: Array  # (k, 2) [rad]
    half: Array  # (k, 2) half-width [m]; 0 leaves the slot empty
    mass: Array  # (k, 2) [kg]
    friction: Array  # (k, 2) sliding friction coefficient
    p_goal: Array  # (k, 3) [m]
    p_pedestal: Array  # (k, 3) centre of the pedestal's top [m]; NaN where there is none
    pedestal_half: Array  # (k,) its half-width [m]
    stretch: Array  # (k, 2) an object's height over its width; 1 for a cube
    yaw_goal: Array  # (k,) [rad]; 0 where the goal has no orientation
    fixture: Array  # (k,) which fixture stands on the table, its `fixtures.code`; 0 for none
    p_fixture: Array  # (k, 3) its origin, on the table [m]; NaN where there is none
    yaw_fixture: Array  # (k,) [rad]
    fixture_size: Array  # (k,) [m]
    slid: Array  # (k,) how far its part is from its place at rest [m]

    @property
    def half_z(self) -> Array:
        """Half of each object's height (k, 2) [m]."""
        return self.half * self.stretch

    @property
    def free(self) -> NDArray[np.bool_]:
        """Slots (k, 2) with an object that lies there freely: no fixture's part."""
        free = self.half > 0
        free[:, PART] &= ~has_part(self.fixture)
        return free

    @classmethod
    def empty(cls, k: int) -> Placement:
        """No object, no pedestal, goal at the base frame's origin."""
        return cls(
            p_object=np.zeros((k, 2, 3)),
            yaw_object=np.zeros((k, 2)),
            half=np.zeros((k, 2)),
            mass=np.full((k, 2), 0.1),
            friction=np.ones((k, 2)),
            p_goal=np.zeros((k, 3)),
            p_pedestal=np.full((k, 3), np.nan),
            pedestal_half=np.full(k, 0.03),
            stretch=np.ones((k, 2)),
            yaw_goal=np.zeros(k),
            fixture=np.zeros(k),
            p_fixture=np.full((k, 3), np.nan),
            yaw_fixture=np.zeros(k),
            fixture_size=np.zeros(k),
            slid=np.zeros(k),
        )

    @classmethod
    def named(cls, arrays: Mapping[str, ArrayLike]) -> Placement:
        """From arrays by their names, of one exercise or more; those of fixtures may be missing.

        Raises:
            InputError: one is missing, of another shape or no number.
        """
        k = np.size(arrays.get("pedestal_half", 0))
        found = {}
        for name, like in vars(cls.empty(k)).items():
            try:
                given = arrays.get(name, like) if name in _SINCE else arrays[name]
                found[name] = np.asarray(given, dtype=np.float64)
            except (KeyError, TypeError, ValueError) as error:
                raise InputError(f"placement: {name} is missing, or holds no numbers") from error
            if found[name].shape != like.shape:
                raise InputError(f"placement: {name} is {found[name].shape}, not {like.shape}")
        unknown = sorted(set(arrays) - set(found))
        if unknown:
            raise InputError(f"placement: unknown {', '.join(unknown)}")
        return cls(**found)


# Placements that were stored before there were fixtures lack these.
_SINCE = ("stretch", "yaw_goal", "fixture", "p_fixture", "yaw_fixture", "fixture_size", "slid")


class Task(ABC):
    """One kind of exercise on one arm. Stateless: everything is in the `State` it is given."""

    name: ClassVar[str]
    horizon: ClassVar[int]  # control steps (20 Hz)
    n_objects: ClassVar[int]  # object slots it uses, a fixture's part among them
    fixture: ClassVar[str] = ""  # the fixture it needs
    descriptor: ClassVar[NDArray[np.int8]]
    needs_grasp: ClassVar[bool] = False

    def __init__(self, arm: Arm) -> None:
        self.arm = arm
        low, high = np.asarray(arm.workspace).T
        self.centre = (low + high) / 2
        self.extent = (high - low) / 2  # half the workspace box
        self.reach_low = float(low[2])
        self.width = arm.gripper.max_opening
        self.step_length = arm.speed / 20.0  # [m] a full action moves the command this far
        if self.needs_grasp and self.width < 0.03:
            raise InputError(
                f"task '{self.name}' needs a gripper that opens at least 0.03 m; "
                f"arm '{arm.name}' has gripper.max_opening = {self.width} m"
            )

    @abstractmethod
    def place(self, u: Array, difficulty: Array, p_ee: Array) -> Placement:
        """Starting conditions of k exercises.

        Args:
            u: uniform numbers in [0, 1), shape (k, N_RANDOM), the exercise's own.
            difficulty: (k,) in [0, 1].
            p_ee: tool point at the start (k, 3) [m].
        """

    @abstractmethod
    def expert(self, state: State) -> Array:
        """Scripted expert: actions (n, 5) in [-1, 1] from the state alone (it is memoryless)."""

    def goal(self, state: State) -> Array:
        """Goal now, (n, 3) [m]; a fixed one unless the task's goal rides on an object."""
        return state.p_goal

    def progress(self, state: State) -> Array:
        """Potential in [0, 1], (n,), for shaping: how near the attempt is to success."""
        near = nearness(distance(state.p_ee, state.p_object[:, 0]))
        there = nearness(distance(state.p_object[:, 0], state.p_goal))
        return 0.3 * near + 0.7 * there

    # Shared by the tasks' `place`.

    def on_table(self, u: Array, difficulty: Array, half: Array) -> Array:
        """Cube centres (k, 3) on the table; the easier, the nearer to the workspace's centre."""
        spread = (0.25 + 0.60 * difficulty)[:, None]
        p = np.empty((len(u), 3))
        p[:, :2] = self.centre[:2] + (2 * u[:, :2] - 1) * self.extent[:2] * spread
        p[:, 2] = half
        return p

    def beside(self, p: Array, u: Array, difficulty: Array, least: float) -> Array:
        """Points (k, 2) on the table at `least` [m] or more from p, inside the workspace.

        An offset that would leave the workspace is mirrored along that axis.
        """
        angle = 2 * np.pi * u[:, 0]
        ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        radius = (0.25 + 0.65 * difficulty) * u[:, 1]
        offset = ring * self.extent[:2] * radius[:, None]
        length = np.linalg.norm(offset, axis=1, keepdims=True)
        offset = np.where(length < least, ring * least, offset)
        low, high = self.centre[:2] - 0.9 * self.extent[:2], self.centre[:2] + 0.9 * self.extent[:2]
        point = p[:, :2] + offset
        mirrored = p[:, :2] - offset
        point = np.clip(np.where((point < low) | (point > high), mirrored, point), low, high)
        # Where the workspace is too shallow for that, go sideways, towards its middle.
        near = np.linalg.norm(point - p[:, :2], axis=1) < least - 1e-9
        sideways = p[:, :2] - np.stack([0 * p[:, 1], np.copysign(least, p[:, 1])], axis=1)
        return np.where(near[:, None], sideways, point)

    def cube(self, u: Array, difficulty: Array) -> tuple[Array, Array, Array]:
        """Half-size [m], mass [kg] and friction of cubes, each (k,), from three numbers in u.

        Harder cubes are smaller; their mass and friction lie in a wider range.
        """
        half = self.width * (0.27 - 0.05 * difficulty + 0.03 * (u[:, 0] - 0.5))
        mass = 0.08 * np.exp((2 * u[:, 1] - 1) * np.log(1.2 + 1.3 * difficulty))
        friction = 1.0 + (2 * u[:, 2] - 1) * (0.05 + 0.35 * difficulty)
        return half, mass, friction

    def yaw(self, u: Array, difficulty: Array) -> Array:
        """Yaw of a cube (k,) [rad]: straight when easy, anything when hard."""
        return (2 * u - 1) * (0.1 + 0.9 * difficulty) * np.pi / 4

    def cubes(self, u: Array, difficulty: Array) -> Placement:
        """Exercises (k,) with two cubes, from the first eight numbers in u; without places."""
        placement = Placement.empty(len(u))
        for i in range(2):
            size, mass, friction = self.cube(u[:, 3 * i : 3 * i + 3], difficulty)
            placement.half[:, i], placement.mass[:, i] = size, mass
            placement.friction[:, i] = friction
            placement.yaw_object[:, i] = self.yaw(u[:, 6 + i], difficulty)
        return placement

    # Shared by the tasks' `expert`.

    def action(self, state: State, p_target: Array, dyaw: Array | float, gripper: Array) -> Array:
        """Action that moves the commanded tool point to `p_target`, turns by `dyaw`."""
        move = np.empty((len(p_target), 5))
        move[:, :3] = (p_target - state.p_command) / self.step_length
        turned = state.yaw_command - state.yaw_ee  # already asked for, not yet reached
        move[:, 3] = (dyaw - turned) / YAW_STEP
        move[:, 4] = gripper
        # One factor for the three directions keeps the tool on a straight line.
        move[:, :3] /= np.maximum(np.abs(move[:, :3]).max(axis=1, keepdims=True), 1.0)
        return np.clip(move, -1.0, 1.0)


YAW_STEP = 0.15  # [rad] a full action turns the commanded yaw this far


def nearness(d: Array, scale: float = 0.15) -> Array:
    """1 at distance 0, falling to 0 far away."""
    return 1.0 - np.tanh(d / scale)

"""What is known of every simulation at one instant, as arrays over the simulations."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Rows:
    """A dataclass of arrays that share their first axis."""

    def take(self, ids: NDArray[np.int64]) -> Self:
        """Some rows, copied."""
        return type(self)(**{f.name: getattr(self, f.name)[ids] for f in fields(self)})  # type: ignore[arg-type]

    def put(self, ids: NDArray[np.int64], other: Self) -> None:
        """Overwrite some rows."""
        for f in fields(self):  # type: ignore[arg-type]
            getattr(self, f.name)[ids] = getattr(other, f.name)


@dataclass
class State(Rows):
    """World state; n simulations, two object slots. Positions in the base frame, z = 0 on the
    table top.
    """

    p_ee: Array  # (n, 3) tool point [m]
    v_ee: Array  # (n, 3) its velocity [m/s]
    yaw_ee: Array  # (n,) [rad]
    p_command: Array  # (n, 3) tool point asked for [m]
    yaw_command: Array  # (n,) [rad]
    opening: Array  # (n,) distance between the pads [m]
    p_object: Array  # (n, 2, 3) cube centres [m]
    v_object: Array  # (n, 2, 3) [m/s]
    yaw_object: Array  # (n, 2) yaw of a cube's most level axis [rad]
    # (n, 2, 2) level part of the axis, a unit vector, that points up: of a cube whichever of its
    # axes does so most, of what is longer its long one
    lean_object: Array
    half: Array  # (n, 2) half-width of each object [m]; 0 for an absent one
    stretch: Array  # (n, 2) its height over its width; 1 for a cube
    p_goal: Array  # (n, 3) where the tool point, object 0 or a fixture's part shall be [m]
    yaw_goal: Array  # (n,) how the goal is turned [rad]; 0 where it has no orientation
    fixture: Array  # (n,) which fixture stands there, its `fixtures.code`; 0 for none
    p_fixture: Array  # (n, 3) its origin, on the table [m]
    yaw_fixture: Array  # (n,) [rad]
    fixture_size: Array  # (n,) [m]

    @classmethod
    def zeros(cls, n: int) -> State:
        """All zero, and cubes; `World.reset` fills it."""
        shapes: dict[str, tuple[int, ...]] = {"p_object": (n, 2, 3), "v_object": (n, 2, 3)}
        shapes |= dict.fromkeys(("yaw_object", "half", "stretch"), (n, 2))
        shapes["lean_object"] = (n, 2, 2)
        shapes |= dict.fromkeys(("p_ee", "v_ee", "p_command", "p_goal", "p_fixture"), (n, 3))
        state = cls(**{f.name: np.zeros(shapes.get(f.name, (n,))) for f in fields(cls)})
        state.stretch[:] = 1.0
        return state

    @property
    def half_z(self) -> Array:
        """Half of each object's height (n, 2) [m]."""
        return self.half * self.stretch

    @property
    def upright(self) -> Array:
        """Cosine (n, 2) of the angle by which each object leans."""
        return np.sqrt(np.maximum(1.0 - (self.lean_object**2).sum(axis=-1), 0.0))

    @property
    def p_bottom(self) -> Array:
        """The middles (n, 2, 3) [m] of the faces that objects stand on."""
        axis = np.concatenate([self.lean_object, self.upright[..., None]], axis=-1)
        return self.p_object - self.half_z[..., None] * axis

    def moved(self, by: Array) -> State:
        """The same with objects, goals and fixtures moved by (n, 3) [m]."""
        return replace(
            self,
            p_object=self.p_object + by[:, None],
            p_goal=self.p_goal + by,
            p_fixture=self.p_fixture + by,
        )


def wrap(angle: Array, period: float) -> Array:
    """Angle folded into [-period/2, period/2)."""
    return (angle + period / 2) % period - period / 2


def grasp_yaw_error(state: State) -> Array:
    """Turn (n, 2) [rad] that lines the tool up with each cube; a cube looks alike every 90 deg."""
    return wrap(state.yaw_object - state.yaw_ee[:, None], np.pi / 2)


def goal_yaw_error(state: State) -> Array:
    """Turn (n,) [rad] that lines the tool up with a goal at a fixture; 0 where there is none."""
    error = wrap(state.yaw_goal - state.yaw_ee, np.pi / 2)
    return np.where(state.fixture > 0, error, 0.0)

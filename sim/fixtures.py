"""What stands on the table and is worked on: a socket, a button, a drawer.

A fixture is a few boxes in a frame of its own, whose origin lies on the table and whose x axis is
at the fixture's yaw. One number, its size, scales it. Its part, if it has one, slides along an
axis of that frame; a policy sees the part in object slot 1. Every engine builds from these boxes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
PART = 1  # the object slot in which a fixture's part is seen


@dataclass(frozen=True)
class Slide:
    """How a part moves, from 0 to `travel` [m] along `axis` of the fixture's frame."""

    axis: tuple[float, float, float]
    travel: float
    mass: float  # [kg]
    damping: float  # [N s/m]
    friction: float = 0.0  # [N]
    stiffness: float = 0.0  # [N/m] of a spring that pushes it back to 0
    preload: float = 0.0  # [N] of that spring at 0


@dataclass(frozen=True)
class Fixture:
    """One kind. Boxes come as (k, m, 2, 3) [m]: centres and half-sizes of m boxes at k sizes."""

    name: str
    sizes: tuple[float, float]  # [m] least and greatest
    fixed: Callable[[Array], Array]
    moving: Callable[[Array], Array] | None = None  # the first of its boxes is what is seen
    slide: Slide | None = None


RIM = 0.012  # [m] height of the socket's walls
HOLE = 0.0145  # [m] half-width of its hole


def _boxes(size: Array, *rows: tuple[Array | float, ...]) -> Array:
    """Each row: centre x, y, z, half-size x, y, z."""
    flat = [np.stack([np.broadcast_to(v, size.shape) for v in row], axis=1) for row in rows]
    return np.stack(flat, axis=1).reshape(len(size), len(rows), 2, 3)


def _walls(inner: Array, thick: float, height: float) -> Array:
    """Four walls around a square hole."""
    centre, half, z = inner + thick / 2, thick / 2, height / 2
    return _boxes(
        inner,
        (centre, 0.0, z, half, inner + thick, z),
        (-centre, 0.0, z, half, inner + thick, z),
        (0.0, centre, z, inner, half, z),
        (0.0, -centre, z, inner, half, z),
    )


SOCKET = Fixture("socket", (HOLE, HOLE), lambda size: _walls(size, 0.014, RIM))

FIXTURES = (SOCKET,)


def code(name: str) -> float:
    """The number a placement names a fixture by; 0 is none."""
    return 1.0 + [fixture.name for fixture in FIXTURES].index(name)


def has_part(fixture: Array) -> NDArray[np.bool_]:
    """Whether fixtures, given by their codes (k,), have a part that moves."""
    slides = np.array([False, *(each.slide is not None for each in FIXTURES)])
    return np.asarray(slides[fixture.astype(np.int64)])


def turned(p: Array, yaw: Array) -> Array:
    """Vectors (k, 3) of fixtures' frames at `yaw` (k,) [rad], in the base frame."""
    c, s = np.cos(yaw), np.sin(yaw)
    x, y = p[..., 0], p[..., 1]
    return np.stack([c * x - s * y, s * x + c * y, np.broadcast_to(p[..., 2], x.shape)], axis=-1)


def seen_part(name: str, size: Array, slid: Array) -> Array:
    """Centres (k, 3) [m] of the seen part in the fixture's frame, `slid` (k,) [m] along its axis.

    Half-sizes are `moving(size)[:, 0, 1]`.
    """
    fixture = FIXTURES[int(code(name)) - 1]
    assert fixture.moving is not None and fixture.slide is not None
    return fixture.moving(size)[:, 0, 0] + slid[:, None] * np.asarray(fixture.slide.axis)

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
    # [N s/m]; no dry friction, which would cost every simulation a constraint at every step
    damping: float
    stiffness: float = 0.0  # [N/m] of a spring that pulls it back to 0


@dataclass(frozen=True)
class Fixture:
    """One kind. Boxes come as (k, m, 2, 3) [m]: centres and half-sizes of m boxes at k sizes."""

    name: str
    sizes: tuple[float, float]  # [m] least and greatest
    friction: float  # sliding friction coefficient of its surface
    fixed: Callable[[Array], Array]
    moving: Callable[[Array], Array] | None = None  # the first of its boxes is what is seen
    slide: Slide | None = None


RIM = 0.012  # [m] height of the socket's walls
HOLE = 0.0145  # [m] half-width of its hole


def _boxes(size: Array, *rows: tuple[Array | float, ...]) -> Array:
    """Each row: centre x, y, z, half-size x, y, z."""
    flat = [np.stack([np.broadcast_to(v, size.shape) for v in row], axis=1) for row in rows]
    return np.stack(flat, axis=1).reshape(len(size), len(rows), 2, 3)


def _walls(x: Array, y: Array, thick: float, height: float) -> Array:
    """Four walls around a hole of half-widths x, y (k,) [m]."""
    half, z = thick / 2, height / 2
    return _boxes(
        x,
        (x + half, 0.0, z, half, y + thick, z),
        (-x - half, 0.0, z, half, y + thick, z),
        (0.0, y + half, z, x, half, z),
        (0.0, -y - half, z, x, half, z),
    )


# Polished: a peg that is pressed on its rim slides, and tilts where it meets the hole's edge.
SOCKET = Fixture("socket", (HOLE, HOLE), 0.1, lambda size: _walls(size, size, 0.014, RIM))

BUTTON_RIM = 0.030  # [m] height of the walls around the button's cap
CAP_SHUT = 0.0245  # [m] half-width of the least well in which shut finger tips find the cap
CAP_WIDE = 0.034  # [m] of the widest
SLIM = 0.011  # [m] shut finger tips are this much narrower across than along


def _cap(size: Array) -> Array:
    return _boxes(size, (0.0, 0.0, 0.016, size - SLIM - 0.001, size - 0.001, 0.006))


def _well(size: Array) -> Array:
    return _walls(size - SLIM, size, 0.012, BUTTON_RIM)


BUTTON = Fixture(
    "button",
    (CAP_SHUT, CAP_WIDE),
    0.6,
    _well,
    _cap,
    Slide((0.0, 0.0, -1.0), travel=0.008, mass=0.05, damping=3.0, stiffness=500.0),
)

# A drawer opens along -x. Its front, when shut, is at x = 0; before it is a handle, a loop with
# room for the shut finger tips, which pull at its bar or push at the front.
DEPTH, WIDTH = 0.088, 0.044  # [m] length and half-width of the box, outside
WALL, FLOOR, BRIM = 0.004, 0.006, 0.018  # [m] thickness of its walls; heights of floor and walls
CABINET = 0.044  # [m] height of what it slides into
BAR = (-0.041, 0.0, 0.022, 0.005, 0.039, 0.006)  # [m] centre and half-sizes, drawer shut


def _cabinet(size: Array) -> Array:
    length, wide, mid, top = 0.098, size + 0.008, CABINET / 2, CABINET - 0.002
    return _boxes(
        size,
        (length / 2, wide - 0.003, mid, length / 2, 0.003, mid),
        (length / 2, 0.003 - wide, mid, length / 2, 0.003, mid),
        (length - 0.003, 0.0, mid, 0.003, wide, mid),
        (length / 2, 0.0, top, length / 2, wide, 0.002),
    )


def _drawer(size: Array) -> Array:
    half, mid, low = WALL / 2, DEPTH / 2, (BRIM - 0.002) / 2
    return _boxes(
        size,
        BAR,
        (-0.018, 0.036, BAR[2], 0.018, 0.003, 0.006),
        (-0.018, -0.036, BAR[2], 0.018, 0.003, 0.006),
        (half, 0.0, 0.018, half, size, 0.016),
        (DEPTH - half, 0.0, 0.002 + low, half, size, low),
        (mid, size - half, 0.002 + low, mid, half, low),
        (mid, half - size, 0.002 + low, mid, half, low),
        (mid, 0.0, 0.002 + half, mid, size, half),
    )


DRAWER = Fixture(
    "drawer",
    (WIDTH, WIDTH),
    1.0,
    _cabinet,
    _drawer,
    Slide((-1.0, 0.0, 0.0), travel=0.10, mass=0.3, damping=15.0),
)

FIXTURES = (SOCKET, BUTTON, DRAWER)


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
    x, y, z = p[..., 0], p[..., 1], p[..., 2] + 0.0 * yaw
    return np.stack([c * x - s * y, s * x + c * y, z], axis=-1)


def seen_part(name: str, size: Array, slid: Array) -> Array:
    """Centres (k, 3) [m] of the seen part in the fixture's frame, `slid` (k,) [m] along its axis.

    Half-sizes are `moving(size)[:, 0, 1]`.
    """
    fixture = FIXTURES[int(code(name)) - 1]
    assert fixture.moving is not None
    assert fixture.slide is not None
    return fixture.moving(size)[:, 0, 0] + slid[:, None] * np.asarray(fixture.slide.axis)

"""Fixtures in MuJoCo: added to the model, then sized, put in place and read, n simulations at once.

A fixture that an exercise does not use is parked out of reach.
"""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import mujoco.batch
import numpy as np
from numpy.typing import NDArray

from daytwo.errors import InputError
from daytwo.sim.fixtures import FIXTURES, PART, Array, Fixture, code, has_part, seen_part, turned
from daytwo.sim.tasks.base import Placement

_PARKED = (0.5, 2.2, -0.5)  # [m]
_FIXED, _MOVING = (0.45, 0.50, 0.58, 1.0), (0.80, 0.22, 0.26, 1.0)  # colours


def add_fixtures(spec: mujoco.MjSpec, names: Sequence[str], contype: int, affinity: int) -> None:
    """Bodies `socket`, ... and, of those that slide, `socket_part` with a joint of that name."""
    for fixture in FIXTURES:
        if fixture.name in names:
            base = spec.worldbody.add_body(name=fixture.name, mocap=True, pos=_PARKED)
            _geoms(base, fixture, fixture.name, fixture.fixed, _FIXED, contype, affinity)
            if fixture.slide is not None:
                _part(base, fixture, contype, affinity)


def _part(base: mujoco.MjsBody, fixture: Fixture, contype: int, affinity: int) -> None:
    slide, name = fixture.slide, f"{fixture.name}_part"
    assert slide is not None
    assert fixture.moving is not None
    part = base.add_body(name=name, gravcomp=1.0)
    part.mass, part.inertia, part.explicitinertial = slide.mass, (1e-4,) * 3, True
    joint = part.add_joint(
        name=name,
        type=mujoco.mjtJoint.mjJNT_SLIDE,
        axis=slide.axis,
        range=(0.0, slide.travel),
        limited=True,
    )
    joint.stiffness[0], joint.damping[0] = slide.stiffness, slide.damping
    _geoms(part, fixture, name, fixture.moving, _MOVING, contype, affinity)


def _geoms(body, fixture, name, boxes, rgba, contype, affinity) -> None:  # type: ignore[no-untyped-def]
    """Boxes as they are at the greatest size, but large enough to hold those of every size.

    MuJoCo keeps the bounding volumes of the compiled boxes when a simulation's are changed.
    """
    least, greatest = boxes(np.array(fixture.sizes, dtype=np.float64))
    for i, (small, great) in enumerate(zip(least, greatest, strict=True)):
        half = np.maximum(great[1], small[1] + np.abs(small[0] - great[0]))
        body.add_geom(
            name=f"{name}{i}",
            type=mujoco.mjtGeom.mjGEOM_BOX,
            pos=great[0],
            size=half,
            rgba=rgba,
            contype=contype,
            conaffinity=affinity,
            condim=3,
            # Its own surface decides; a stiff one, or a pressed peg would sink into it.
            priority=2,
            friction=(fixture.friction, 0.005, 0.0001),
            solref=(0.01, 1.0),
            solimp=(0.95, 0.99, 0.001, 0.5, 2.0),
        )


class FixtureWriter:
    """The fixtures of a batch.

    Args:
        model: whose bodies `add_fixtures` added.
        batch: of it.
        names: the fixtures it has.
    """

    def __init__(
        self, model: mujoco.MjModel, batch: mujoco.batch.Batch, names: Sequence[str]
    ) -> None:
        self.names = tuple(names)
        self._code = np.zeros(batch.nsim)
        self._p, self._yaw = np.zeros((batch.nsim, 3)), np.zeros(batch.nsim)
        self._size = np.zeros(batch.nsim)
        self._kinds = [_Kind(model, batch, each) for each in FIXTURES if each.name in names]

    def write(self, ids: NDArray[np.int64], placement: Placement, qpos: Array) -> None:
        """Lay out the fixtures of `ids` (k,); their parts' places go into `qpos` (k, nq).

        Raises:
            InputError: an exercise needs a fixture that the scene does not have.
        """
        known = [0.0, *(code(name) for name in self.names)]
        if not np.isin(placement.fixture, known).all():
            raise InputError(
                f"placement: fixture {placement.fixture[~np.isin(placement.fixture, known)][0]:g} "
                f"is not in this scene, which has: {', '.join(self.names) or 'none'}"
            )
        self._code[ids], self._size[ids] = placement.fixture, placement.fixture_size
        self._p[ids], self._yaw[ids] = placement.p_fixture, placement.yaw_fixture
        for kind in self._kinds:
            kind.write(ids, placement, qpos)

    def see(self, p: Array, quat: Array, v: Array, qpos: Array, qvel: Array) -> None:
        """Put the parts into their slot of centres (n, k, 3), quaternions and velocities."""
        for kind in self._kinds:
            if kind.fixture.slide is None:
                continue
            rows = np.flatnonzero(self._code == kind.code)
            if not len(rows):
                continue
            yaw, axis = self._yaw[rows], np.asarray(kind.fixture.slide.axis)
            local = seen_part(kind.fixture.name, self._size[rows], qpos[rows, kind.q])
            p[rows, PART] = self._p[rows] + turned(local, yaw)
            v[rows, PART] = turned(qvel[rows, kind.v][:, None] * axis, yaw)
            quat[rows, PART] = 0.0
            quat[rows, PART, 0], quat[rows, PART, 3] = np.cos(yaw / 2), np.sin(yaw / 2)

    def rest(self, qpos: Array, qvel: Array) -> None:
        """Put all parts where they rest."""
        for kind in self._kinds:
            if kind.fixture.slide is not None:
                qpos[:, kind.q] = qvel[:, kind.v] = 0.0

    def place(self, p: Array, v: Array, qpos: Array, qvel: Array) -> bool:
        """Slide the parts to where they are, (n, 3) [m], at the velocity (3,) [m/s].

        Returns:
            Whether there are any.
        """
        for kind in self._kinds:
            if kind.fixture.slide is None:
                continue
            rows = np.flatnonzero(self._code == kind.code)
            rest = seen_part(kind.fixture.name, self._size[rows], np.zeros(len(rows)))
            axis = turned(np.tile(kind.fixture.slide.axis, (len(rows), 1)), self._yaw[rows])
            away = p[rows] - self._p[rows] - turned(rest, self._yaw[rows])
            slid = np.einsum("ni,ni->n", away, axis)
            qpos[rows, kind.q] = np.clip(slid, 0.0, kind.fixture.slide.travel)
            qvel[rows, kind.v] = axis @ v
        return bool(has_part(self._code).any())


class _Kind:
    """Where one fixture's numbers are in the model."""

    def __init__(self, model: mujoco.MjModel, batch: mujoco.batch.Batch, fixture: Fixture) -> None:
        self.fixture, self.code = fixture, code(fixture.name)
        self._mocap = model.body(fixture.name).mocapid[0]
        self._mocap_pos, self._mocap_quat = batch.bind("mocap_pos"), batch.bind("mocap_quat")
        self._parked = np.asarray(_PARKED) + np.array([0.0, 0.6 * self.code, 0.0])
        self.q = self.v = -1
        if fixture.slide is not None:
            joint = model.joint(f"{fixture.name}_part")
            self.q, self.v = int(joint.qposadr[0]), int(joint.dofadr[0])
        self._groups = []
        least, greatest = fixture.sizes
        for name, boxes in (
            (fixture.name, fixture.fixed),
            (f"{fixture.name}_part", fixture.moving),
        ):
            if boxes is not None:
                m = boxes(np.zeros(1)).shape[1]
                geoms = np.array([model.geom(f"{name}{i}").id for i in range(m)])
                self._groups.append((geoms, boxes))
        self._scales = least < greatest
        if self._scales:
            self._pos, self._geom_size = batch.expand("geom_pos"), batch.expand("geom_size")

    def write(self, ids: NDArray[np.int64], placement: Placement, qpos: Array) -> None:
        here = placement.fixture == self.code
        yaw = np.where(here, placement.yaw_fixture, 0.0)
        p = np.where(here[:, None], placement.p_fixture, self._parked)
        self._mocap_pos[ids, self._mocap] = p
        self._mocap_quat[ids, self._mocap, 0] = np.cos(yaw / 2)
        self._mocap_quat[ids, self._mocap, 1:3] = 0.0
        self._mocap_quat[ids, self._mocap, 3] = np.sin(yaw / 2)
        if self.q >= 0:
            qpos[:, self.q] = np.where(here, placement.slid, 0.0)
        if self._scales:
            size = np.where(here, placement.fixture_size, self.fixture.sizes[1])
            for geoms, boxes in self._groups:
                made = boxes(size)
                self._pos[ids[:, None], geoms] = made[:, :, 0]
                self._geom_size[ids[:, None], geoms] = made[:, :, 1]

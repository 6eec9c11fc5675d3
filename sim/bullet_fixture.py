"""A fixture in PyBullet: the same boxes as in MuJoCo, its part on a prismatic joint."""

from __future__ import annotations

import tempfile

import numpy as np

from daytwo.sim.fixtures import FIXTURES, Array, Fixture, seen_part, turned
from daytwo.sim.quiet_bullet import pybullet
from daytwo.sim.tasks.base import Placement


class BulletFixture:
    """The fixture of one exercise.

    Args:
        client: PyBullet's.
        placement: one row, with a fixture.
    """

    def __init__(self, client: int, placement: Placement) -> None:
        self._client = client
        self._fixture = FIXTURES[int(placement.fixture[0]) - 1]
        self._size, self._yaw = placement.fixture_size[:1], placement.yaw_fixture[:1]
        self._p = placement.p_fixture[0]
        self.slides = self._fixture.slide is not None
        for centre, half in self._fixture.fixed(self._size)[0]:
            shape = self._shape(half)
            body = pybullet.createMultiBody(
                0.0,
                shape,
                basePosition=self._at(centre),
                baseOrientation=self._xyzw(),
                physicsClientId=client,
            )
            self._material(body, -1)
        if self.slides:
            self._load_part(float(placement.slid[0]))

    def push_back(self) -> None:
        """The spring's force, for the next physics step."""
        slide = self._fixture.slide
        if slide is not None and slide.stiffness:
            q = pybullet.getJointState(self._part, 0, self._client)[0]
            pybullet.setJointMotorControl2(
                self._part,
                0,
                pybullet.TORQUE_CONTROL,
                force=-slide.stiffness * q,
                physicsClientId=self._client,
            )

    def part(self) -> tuple[Array, Array, Array]:
        """Centre (3,) [m], quaternion (4,) wxyz and velocity (3,) [m/s] of what is seen of it."""
        assert self._fixture.slide is not None
        q, dq = pybullet.getJointState(self._part, 0, self._client)[:2]
        local = seen_part(self._fixture.name, self._size, np.array([q]))[0]
        axis = np.asarray(self._fixture.slide.axis)
        quat = np.array([np.cos(self._yaw[0] / 2), 0.0, 0.0, np.sin(self._yaw[0] / 2)])
        return self._at(local), quat, turned(dq * axis, self._yaw[0])

    def _load_part(self, slid: float) -> None:
        slide, client = self._fixture.slide, self._client
        with tempfile.NamedTemporaryFile("w", suffix=".urdf") as file:
            file.write(_urdf(self._fixture, self._size))
            file.flush()
            self._part = pybullet.loadURDF(
                file.name,
                basePosition=self._p,
                baseOrientation=self._xyzw(),
                useFixedBase=True,
                flags=pybullet.URDF_USE_INERTIA_FROM_FILE,
                physicsClientId=client,
            )
        assert slide is not None
        self._material(self._part, 0)
        pybullet.setJointMotorControl2(
            self._part,
            0,
            pybullet.VELOCITY_CONTROL,
            targetVelocity=0.0,
            force=0.0,
            physicsClientId=client,
        )
        for i in range(pybullet.getNumBodies(client)):  # it touches hand and objects alone
            other = pybullet.getBodyUniqueId(i, client)
            still = pybullet.getDynamicsInfo(other, -1, client)[0] == 0.0
            if still and pybullet.getNumJoints(other, client) == 0:
                pybullet.setCollisionFilterPair(self._part, other, 0, -1, 0, client)
        pybullet.resetJointState(self._part, 0, slid, physicsClientId=client)

    def _shape(self, half: Array) -> int:
        box = pybullet.GEOM_BOX
        return int(
            pybullet.createCollisionShape(box, halfExtents=half, physicsClientId=self._client)
        )

    def _material(self, body: int, link: int) -> None:
        pybullet.changeDynamics(
            body,
            link,
            lateralFriction=self._fixture.friction,
            linearDamping=0.0,
            angularDamping=0.0,
            physicsClientId=self._client,
        )

    def _at(self, local: Array) -> Array:
        return np.asarray(self._p + turned(local, self._yaw[0]))

    def _xyzw(self) -> tuple[float, float, float, float]:
        return 0.0, 0.0, float(np.sin(self._yaw[0] / 2)), float(np.cos(self._yaw[0] / 2))


def _urdf(fixture: Fixture, size: Array) -> str:
    """The part of one fixture, on its slide."""
    slide = fixture.slide
    assert slide is not None
    assert fixture.moving is not None
    boxes = "".join(
        f'<collision><origin xyz="{_numbers(centre)}"/>'
        f'<geometry><box size="{_numbers(2 * half)}"/></geometry></collision>'
        for centre, half in fixture.moving(size)[0]
    )
    inertia = '<inertia ixx="1e-4" iyy="1e-4" izz="1e-4" ixy="0" ixz="0" iyz="0"/>'
    return f"""<robot name="{fixture.name}">
  <link name="base"><inertial><mass value="1"/>{inertia}</inertial></link>
  <link name="part">
    <inertial><mass value="{slide.mass}"/>{inertia}</inertial>
    {boxes}
  </link>
  <joint name="slide" type="prismatic">
    <parent link="base"/><child link="part"/>
    <axis xyz="{_numbers(slide.axis)}"/>
    <limit lower="0" upper="{slide.travel}" effort="100" velocity="10"/>
    <dynamics damping="{slide.damping}" friction="0"/>
  </joint>
</robot>"""


def _numbers(values: Array | tuple[float, ...]) -> str:
    return " ".join(f"{value:.6f}" for value in values)

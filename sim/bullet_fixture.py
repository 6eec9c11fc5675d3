"""A fixture in PyBullet: the same boxes as in MuJoCo, its part on a prismatic joint."""

from __future__ import annotations

import numpy as np
import pybullet

from daytwo.sim.fixtures import FIXTURES, Array, seen_part, turned
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
                0.0, shape, basePosition=self._at(centre), baseOrientation=self._xyzw(),
                physicsClientId=client,
            )  # fmt: skip
            self._material(body, -1)
        if self.slides:
            self._load_part(float(placement.slid[0]))

    def push_back(self) -> None:
        """The spring's force, for the next physics step."""
        slide = self._fixture.slide
        if slide is not None and slide.stiffness:
            q = pybullet.getJointState(self._part, 0, self._client)[0]
            pybullet.setJointMotorControl2(
                self._part, 0, pybullet.TORQUE_CONTROL,
                force=-slide.preload - slide.stiffness * q, physicsClientId=self._client,
            )  # fmt: skip

    def part(self) -> tuple[Array, Array, Array]:
        """Centre (3,) [m], quaternion (4,) wxyz and velocity (3,) [m/s] of what is seen of it."""
        assert self._fixture.slide is not None
        q, dq = pybullet.getJointState(self._part, 0, self._client)[:2]
        local = seen_part(self._fixture.name, self._size, np.array([q]))[0]
        axis = np.asarray(self._fixture.slide.axis)
        quat = np.array([np.cos(self._yaw[0] / 2), 0.0, 0.0, np.sin(self._yaw[0] / 2)])
        return self._at(local), quat, turned(dq * axis, self._yaw[0])

    def _load_part(self, slid: float) -> None:
        fixture, client = self._fixture, self._client
        assert fixture.slide is not None and fixture.moving is not None
        boxes = fixture.moving(self._size)[0]
        shape = pybullet.createCollisionShapeArray(
            [pybullet.GEOM_BOX] * len(boxes),
            halfExtents=boxes[:, 1].tolist(),
            collisionFramePositions=boxes[:, 0].tolist(),
            physicsClientId=client,
        )
        self._part = pybullet.createMultiBody(
            0.0,
            basePosition=self._p,
            baseOrientation=self._xyzw(),
            linkMasses=[fixture.slide.mass],
            linkCollisionShapeIndices=[shape],
            linkVisualShapeIndices=[-1],
            linkPositions=[[0.0, 0.0, 0.0]],
            linkOrientations=[[0.0, 0.0, 0.0, 1.0]],
            linkInertialFramePositions=[boxes[:, 0].mean(axis=0).tolist()],
            linkInertialFrameOrientations=[[0.0, 0.0, 0.0, 1.0]],
            linkParentIndices=[0],
            linkJointTypes=[pybullet.JOINT_PRISMATIC],
            linkJointAxis=[fixture.slide.axis],
            physicsClientId=client,
        )
        self._material(self._part, 0)
        pybullet.changeDynamics(
            self._part, 0,
            jointLowerLimit=0.0, jointUpperLimit=fixture.slide.travel,
            jointDamping=fixture.slide.damping, physicsClientId=client,
        )  # fmt: skip
        pybullet.setJointMotorControl2(
            self._part, 0, pybullet.VELOCITY_CONTROL,
            targetVelocity=0.0, force=fixture.slide.friction, physicsClientId=client,
        )  # fmt: skip
        for body in range(pybullet.getNumBodies(client)):  # it touches hand and objects alone
            other = pybullet.getBodyUniqueId(body, client)
            if other != self._part and pybullet.getDynamicsInfo(other, -1, client)[0] == 0.0:
                if pybullet.getNumJoints(other, client) == 0:
                    pybullet.setCollisionFilterPair(self._part, other, 0, -1, 0, client)
        pybullet.resetJointState(self._part, 0, slid, physicsClientId=client)

    def _shape(self, half: Array) -> int:
        box = pybullet.GEOM_BOX
        return int(
            pybullet.createCollisionShape(box, halfExtents=half, physicsClientId=self._client)
        )

    def _material(self, body: int, link: int) -> None:
        pybullet.changeDynamics(
            body, link, lateralFriction=self._fixture.friction, linearDamping=0.0, angularDamping=0.0,
            physicsClientId=self._client,
        )  # fmt: skip

    def _at(self, local: Array) -> Array:
        return np.asarray(self._p + turned(local, self._yaw[0]))

    def _xyzw(self) -> tuple[float, float, float, float]:
        return 0.0, 0.0, float(np.sin(self._yaw[0] / 2)), float(np.cos(self._yaw[0] / 2))

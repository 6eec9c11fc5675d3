"""The world's other physics: the same scene in PyBullet, one client per simulation.

What was learnt in MuJoCo is tried here in an engine with other contacts, another solver, other
servos and another gripper. A servo drives its joint at a speed proportional to its position error,
as most real arms do, with no more torque than kp |q* - q| + kd |dq/dt|, looked at once a control
step. The arms' gains damp so heavily that MuJoCo's servos come to the same: what is left of
kp (q* - q) - kd dq/dt is dq/dt = (kp / kd) (q* - q). The gripper closes with its full force, and
its fingers are geared to each other, as in real parallel grippers: two that were not would slide
to and fro with the cube.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daytwo.sim.arms import Arm
from daytwo.sim.bullet_fixture import BulletFixture
from daytwo.sim.context import Context
from daytwo.sim.engine import reported
from daytwo.sim.fixtures import PART
from daytwo.sim.quiet_bullet import pybullet
from daytwo.sim.rates import LimitedMotion, Rates
from daytwo.sim.scene import CONTROL_HZ, N_OBJECTS, PEDESTAL_HEIGHT
from daytwo.sim.state import Array
from daytwo.sim.tasks.base import Placement

SUBSTEPS = 12  # physics steps per control step
TIMESTEP = 1.0 / (CONTROL_HZ * SUBSTEPS)  # [s]
SOLVER_ITERATIONS = 100
GRAVITY = 9.81  # [m/s2] on cubes; the arm is gravity-compensated, so it feels none
LEAST_TORQUE = 0.1  # share of its effort limit that a servo may always use
GEAR_FORCE = 50.0  # [N or N m]
GEAR_ERP = 0.1  # share of the fingers' disagreement that is taken back each physics step
PARKED = (0.5, 1.5, 0.02)  # [m] where absent cubes are reported


class BulletEngine:
    """n simulations, stepped one after the other: meant for few."""

    def __init__(self, arm: Arm, n: int = 1, n_objects: int = N_OBJECTS) -> None:
        self.n_objects = n_objects
        self.pose_offset = np.zeros((n, 3))
        self._simulations = [_Simulation(arm, n_objects) for _ in range(n)]
        self._motion = LimitedMotion(Rates.of(arm), n)

    def reset(
        self, ids: NDArray[np.int64], q: Array, placement: Placement, context: Context
    ) -> Placement:
        for row, i in enumerate(ids):
            one = np.array([row])
            self._simulations[i].reset(q[row], placement.take(one), context.take(one))
        self._motion.begin(ids, np.column_stack([q, np.ones(len(ids))]))
        return reported(placement, self.pose_offset[ids])

    def drive(self, q_target: Array, grip: Array) -> None:
        goal = np.column_stack([q_target, grip])
        for command, steps in self._motion.parts(goal, SUBSTEPS):
            self.advance(command[:, :-1], command[:, -1], steps)

    def advance(self, q_target: Array, grip: Array, steps: int) -> None:
        """Physics steps with the servos' own targets, however far away they are."""
        for simulation, q, share in zip(self._simulations, q_target, grip, strict=True):
            simulation.advance(q, float(share), steps)

    def joints(self) -> Array:
        return np.array([simulation.joints()[0] for simulation in self._simulations])

    def joint_velocities(self) -> Array:
        """Measured (n, dof) [rad/s]."""
        return np.array([simulation.joints()[1] for simulation in self._simulations])

    def opening(self) -> Array:
        return np.array([simulation.opening() for simulation in self._simulations])

    def objects(self) -> tuple[Array, Array, Array]:
        each = [simulation.objects() for simulation in self._simulations]
        p, quat, v = (np.stack(part) for part in zip(*each, strict=True))
        return p + self.pose_offset[:, None], quat, v

    def astray(self) -> NDArray[np.bool_]:
        return np.array([simulation.astray() for simulation in self._simulations])

    def close(self) -> None:
        """Give the physics' memory back."""
        for simulation in self._simulations:
            simulation.close()
        self._simulations = []


class _Simulation:
    """One PyBullet client. Every reset builds its scene anew, so that nothing is left behind."""

    def __init__(self, arm: Arm, n_objects: int) -> None:
        self._arm, self._n_objects, self._dof = arm, n_objects, len(arm.joints)
        self._client = pybullet.connect(pybullet.DIRECT)
        gripper = arm.gripper
        fingers = len(gripper.joints)
        self._shut, self._open = np.asarray(gripper.closed), np.asarray(gripper.open)
        self._kp = np.array([*arm.kp, *[gripper.kp] * fingers])
        self._kd = np.array([*arm.kd, *[gripper.kd] * fingers])
        self._effort = np.array([*arm.effort, *[gripper.force] * fingers])
        self._gain = np.ones((2, len(self._kp)))  # factors on kp and kd

    def reset(self, q: Array, placement: Placement, context: Context) -> None:
        """Arm at q (dof,), gripper open; one exercise under one hidden context."""
        client = self._client
        pybullet.resetSimulation(physicsClientId=client)
        pybullet.setPhysicsEngineParameter(
            fixedTimeStep=TIMESTEP,
            numSolverIterations=SOLVER_ITERATIONS,
            deterministicOverlappingPairs=1,
            physicsClientId=client,
        )
        self._box((1.2, 1.2, 0.05), (0.0, 0.0, -0.05))
        if not np.isnan(placement.p_pedestal[0]).any():
            top, half = placement.p_pedestal[0], float(placement.pedestal_half[0])
            self._box((half, half, PEDESTAL_HEIGHT), top - (0, 0, PEDESTAL_HEIGHT))
        self._load_arm()
        self._gain[:, : self._dof] = [context.stiffness, context.damping]
        self._force = self._effort.copy()
        self._force[self._dof :] *= context.grip[0]
        self._payload = float(context.payload[0]) * GRAVITY
        for joint, value in zip(self._joints, (*q, *self._open), strict=True):
            pybullet.resetJointState(self._body, joint, value, physicsClientId=client)
        self._fixture = BulletFixture(client, placement) if placement.fixture[0] else None
        self._cubes: dict[int, int] = {}  # slot -> body
        self._weight: dict[int, float] = {}  # body -> [N]
        for i in range(self._n_objects):
            if placement.free[0, i]:
                half, yaw = float(placement.half[0, i]), float(placement.yaw_object[0, i])
                size = half, half, float(placement.half_z[0, i])
                mass = float(placement.mass[0, i] * context.mass[0])
                friction = float(placement.friction[0, i] * context.friction[0])
                cube = self._box(size, placement.p_object[0, i], yaw, mass, friction)
                # Or it creeps out of a strong grip. It slides by Coulomb's law all the same.
                pybullet.changeDynamics(cube, -1, frictionAnchor=1, physicsClientId=client)
                self._cubes[i], self._weight[cube] = cube, mass * GRAVITY

    def advance(self, q_target: Array, grip: float, steps: int) -> None:
        """Physics steps towards joints (dof,) [rad] and gripper 0 shut .. 1 open."""
        client = self._client
        target = np.array([*q_target, *(self._shut + grip * (self._open - self._shut))])
        for step in range(steps):
            if step % SUBSTEPS == 0:
                self._servo(target)
            for cube, weight in self._weight.items():
                p, _ = pybullet.getBasePositionAndOrientation(cube, client)
                force = (0.0, 0.0, -weight)
                pybullet.applyExternalForce(cube, -1, force, p, pybullet.WORLD_FRAME, client)
            if self._payload:
                p = pybullet.getLinkState(self._body, self._tool, physicsClientId=client)[0]
                force = (0.0, 0.0, -self._payload)
                world = pybullet.WORLD_FRAME
                pybullet.applyExternalForce(self._body, self._tool, force, p, world, client)
            if self._fixture is not None:
                self._fixture.push_back()
            pybullet.stepSimulation(physicsClientId=client)

    def joints(self) -> tuple[Array, Array]:
        """Positions [rad] and velocities [rad/s], each (dof,)."""
        q, dq = self._read(self._joints[: self._dof])
        return q, dq

    def opening(self) -> float:
        """Distance between the pads [m]."""
        fingers, _ = self._read(self._joints[self._dof :])
        share = (fingers - self._shut) / (self._open - self._shut)
        return float(share.mean() * self._arm.gripper.max_opening)

    def objects(self) -> tuple[Array, Array, Array]:
        """Centres (k, 3), quaternions (k, 4) wxyz, velocities (k, 3)."""
        k = self._n_objects
        p, quat, v = (
            np.tile(PARKED, (k, 1)),
            np.tile((1.0, 0.0, 0.0, 0.0), (k, 1)),
            np.zeros((k, 3)),
        )
        for i, cube in self._cubes.items():
            p[i], xyzw = pybullet.getBasePositionAndOrientation(cube, self._client)
            quat[i] = np.roll(xyzw, 1)
            v[i] = pybullet.getBaseVelocity(cube, self._client)[0]
        if self._fixture is not None and self._fixture.slides and k > PART:
            p[PART], quat[PART], v[PART] = self._fixture.part()
        return p, quat, v

    def astray(self) -> bool:
        """Whether the physics diverged."""
        speeds = np.concatenate([self.joints()[1], self.objects()[2].ravel()])
        return not (np.isfinite(speeds).all() and np.abs(speeds).max() < 1e3)

    def close(self) -> None:
        pybullet.disconnect(self._client)

    def _servo(self, target: Array) -> None:
        """Aim the servos at joint positions (dof + fingers,)."""
        kp, kd = self._gain * (self._kp, self._kd)
        q, dq = self._read(self._joints)
        force = kp * np.abs(target - q) + kd * np.abs(dq)
        force = np.clip(force, LEAST_TORQUE * self._effort, self._effort)
        force[self._dof :] = self._force[self._dof :]
        pybullet.setJointMotorControlArray(
            self._body,
            self._joints,
            pybullet.POSITION_CONTROL,
            targetPositions=target.tolist(),
            targetVelocities=[0.0] * len(target),
            forces=force.tolist(),
            positionGains=np.minimum(kp / kd * TIMESTEP, 1.0).tolist(),
            velocityGains=[1.0] * len(target),
            physicsClientId=self._client,
        )

    def _read(self, joints: list[int]) -> Array:
        """Positions and velocities, (2, len(joints))."""
        states = pybullet.getJointStates(self._body, joints, physicsClientId=self._client)
        return np.array([state[:2] for state in states]).T

    def _load_arm(self) -> None:
        arm, client = self._arm, self._client
        self._body = body = pybullet.loadURDF(
            str(arm.urdf),
            useFixedBase=True,
            flags=pybullet.URDF_USE_INERTIA_FROM_FILE,
            physicsClientId=client,
        )
        joints: dict[str, int] = {}
        links = {pybullet.getBodyInfo(body, client)[0].decode(): -1}
        for i in range(pybullet.getNumJoints(body, client)):
            info = pybullet.getJointInfo(body, i, client)
            joints[info[1].decode()] = links[info[12].decode()] = i
        self._joints = [joints[name] for name in (*arm.joints, *arm.gripper.joints)]
        self._tool = links[arm.tool_frame]
        for name, link in links.items():
            self._material(body, link, friction=1.0)
            pybullet.changeDynamics(body, link, jointDamping=0.0, physicsClientId=client)
            if name not in arm.collision_links:
                pybullet.setCollisionFilterGroupMask(body, link, 0, 0, client)
        first, *others = self._joints[self._dof :]
        travel = self._open - self._shut
        for other, moves in zip(others, travel[1:], strict=True):
            gear = pybullet.createConstraint(
                *(body, first, body, other),
                pybullet.JOINT_GEAR,
                *((0, 0, 1), (0, 0, 0), (0, 0, 0)),  # axis and frames: of no use to a gear
                physicsClientId=client,
            )
            pybullet.changeConstraint(
                gear,
                gearRatio=-travel[0] / moves,
                erp=GEAR_ERP,
                maxForce=GEAR_FORCE,
                physicsClientId=client,
            )

    def _box(
        self,
        half: tuple[float, ...],
        centre: Array | tuple[float, ...],
        yaw: float = 0.0,
        mass: float = 0.0,
        friction: float = 1.0,
    ) -> int:
        """A box of half-sizes [m]; one without mass stays where it is."""
        client = self._client
        box = pybullet.GEOM_BOX
        shape = pybullet.createCollisionShape(box, halfExtents=half, physicsClientId=client)
        turned = (0.0, 0.0, np.sin(yaw / 2), np.cos(yaw / 2))
        body = pybullet.createMultiBody(
            mass, shape, basePosition=centre, baseOrientation=turned, physicsClientId=client
        )
        self._material(body, -1, friction)
        return int(body)

    def _material(self, body: int, link: int, friction: float) -> None:
        """Frictions of two bodies multiply: with 1 on all else, the cube's own decides."""
        pybullet.changeDynamics(
            body,
            link,
            lateralFriction=friction,
            linearDamping=0.0,
            angularDamping=0.0,
            physicsClientId=self._client,
        )

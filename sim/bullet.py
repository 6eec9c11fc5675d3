"""The world's other physics: the same scene in PyBullet, one client per simulation.

What was learnt in MuJoCo is tried here in an engine with other contacts, another solver and other
servos. Its servos are velocity-resolved, as in most real arms: each joint is driven at a speed
proportional to its position error, by whatever torque that takes up to its effort limit. With the
arm's own gains the two engines' arms move alike, since those gains damp heavily: what is left of
kp (q* - q) - kd dq/dt is then dq/dt = (kp / kd) (q* - q).
"""

from __future__ import annotations

import numpy as np
import pybullet
from numpy.typing import NDArray

from daytwo.sim.arms import Arm
from daytwo.sim.context import Context
from daytwo.sim.engine import reported
from daytwo.sim.scene import CONTROL_HZ, N_OBJECTS, PEDESTAL_HEIGHT
from daytwo.sim.state import Array
from daytwo.sim.tasks.base import Placement

SUBSTEPS = 12  # physics steps per control step
TIMESTEP = 1.0 / (CONTROL_HZ * SUBSTEPS)  # [s]
SOLVER_ITERATIONS = 100
PARKED = (0.5, 1.5, 0.02)  # [m] where absent cubes are reported


class BulletEngine:
    """n simulations, stepped one after the other: meant for few."""

    def __init__(self, arm: Arm, n: int = 1, n_objects: int = N_OBJECTS) -> None:
        self.n_objects = n_objects
        self.pose_offset = np.zeros((n, 3))
        self._simulations = [_Simulation(arm, n_objects) for _ in range(n)]

    def reset(
        self, ids: NDArray[np.int64], q: Array, placement: Placement, context: Context
    ) -> Placement:
        for row, i in enumerate(ids):
            one = np.array([row])
            gain = float(context.stiffness[row] / context.damping[row])
            self._simulations[i].reset(q[row], placement.take(one), gain)
        return reported(placement, self.pose_offset[ids])

    def drive(self, q_target: Array, grip: Array) -> None:
        for simulation, q, share in zip(self._simulations, q_target, grip, strict=True):
            simulation.aim(q, float(share))
            simulation.advance(SUBSTEPS)

    def advance(self, i: int, q_target: Array, grip: float, steps: int) -> None:
        """`steps` physics steps of simulation i alone, towards one command."""
        self._simulations[i].aim(q_target, grip)
        self._simulations[i].advance(steps)

    def joints(self) -> Array:
        return np.array([simulation.joints()[0] for simulation in self._simulations])

    def joint_velocities(self) -> Array:
        """(n, dof) [rad/s]."""
        return np.array([simulation.joints()[1] for simulation in self._simulations])

    def opening(self) -> Array:
        return np.array([simulation.opening() for simulation in self._simulations])

    def objects(self) -> tuple[Array, Array, Array]:
        p, quat, v = (
            np.stack(each)
            for each in zip(
                *(simulation.objects() for simulation in self._simulations), strict=True
            )
        )
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
        self._arm, self._n_objects = arm, n_objects
        self._client = pybullet.connect(pybullet.DIRECT)
        gripper = arm.gripper
        self._shut, self._open = np.asarray(gripper.closed), np.asarray(gripper.open)
        self._rate = np.array(
            [*np.divide(arm.kp, arm.kd), *[gripper.kp / gripper.kd] * len(self._open)]
        )
        self._effort = [*arm.effort, *[gripper.force] * len(self._open)]
        self._gain = np.ones(len(self._effort))

    def reset(self, q: Array, placement: Placement, gain: float) -> None:
        """Arm at q (dof,), gripper open; one exercise; `gain`: factor on the arm servos' speed."""
        client = self._client
        pybullet.resetSimulation(physicsClientId=client)
        pybullet.setPhysicsEngineParameter(
            fixedTimeStep=TIMESTEP,
            numSolverIterations=SOLVER_ITERATIONS,
            deterministicOverlappingPairs=1,
            physicsClientId=client,
        )
        pybullet.setGravity(0, 0, -9.81, physicsClientId=client)
        self._static((1.2, 1.2, 0.05), (0, 0, -0.05))
        if not np.isnan(placement.p_pedestal[0]).any():
            top, half = placement.p_pedestal[0], float(placement.pedestal_half[0])
            self._static((half, half, PEDESTAL_HEIGHT), top - (0, 0, PEDESTAL_HEIGHT))
        self._load_arm()
        self._gain[: len(q)] = gain
        for joint, value in zip(self._joints, (*q, *self._open), strict=True):
            pybullet.resetJointState(self._body, joint, value, physicsClientId=client)
        self._cubes = [
            self._cube(placement, i) if placement.half[0, i] > 0 else None
            for i in range(self._n_objects)
        ]
        self.aim(q, 1.0)

    def aim(self, q_target: Array, grip: float) -> None:
        """Set the servos' targets: joints (dof,) [rad], gripper 0 shut .. 1 open."""
        targets = [*q_target, *(self._shut + grip * (self._open - self._shut))]
        pybullet.setJointMotorControlArray(
            self._body,
            self._joints,
            pybullet.POSITION_CONTROL,
            targetPositions=targets,
            targetVelocities=[0.0] * len(targets),
            forces=self._effort,
            positionGains=list(np.minimum(self._gain * self._rate * TIMESTEP, 1.0)),
            velocityGains=[1.0] * len(targets),
            physicsClientId=self._client,
        )

    def advance(self, steps: int) -> None:
        for _ in range(steps):
            pybullet.stepSimulation(physicsClientId=self._client)

    def joints(self) -> tuple[Array, Array]:
        """Positions [rad] and velocities [rad/s], each (dof,)."""
        dof = len(self._arm.joints)
        states = pybullet.getJointStates(
            self._body, self._joints[:dof], physicsClientId=self._client
        )
        q, dq = np.array([state[:2] for state in states]).T
        return q, dq

    def opening(self) -> float:
        """Distance between the pads [m]."""
        fingers = self._joints[len(self._arm.joints) :]
        states = pybullet.getJointStates(self._body, fingers, physicsClientId=self._client)
        share = ([state[0] for state in states] - self._shut) / (self._open - self._shut)
        return float(share.mean() * self._arm.gripper.max_opening)

    def objects(self) -> tuple[Array, Array, Array]:
        """Centres (k, 3), quaternions (k, 4) wxyz, velocities (k, 3)."""
        k = self._n_objects
        p, quat, v = np.tile(PARKED, (k, 1)), np.tile((1.0, 0, 0, 0), (k, 1)), np.zeros((k, 3))
        for i, cube in enumerate(self._cubes):
            if cube is not None:
                p[i], xyzw = pybullet.getBasePositionAndOrientation(cube, self._client)
                quat[i] = np.roll(xyzw, 1)
                v[i] = pybullet.getBaseVelocity(cube, self._client)[0]
        return p, quat, v

    def astray(self) -> bool:
        """Whether the physics diverged."""
        speeds = np.concatenate([self.joints()[1], self.objects()[2].ravel()])
        return not (np.isfinite(speeds).all() and np.abs(speeds).max() < 1e3)

    def close(self) -> None:
        pybullet.disconnect(self._client)

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
        for name, link in links.items():
            pybullet.changeDynamics(
                body,
                link,
                lateralFriction=1.0,  # frictions multiply: the object's own decides
                linearDamping=0.0,
                angularDamping=0.0,
                jointDamping=0.0,
                physicsClientId=client,
            )
            if name not in arm.collision_links:
                pybullet.setCollisionFilterGroupMask(body, link, 0, 0, client)

    def _static(self, half: tuple[float, float, float], centre: Array | tuple[float, ...]) -> None:
        shape = pybullet.createCollisionShape(
            pybullet.GEOM_BOX, halfExtents=half, physicsClientId=self._client
        )
        body = pybullet.createMultiBody(0, shape, basePosition=centre, physicsClientId=self._client)
        pybullet.changeDynamics(body, -1, lateralFriction=1.0, physicsClientId=self._client)

    def _cube(self, placement: Placement, i: int) -> int:
        half, yaw = float(placement.half[0, i]), float(placement.yaw_object[0, i])
        shape = pybullet.createCollisionShape(
            pybullet.GEOM_BOX, halfExtents=[half] * 3, physicsClientId=self._client
        )
        body = pybullet.createMultiBody(
            float(placement.mass[0, i]),
            shape,
            basePosition=placement.p_object[0, i],
            baseOrientation=(0.0, 0.0, np.sin(yaw / 2), np.cos(yaw / 2)),
            physicsClientId=self._client,
        )
        pybullet.changeDynamics(
            body,
            -1,
            lateralFriction=float(placement.friction[0, i]),
            linearDamping=0.0,
            angularDamping=0.0,
            physicsClientId=self._client,
        )
        return int(body)

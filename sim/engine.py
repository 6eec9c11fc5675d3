"""What the world asks of a physics engine or of a real arm, and the MuJoCo engine it trains in:
joint targets in, joint and object states out, n at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import mujoco
import mujoco.batch
import numpy as np
from numpy.typing import NDArray

from daytwo.sim.arms import Arm
from daytwo.sim.context import Context, ContextWriter
from daytwo.sim.fixture_model import FixtureWriter
from daytwo.sim.fixtures import FIXTURES, PART
from daytwo.sim.rates import LimitedMotion, Rates
from daytwo.sim.scene import N_OBJECTS, PEDESTAL_HEIGHT, SUBSTEPS, build_model
from daytwo.sim.state import Array
from daytwo.sim.tasks.base import Placement

PARKED = ((0.5, 1.2, 0.6), (0.5, 1.5, 0.6))  # [m] where absent cubes float
PEDESTAL_PARKED = (0.5, 1.8, -0.5)  # [m]


class Engine(Protocol):
    """n arms with cubes in front of them. What it reports is what is seen, which need not be true:
    a badly calibrated camera adds the same vector to every object and goal.
    """

    n_objects: int  # k, cubes it can hold

    @property
    def pose_offset(self) -> Array:
        """Reported minus true object and goal positions (n, 3) [m], as far as anybody knows."""
        ...

    def reset(
        self, ids: NDArray[np.int64], q: Array, placement: Placement, context: Context
    ) -> Placement:
        """Lay out exercises on arms `ids` (k,), at rest: joints at `q` (k, dof) [rad], gripper
        open. Returns the exercises as they are reported.
        """
        ...

    def drive(self, q_target: Array, grip: Array) -> tuple[Array, Array] | None:
        """One control step towards joint targets (n, dof) [rad], gripper (n,) 0 shut .. 1 open;
        commands change within the arm's velocity, acceleration and jerk limits.

        Returns:
            Targets and gripper that were taken instead, or None where what was asked was done.
        """
        ...

    def joints(self) -> Array:
        """Measured joint positions (n, dof) [rad]."""
        ...

    def opening(self) -> Array:
        """Distance between the pads (n,) [m]."""
        ...

    def objects(self) -> tuple[Array, Array, Array]:
        """Reported centres (n, k, 3) [m], quaternions (n, k, 4) wxyz, velocities (n, k, 3) [m/s]
        of the k cubes.
        """
        ...

    def astray(self) -> NDArray[np.bool_]:
        """Arms (n,) whose attempt makes no sense any more: the physics diverged."""
        ...


class MujocoEngine:
    """n simulations of one arm's scene on a thread pool (`mujoco.batch.Batch`).

    Args:
        arm: the arm.
        n: number of simulations.
        n_objects: object slots.
        threads: of the physics; 0 uses every core.
        fixtures: names of those an exercise may have; None for all. Each costs some time.
    """

    def __init__(
        self,
        arm: Arm,
        n: int,
        n_objects: int = N_OBJECTS,
        threads: int = 0,
        fixtures: Sequence[str] | None = None,
    ) -> None:
        fixtures = [each.name for each in FIXTURES] if fixtures is None else fixtures
        self.model = build_model(arm, n_objects, fixtures)
        self.batch = mujoco.batch.Batch(self.model, n, threads)
        self._context = ContextWriter(self.model, self.batch, arm, n_objects)
        self._fixtures = FixtureWriter(self.model, self.batch, fixtures)
        self._qpos, self._qvel = self.batch.bind("qpos"), self.batch.bind("qvel")
        self._warm = self.batch.bind("qacc_warmstart")
        self._ctrl, self._mocap_pos = self.batch.bind("ctrl"), self.batch.bind("mocap_pos")
        self.n_objects = n_objects
        self.pose_offset = np.zeros((n, 3))
        cubes = [f"object{i}" for i in range(n_objects)]
        self._q = self._addresses(arm.joints, "jnt_qposadr")
        self._v = self._addresses(arm.joints, "jnt_dofadr")
        self._finger = self._addresses(arm.gripper.joints, "jnt_qposadr")
        self._finger_v = self._addresses(arm.gripper.joints, "jnt_dofadr")
        self._object_q = self._addresses(cubes, "jnt_qposadr")
        self._object_v = self._addresses(cubes, "jnt_dofadr")
        servo = mujoco.mjtObj.mjOBJ_ACTUATOR
        self._servo = self._ids(servo, arm.joints)
        self._finger_servo = self._ids(servo, arm.gripper.joints)
        self._shut, self._open = np.asarray(arm.gripper.closed), np.asarray(arm.gripper.open)
        self._max_opening = arm.gripper.max_opening
        self._motion = LimitedMotion(Rates.of(arm), n)

    def reset(
        self, ids: NDArray[np.int64], q: Array, placement: Placement, context: Context
    ) -> Placement:
        self.batch.reset(ids, stage=mujoco.mjtStage.mjSTAGE_NONE)
        qpos = np.tile(self.model.qpos0, (len(ids), 1))
        self._fixtures.write(ids, placement, qpos)
        self._context.write(ids, placement, context)
        qpos[:, self._q], qpos[:, self._finger] = q, self._open
        for i, adr in enumerate(self._object_q):
            present = placement.free[:, i : i + 1]
            qpos[:, adr : adr + 3] = np.where(present, placement.p_object[:, i], PARKED[i])
            qpos[:, adr + 3] = np.cos(placement.yaw_object[:, i] / 2)
            qpos[:, adr + 6] = np.sin(placement.yaw_object[:, i] / 2)
        self._qpos[ids] = qpos
        top = placement.p_pedestal
        stands = ~np.isnan(top[:, 2:])
        self._mocap_pos[ids, 0] = np.where(stands, top - (0, 0, PEDESTAL_HEIGHT), PEDESTAL_PARKED)
        self._ctrl[ids[:, None], self._servo] = q
        self._ctrl[ids[:, None], self._finger_servo] = self._open
        self._motion.begin(ids, np.column_stack([q, np.ones(len(ids))]))
        return reported(placement, self.pose_offset[ids])

    def place(
        self, q: Array, dq: Array, opening: float, p_object: Array, quat: Array, v_object: Array
    ) -> None:
        """Put every simulation into a measured state.

        Args:
            q: joints (dof,) [rad].
            dq: their velocities (dof,) [rad/s].
            opening: distance between the pads [m], which are at rest.
            p_object: true centres (n, k, 3) [m] of what is in the first k slots; other cubes are
                put away. Slot 1 is a fixture's part in all simulations, or in none.
            quat: their orientations (k, 4) wxyz; they do not turn.
            v_object: their velocities (k, 3) [m/s].
        """
        self._warm[~np.isfinite(self._warm)] = 0.0  # of a simulation that went astray
        self._qpos[:, self._q], self._qvel[:, self._v] = q, dq
        share = opening / self._max_opening
        self._qpos[:, self._finger] = self._shut + share * (self._open - self._shut)
        self._qvel[:, self._finger_v] = 0.0
        k = p_object.shape[1]
        free = [True] * k + [False] * (self.n_objects - k)
        qpos, qvel = self._qpos, self._qvel
        self._fixtures.rest(qpos, qvel)
        if k > PART and self._fixtures.place(p_object[:, PART], v_object[PART], qpos, qvel):
            free[PART] = False
        for i, (at, v_at) in enumerate(zip(self._object_q, self._object_v, strict=True)):
            self._qvel[:, v_at : v_at + 6] = 0.0
            if free[i]:
                self._qpos[:, at : at + 3] = p_object[:, i]
                self._qpos[:, at + 3 : at + 7] = quat[i]
                self._qvel[:, v_at : v_at + 3] = v_object[i]
            else:
                self._qpos[:, at : at + 7] = (*PARKED[i], 1.0, 0.0, 0.0, 0.0)

    def drive(self, q_target: Array, grip: Array) -> None:
        goal = np.column_stack([q_target, grip])
        for command, steps in self._motion.parts(goal, SUBSTEPS):
            self.advance(command[:, :-1], command[:, -1], steps)

    def advance(self, q_target: Array, grip: Array, steps: int) -> None:
        """Physics steps with the servos' own targets, however far away they are."""
        self._ctrl[:, self._servo] = q_target
        self._ctrl[:, self._finger_servo] = self._shut + grip[:, None] * (self._open - self._shut)
        self.batch.step(nstep=steps)

    def joints(self) -> Array:
        return self._qpos[:, self._q]

    def joint_velocities(self) -> Array:
        """Measured (n, dof) [rad/s]."""
        return self._qvel[:, self._v]

    def opening(self) -> Array:
        share = (self._qpos[:, self._finger] - self._shut) / (self._open - self._shut)
        return np.asarray(share.mean(axis=1) * self._max_opening)

    def objects(self) -> tuple[Array, Array, Array]:
        at, v_at = self._object_q[:, None], self._object_v[:, None]
        p, quat = self._qpos[:, at + np.arange(3)], self._qpos[:, at + np.arange(3, 7)]
        v = self._qvel[:, v_at + np.arange(3)]
        self._fixtures.see(p, quat, v, self._qpos, self._qvel)
        return p + self.pose_offset[:, None], quat, v

    def astray(self) -> NDArray[np.bool_]:
        return ~np.isfinite(self._qvel).all(axis=1) | (np.abs(self._qvel).max(axis=1) > 1e3)

    def _addresses(self, joints, field: str) -> NDArray[np.int64]:  # type: ignore[no-untyped-def]
        return np.asarray(getattr(self.model, field)[self._ids(mujoco.mjtObj.mjOBJ_JOINT, joints)])

    def _ids(self, kind: mujoco.mjtObj, names) -> NDArray[np.int64]:  # type: ignore[no-untyped-def]
        return np.array(
            [mujoco.mj_name2id(self.model, kind, name) for name in names], dtype=np.int64
        )


def reported(placement: Placement, offset: Array) -> Placement:
    """Exercises as a camera sees them that adds `offset` (k, 3) [m]."""
    return replace(
        placement,
        p_object=placement.p_object + offset[:, None],
        p_goal=placement.p_goal + offset,
        p_pedestal=placement.p_pedestal + offset,
        p_fixture=placement.p_fixture + offset,
    )

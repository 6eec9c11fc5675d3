"""Every arm that comes with daytwo: both engines and our reader agree, the numbers make sense."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Iterator
from dataclasses import dataclass

import mujoco
import numpy as np
import pybullet
import pytest
from numpy.typing import NDArray

from daytwo.errors import InputError
from daytwo.sim.arms import Arm, arm_names, load_arm

Array = NDArray[np.float64]
Joints = dict[str, float]  # positions by name; joints not named are at 0
ARMS = arm_names()


def test_the_shipped_arms() -> None:
    assert ARMS == ("panda", "so101", "ur5e")
    with pytest.raises(InputError, match="unknown arm 'pandaa'; available: panda, so101, ur5e"):
        load_arm("pandaa")


@dataclass
class MujocoArm:
    """The arm alone, as MuJoCo reads its URDF."""

    arm: Arm
    model: mujoco.MjModel
    data: mujoco.MjData

    def pose(self, link: str, q: Joints) -> Array:
        mujoco.mj_resetData(self.model, self.data)
        for name, position in q.items():
            self.data.qpos[self.model.joint(name).qposadr[0]] = position
        mujoco.mj_kinematics(self.model, self.data)
        body = self.data.body(link)
        return transform(body.xpos, body.xmat.reshape(3, 3))


@dataclass
class BulletArm:
    """The arm alone, as PyBullet reads its URDF."""

    client: int
    body: int
    joints: dict[str, int]
    links: dict[str, int]

    def pose(self, link: str, q: Joints) -> Array:
        for name, i in self.joints.items():
            pybullet.resetJointState(
                self.body, i, float(q.get(name, 0.0)), physicsClientId=self.client
            )
        state = pybullet.getLinkState(
            self.body,
            self.links[link],
            computeForwardKinematics=True,
            physicsClientId=self.client,
        )
        return transform(state[4], np.reshape(pybullet.getMatrixFromQuaternion(state[5]), (3, 3)))


def transform(p: Array, R: Array) -> Array:
    T = np.eye(4)
    T[:3, 3], T[:3, :3] = p, R
    return T


def in_mujoco(arm: Arm) -> MujocoArm:
    model = mujoco.MjSpec.from_file(str(arm.urdf)).compile()
    return MujocoArm(arm, model, mujoco.MjData(model))


@pytest.fixture(scope="module", params=ARMS)
def arm(request: pytest.FixtureRequest) -> Arm:
    return load_arm(request.param)


@pytest.fixture(scope="module")
def mj(arm: Arm) -> MujocoArm:
    return in_mujoco(arm)


@pytest.fixture
def bullet(arm: Arm, capfd: pytest.CaptureFixture[str]) -> Iterator[BulletArm]:
    client = pybullet.connect(pybullet.DIRECT)
    body = pybullet.loadURDF(
        str(arm.urdf),
        useFixedBase=True,
        flags=pybullet.URDF_USE_INERTIA_FROM_FILE,
        physicsClientId=client,
    )
    said = capfd.readouterr()
    assert "warning" not in (said.out + said.err).lower()
    joints, links = {}, {}
    for i in range(pybullet.getNumJoints(body, physicsClientId=client)):
        info = pybullet.getJointInfo(body, i, physicsClientId=client)
        joints[info[1].decode()] = links[info[12].decode()] = i
    yield BulletArm(client, body, joints, links)
    pybullet.disconnect(client)


def arm_at(arm: Arm, q: Array | tuple[float, ...]) -> Joints:
    return dict(zip(arm.joints, map(float, q), strict=True))


def gripper_at(arm: Arm, share: float) -> Joints:
    """0 is closed, 1 open."""
    gripper = arm.gripper
    q = np.asarray(gripper.closed) + share * np.subtract(gripper.open, gripper.closed)
    return dict(zip(gripper.joints, map(float, q), strict=True))


def test_both_engines_and_our_reader_agree(arm: Arm, mj: MujocoArm, bullet: BulletArm) -> None:
    """On the poses of the tool frame and the finger tips, anywhere."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        q = arm_at(arm, rng.uniform(arm.lower, arm.upper)) | gripper_at(arm, rng.random())
        for link in (arm.tool_frame, *arm.gripper.tips):
            ours = arm.robot.pose(arm.base_link, link, q)
            np.testing.assert_allclose(mj.pose(link, q), ours, atol=1e-9)
            np.testing.assert_allclose(bullet.pose(link, q), ours, atol=1e-5)


def test_both_engines_see_the_same_real_masses(arm: Arm, mj: MujocoArm, bullet: BulletArm) -> None:
    """Moving links have positive inertias that a solid body can have; both engines read them."""
    still = {arm.base_link, arm.tool_frame, "base_link_inertia", "tool0"}
    assert mj.model.body(arm.tool_frame).mass == 0
    for link in arm.robot.links:
        if link in still:
            continue
        moments = np.sort(mj.model.body(link).inertia)
        assert mj.model.body(link).mass > 0
        assert moments[0] > 0
        assert moments[2] < moments[0] + moments[1], f"{link}: no solid body has these moments"
        info = pybullet.getDynamicsInfo(
            bullet.body, bullet.links[link], physicsClientId=bullet.client
        )
        np.testing.assert_allclose(info[0], mj.model.body(link).mass, rtol=1e-6)
        np.testing.assert_allclose(np.sort(info[2]), moments, rtol=1e-3, atol=1e-9)


def test_mujoco_keeps_what_is_looked_at_apart_from_what_collides(mj: MujocoArm) -> None:
    model = mj.model
    drawn = (model.geom_contype == 0) & (model.geom_conaffinity == 0)
    assert set(model.geom_group[drawn]) == {1}
    assert set(model.geom_group[~drawn]) == {0}
    assert len(np.unique(model.geom_rgba[drawn], axis=0)) >= 3
    assert {model.body(b).name for b in model.geom_bodyid[~drawn]} == set(mj.arm.robot.colliding)


def test_limits_come_from_the_urdf(arm: Arm, mj: MujocoArm) -> None:
    for i, name in enumerate(arm.joints):
        low, high = mj.model.joint(name).range
        assert (arm.lower[i], arm.upper[i]) == (low, high)
        assert low + 0.1 < arm.home[i] < high - 0.1, f"home is next to a limit of {name}"
        joint = arm.robot.joint(name)
        assert (arm.velocity[i], arm.effort[i]) == (joint.velocity, joint.effort)


def test_an_arm_survives_pickling(arm: Arm) -> None:
    assert pickle.loads(pickle.dumps(arm)) == arm


def tool_pose(arm: Arm, q: Array) -> Array:
    return arm.robot.pose(arm.base_link, arm.tool_frame, arm_at(arm, q))


def test_home_points_straight_down_above_the_middle(arm: Arm) -> None:
    T = tool_pose(arm, np.asarray(arm.home))
    tilt = np.degrees(np.arccos(-T[2, 2]))
    assert tilt < 0.1
    middle = np.mean(arm.workspace, axis=1)
    np.testing.assert_allclose(T[:2, 3], middle[:2], atol=0.01)


def go_to(arm: Arm, p_target: Array, w: float) -> Array:
    """Tool pose after following a straight line from home to a point, the tool held as at home.

    Damped least squares that leaves joints alone while they are at a limit. `w` [m/rad] weighs
    rotation against position; it is small where only the position can be exact.
    """
    T_home = tool_pose(arm, np.asarray(arm.home))
    p_home, R_home = T_home[:3, 3], T_home[:3, :3]

    def error(q: Array, p: Array) -> Array:
        T = tool_pose(arm, q)
        turn = sum(np.cross(T[:3, i], R_home[:, i]) for i in range(3))
        return np.concatenate([p - T[:3, 3], 0.5 * w * turn])

    low, high = np.asarray(arm.lower), np.asarray(arm.upper)
    q = np.asarray(arm.home, dtype=np.float64)
    for share in np.minimum(np.linspace(0.0, 2.0, 50), 1.0):
        p = p_home + share * (p_target - p_home)
        e = error(q, p)
        J = -np.stack([(error(q + d, p) - e) / 1e-6 for d in 1e-6 * np.eye(len(q))], axis=1)
        free = np.ones(len(q), dtype=bool)
        for _ in range(2):
            dq = np.zeros(len(q))
            gram = J[:, free] @ J[:, free].T + 1e-6 * np.eye(6)
            dq[free] = np.clip(J[:, free].T @ np.linalg.solve(gram, e), -0.2, 0.2)
            free = (q + dq >= low) & (q + dq <= high)
        q = np.clip(q + dq, low, high)
    return tool_pose(arm, q)


def test_the_whole_workspace_can_be_reached_with_the_tool_down(arm: Arm) -> None:
    """Corners and middles of the box's edges: exact, or for best effort tilted by < 20 degrees."""
    full = arm.orientation == "full"
    xs, ys, zs = arm.workspace
    for p in itertools.product(xs, (*ys, 0.0), zs):
        T = go_to(arm, np.asarray(p), w=0.2 if full else 0.01)
        off, tilt = np.linalg.norm(T[:3, 3] - p), np.degrees(np.arccos(np.clip(-T[2, 2], -1, 1)))
        assert off < 1e-3, (p, off)
        assert tilt < (0.5 if full else 20.0), (p, tilt)


def distance_to_pads(mj: MujocoArm, direction: Array, T: Array) -> float:
    hands_only = np.array([1, 0, 0, 0, 0, 0], dtype=np.uint8)  # collision shapes are group 0
    return float(
        mujoco.mj_ray(
            mj.model, mj.data, T[:3, 3], direction, hands_only, True, -1, np.zeros(1, np.int32)
        )
    )


@pytest.mark.parametrize("share", [0.45, 0.6, 0.75])
def test_the_tool_frame_sits_between_the_pads_and_y_closes(
    arm: Arm, mj: MujocoArm, share: float
) -> None:
    """Rays from the tool point along +-y meet the two pads, max_opening * share apart."""
    T = mj.pose(arm.tool_frame, arm_at(arm, arm.home) | gripper_at(arm, share))
    across = [distance_to_pads(mj, sign * T[:3, 1], T) for sign in (1.0, -1.0)]
    assert min(across) > 0
    assert sum(across) == pytest.approx(share * arm.gripper.max_opening, abs=0.002)
    assert distance_to_pads(mj, T[:3, 2], T) == -1, "something is in front of the tool point"
    assert distance_to_pads(mj, -T[:3, 2], T) > 0.02, "room for the object up to the palm"


def test_finger_tips_stay_off_the_table_at_the_bottom_of_the_workspace(
    arm: Arm, mj: MujocoArm
) -> None:
    T = mj.pose(arm.tool_frame, arm_at(arm, arm.home) | gripper_at(arm, 0.0))
    below = 0.0
    for geom in range(mj.model.ngeom):
        body = mj.model.body(mj.model.geom_bodyid[geom]).name
        if body in arm.gripper.tips and mj.model.geom_contype[geom]:
            assert mj.model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_BOX
            R = mj.data.geom_xmat[geom].reshape(3, 3)
            lowest = mj.data.geom_xpos[geom][2] - np.abs(R[2]) @ mj.model.geom_size[geom]
            below = max(below, T[2, 3] - lowest)
    assert 0.005 < below < arm.workspace[2][0]

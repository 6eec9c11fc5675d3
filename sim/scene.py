"""One MuJoCo model per arm: the arm from its URDF, a table, cubes, a pedestal and fixtures.

All tasks share this scene, so one batch can hold any mixture of them. What an exercise does not
use floats, weightless, out of reach: it costs six idle degrees of freedom and no contact.
"""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np

from daytwo.sim.arms import Arm
from daytwo.sim.fixture_model import add_fixtures

TIMESTEP = 0.005  # [s]; longer steps lose grasps
SUBSTEPS = 10  # physics steps per control step: 20 Hz control
CONTROL_HZ = 1.0 / (TIMESTEP * SUBSTEPS)
N_OBJECTS = 2  # slots of an observation; a scene holds as many cubes as its tasks need
# [m] compiled half-sizes of the objects; simulations only shrink them
MAX_HALF = ((0.03, 0.03, 0.035), (0.05, 0.05, 0.035))
# MuJoCo counts the bodies that have any gravity compensation as one of a model's sizes, and sizes
# must not differ between simulations; so a cube that falls has next to none instead of none.
NO_GRAVCOMP = 1e-9
PEDESTAL_HALF = 0.045  # [m] half-width of the compiled pedestal
PEDESTAL_HEIGHT = 0.10  # [m] half-height of the compiled pedestal; the rest is below the table

# Contact bits. Objects meet everything; the hand meets objects, table and pedestal, not itself.
TORSION = 0.02  # [m] of friction against turning: about the size of a fingertip's pad
_STATIC, _HAND, _OBJECT = 1, 2, 4
_COLOURS = ((0.95, 0.45, 0.10, 1.0), (0.15, 0.45, 0.85, 1.0))


def build_model(
    arm: Arm, n_objects: int = N_OBJECTS, fixtures: Sequence[str] = ()
) -> mujoco.MjModel:
    """Compile the scene: bodies `object0`, `object1`, `pedestal`, the fixtures'; site `goal`."""
    spec = mujoco.MjSpec.from_file(str(arm.urdf))
    spec.compiler.fusestatic = False
    spec.compiler.discardvisual = False
    spec.modelname = f"daytwo_{arm.name}"
    _options(spec)
    _arm(spec, arm)
    _table(spec, arm)
    for i in range(n_objects):
        _object(spec, i)
    _pedestal(spec)
    add_fixtures(spec, fixtures, _STATIC, _HAND | _OBJECT)
    if "socket" in fixtures:
        _hold_upright(spec, n_objects)
    _decor(spec, arm)
    return spec.compile()


def _options(spec: mujoco.MjSpec) -> None:
    option = spec.option
    option.timestep = TIMESTEP
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.cone = mujoco.mjtCone.mjCONE_PYRAMIDAL
    option.iterations = 10
    option.ls_iterations = 10
    # A diverged simulation keeps its bad numbers, so that the world sees them and says so.
    option.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET
    spec.visual.global_.offwidth, spec.visual.global_.offheight = 1280, 960
    spec.visual.quality.offsamples = 0
    spec.visual.quality.shadowsize = 1024  # software rendering: several times the frames/s


def _arm(spec: mujoco.MjSpec, arm: Arm) -> None:
    for body in spec.bodies:
        if body.name in ("world", ""):
            continue
        body.gravcomp = 1.0
        touches = body.name in arm.collision_links
        for geom in body.geoms:
            drawn_only = geom.contype == 0 and geom.conaffinity == 0
            geom.contype = _HAND if touches and not drawn_only else 0
            geom.conaffinity = 0
            if not drawn_only:
                geom.group = 3  # collision shapes are not drawn
    for name, kp, kd, effort, armature in zip(
        arm.joints, arm.kp, arm.kd, arm.effort, arm.armature, strict=True
    ):
        joint = spec.joint(name)
        joint.armature = armature
        _position_servo(spec, name, kp, kd, effort)
    for name in arm.gripper.joints:
        joint = spec.joint(name)
        joint.armature = arm.gripper.armature
        # Room at both ends, so that an open or shut gripper does not lean on its stops all day.
        joint.range = (joint.range[0] - 0.002, joint.range[1] + 0.002)
        _position_servo(spec, name, arm.gripper.kp, arm.gripper.kd, arm.gripper.force)


def _position_servo(spec: mujoco.MjSpec, joint: str, kp: float, kd: float, effort: float) -> None:
    servo = spec.add_actuator(name=joint, target=joint, trntype=mujoco.mjtTrn.mjTRN_JOINT)
    servo.gainprm[0] = kp
    servo.biastype = mujoco.mjtBias.mjBIAS_AFFINE
    servo.biasprm[1], servo.biasprm[2] = -kp, -kd
    servo.forcelimited = True
    servo.forcerange = (-effort, effort)


def _table(spec: mujoco.MjSpec, arm: Arm) -> None:
    grid = spec.add_texture(
        name="table",
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_CHECKER,
        width=256,
        height=256,
        rgb1=(0.86, 0.86, 0.84),
        rgb2=(0.82, 0.82, 0.80),
    )
    material = spec.add_material(name="table", texrepeat=(8, 8))
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = grid.name
    spec.worldbody.add_geom(
        name="table",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=(1.2, 1.2, 0.05),
        material="table",
        contype=_STATIC,
        conaffinity=_HAND | _OBJECT,
        condim=3,
        friction=(0.5, 0.005, 0.0001),
    )


def _object(spec: mujoco.MjSpec, i: int) -> None:
    body = spec.worldbody.add_body(name=f"object{i}", pos=(0.5, 1.0 + 0.2 * i, 0.5))
    body.gravcomp = NO_GRAVCOMP
    body.simple = False  # its centre of mass is one of the things that are hidden
    body.add_freejoint(name=f"object{i}")
    body.add_geom(
        name=f"object{i}",
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=MAX_HALF[i],
        mass=0.1,
        rgba=_COLOURS[i],
        contype=_OBJECT,
        conaffinity=_STATIC | _HAND | _OBJECT,
        condim=3,
        priority=1,  # the object's own friction decides, so that the hidden context is one number
        friction=(1.0, 0.005, 0.0001),
        # Stiffer than MuJoCo's default: a light cube squeezed by a strong gripper would give way.
        solref=(2 * TIMESTEP, 1.0),
        solimp=(0.90, 0.95, 0.001, 0.5, 2.0),
    )


def _hold_upright(spec: mujoco.MjSpec, n_objects: int) -> None:
    """Objects that resist being turned in a grip, as soft pads make them.

    A fifth slower, so only in scenes that hold a socket: without it a peg whose centre of mass is
    off its middle swings between the fingers, and with few iterations of the solver it flies away.
    """
    for i in range(n_objects):
        geom = spec.geom(f"object{i}")
        geom.condim, geom.friction = 4, (1.0, TORSION, 0.0001)
    spec.option.iterations = spec.option.ls_iterations = 20


def _pedestal(spec: mujoco.MjSpec) -> None:
    body = spec.worldbody.add_body(name="pedestal", mocap=True, pos=(0.5, 1.5, -0.5))
    body.add_geom(
        name="pedestal",
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=(PEDESTAL_HALF, PEDESTAL_HALF, PEDESTAL_HEIGHT),
        rgba=(0.45, 0.50, 0.58, 1.0),
        contype=_STATIC,
        conaffinity=_HAND | _OBJECT,
        condim=3,
    )


def _decor(spec: mujoco.MjSpec, arm: Arm) -> None:
    """What only the camera sees: sky, light, goal marker, camera."""
    spec.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        width=256,
        height=1536,
        rgb1=(0.93, 0.95, 0.98),
        rgb2=(0.65, 0.72, 0.82),
    )
    spec.visual.headlight.ambient = (0.35, 0.35, 0.35)
    spec.visual.headlight.diffuse = (0.35, 0.35, 0.35)
    spec.worldbody.add_light(
        pos=(0.2, -0.6, 1.8),
        dir=(0.1, 0.3, -1.0),
        diffuse=(0.6, 0.6, 0.6),
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        castshadow=True,
    )
    spec.worldbody.add_site(
        name="goal",
        type=mujoco.mjtGeom.mjGEOM_SPHERE,
        size=(0.012, 0.012, 0.012),
        rgba=(0.10, 0.75, 0.25, 0.65),
        pos=(0.0, 0.0, -1.0),
    )
    low, high = np.asarray(arm.workspace).T
    centre, reach = (low + high) / 2, float(np.linalg.norm(high[:2] - low[:2]))
    eye = centre + reach * np.array([1.0, -0.85, 0.5])
    spec.worldbody.add_camera(
        name="side", pos=eye, quat=_look_at(eye, centre * (0.85, 1.0, 0.75)), fovy=42
    )


def _look_at(eye: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Quaternion (w, x, y, z) of a camera at `eye` that looks at `target`, world z up."""
    back = (eye - target) / np.linalg.norm(eye - target)
    right = np.cross((0.0, 0.0, 1.0), back)
    right /= np.linalg.norm(right)
    R = np.stack([right, np.cross(back, right), back], axis=1)
    quat = np.empty(4)
    mujoco.mju_mat2Quat(quat, R.flatten())
    return quat

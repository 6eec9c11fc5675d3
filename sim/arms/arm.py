"""An arm: one URDF and one YAML that drive simulation, kinematics, ROS and hardware alike.

The URDF says how the arm is built and what its joints can do (position, velocity and effort
limits). The YAML says how we use it; nothing stands in both. Units are SI throughout.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from daytwo.errors import InputError
from daytwo.sim.arms.urdf import MOVING, Urdf

HERE = Path(__file__).parent
MAX_TILT = {"full": 5.0, "best_effort": 25.0}  # [deg] of the tool from straight down, at home

Positive = Annotated[float, Field(gt=0)]
Names = Annotated[tuple[str, ...], Field(min_length=1)]
Numbers = Annotated[tuple[float, ...], Field(min_length=1)]
Positives = Annotated[tuple[Positive, ...], Field(min_length=1)]
Range = tuple[float, float]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Gripper(_Model):
    """Two jaws, moved by one or more joints of the URDF, each by its own position servo."""

    joints: Names  # prismatic fingers or a revolute jaw
    open: Numbers  # joint positions when open [m or rad]
    closed: Numbers  # joint positions when the pads touch [m or rad]
    max_opening: Positive  # distance between the pads when open [m]
    force: Positive  # largest servo force or torque per joint [N or N m]
    kp: Positive  # servo stiffness [N/m or N m/rad]
    kd: Positive  # servo damping [N s/m or N m s/rad]
    armature: Annotated[float, Field(ge=0)]  # reflected rotor inertia [kg or kg m2]
    tips: Names  # links that carry the pads

    @model_validator(mode="after")
    def _one_number_per_joint(self) -> Gripper:
        _check_lengths(self, ("open", "closed"), len(self.joints), "gripper.")
        return self


class Arm(_Model):
    """One arm, checked against its URDF. Limits are read from there, not repeated here."""

    name: Annotated[str, Field(min_length=1)]
    urdf: Path  # absolute after loading; in the YAML relative to the YAML
    base_link: str  # stands on the table: its frame's z = 0 is the table top, x points forwards
    joints: Names  # actuated arm joints, base to tip
    tool_frame: str  # link at the grasp point: +z out of the gripper, +y the closing direction
    gripper: Gripper
    home: Numbers  # [rad] tool straight down above the middle of the workspace
    acceleration: Positives  # [rad/s2]
    jerk: Positives  # [rad/s3]
    kp: Positives  # servo stiffness [N m/rad]
    kd: Positives  # servo damping [N m s/rad]
    armature: tuple[Annotated[float, Field(ge=0)], ...]  # reflected rotor inertia [kg m2]
    workspace: tuple[Range, Range, Range]  # box for the tool point, base frame [m]
    speed: Positive  # largest speed of the tool that an action may ask for [m/s]
    collision_links: Names  # links that touch things in simulation (hand and fingers)
    orientation: Literal["full", "best_effort"]  # best_effort: too few joints to hold any
    driver: dict[str, str | int | float | bool]  # default hardware driver: name and parameters

    @cached_property
    def robot(self) -> Urdf:
        """The URDF, read."""
        return Urdf.load(self.urdf)

    @property
    def lower(self) -> tuple[float, ...]:
        """Lower position limits [rad], (dof,)."""
        return tuple(self.robot.joint(name).lower for name in self.joints)

    @property
    def upper(self) -> tuple[float, ...]:
        """Upper position limits [rad], (dof,)."""
        return tuple(self.robot.joint(name).upper for name in self.joints)

    @property
    def velocity(self) -> tuple[float, ...]:
        """Velocity limits [rad/s], (dof,)."""
        return tuple(self.robot.joint(name).velocity for name in self.joints)

    @property
    def effort(self) -> tuple[float, ...]:
        """Torque limits [N m], (dof,)."""
        return tuple(self.robot.joint(name).effort for name in self.joints)

    @model_validator(mode="after")
    def _fits_its_urdf(self) -> Arm:
        per_joint = ("home", "acceleration", "jerk", "kp", "kd", "armature")
        _check_lengths(self, per_joint, len(self.joints), "")
        for axis, (low, high) in zip("xyz", self.workspace, strict=True):
            if not low < high:
                raise InputError(f"workspace: {axis} is [{low}, {high}]; give [low, high]")
        if self.workspace[2][0] < 0:
            raise InputError(f"workspace: z starts at {self.workspace[2][0]}, below the table (0)")
        if not self.driver.get("name"):
            raise InputError("driver: has no 'name'; give for example {name: twin}")
        self._check_names()
        self._check_joints()
        self._check_home()
        return self

    def _check_names(self) -> None:
        """Every joint and link that the YAML names must be in the URDF."""
        try:
            robot = self.robot
        except InputError as error:
            raise InputError(f"urdf: {error}") from error
        joints = tuple(joint.name for joint in robot.joints)
        colliding = tuple(link for link in robot.links if link in robot.colliding)
        for field, found, known, kind in (
            ("base_link", (self.base_link,), robot.links, "link"),
            ("tool_frame", (self.tool_frame,), robot.links, "link"),
            ("joints", self.joints, joints, "joint"),
            ("gripper.joints", self.gripper.joints, joints, "joint"),
            ("collision_links", self.collision_links, colliding, "link with collision geometry"),
            ("gripper.tips", self.gripper.tips, self.collision_links, "link in collision_links"),
        ):
            for name in found:
                if name not in known:
                    raise InputError(
                        f"{field}: '{name}' is no {kind} of {self.urdf.name}; "
                        f"there are: {', '.join(known) or 'none'}"
                    )

    def _check_joints(self) -> None:
        chain = self.robot.chain(self.base_link, self.tool_frame)
        moving = tuple(joint.name for joint in chain if joint.type in MOVING)
        if self.joints != moving:
            raise InputError(
                f"joints: must be those that move between base_link '{self.base_link}' and "
                f"tool_frame '{self.tool_frame}', in this order: {', '.join(moving) or 'none'}; "
                f"found: {', '.join(self.joints)}"
            )
        for joint in chain:
            if joint.type == "prismatic":
                raise InputError(f"joints: '{joint.name}' is prismatic; give arm joints that turn")
        gripper = self.gripper
        for name in gripper.joints:
            if self.robot.joint(name).type not in MOVING or name in moving:
                raise InputError(
                    f"gripper.joints: '{name}' must be a joint that moves, and none of the arm's"
                )
        if len(set(gripper.joints)) < len(gripper.joints):
            raise InputError("gripper.joints: names a joint twice")
        for name, shut, wide in zip(gripper.joints, gripper.closed, gripper.open, strict=True):
            if shut == wide:
                raise InputError(f"gripper.open: '{name}' is at {wide}, the same as when closed")
        self._check_limits("gripper.open", gripper.joints, gripper.open)
        self._check_limits("gripper.closed", gripper.joints, gripper.closed)
        self._check_limits("home", self.joints, self.home)

    def _check_limits(
        self, field: str, joints: tuple[str, ...], positions: tuple[float, ...]
    ) -> None:
        for name, q in zip(joints, positions, strict=True):
            joint = self.robot.joint(name)
            if not joint.lower <= q <= joint.upper:
                raise InputError(
                    f"{field}: '{name}' is at {q}, outside its limits "
                    f"[{joint.lower}, {joint.upper}] in {self.urdf.name}"
                )

    def _check_home(self) -> None:
        """Home must point the tool down, inside the box: a wrong tool frame shows here first."""
        T = self.robot.pose(
            self.base_link, self.tool_frame, dict(zip(self.joints, self.home, strict=True))
        )
        tilt = float(np.degrees(np.arccos(np.clip(-T[2, 2], -1.0, 1.0))))
        if tilt > MAX_TILT[self.orientation]:
            raise InputError(
                f"home: the z axis of tool_frame '{self.tool_frame}' is {tilt:.1f} degrees from "
                f"straight down; at most {MAX_TILT[self.orientation]:.0f} are accepted "
                f"with orientation '{self.orientation}'"
            )
        for axis, p, (low, high) in zip("xyz", T[:3, 3], self.workspace, strict=True):
            if not low <= p <= high:
                raise InputError(
                    f"home: the tool is at {axis} = {p:.3f} m, outside workspace [{low}, {high}]"
                )


def arm_names() -> tuple[str, ...]:
    """Names of the arms that come with daytwo."""
    return tuple(sorted(path.parent.name for path in HERE.glob("*/arm.yaml")))


def load_arm(name_or_path: str | Path) -> Arm:
    """Load an arm that comes with daytwo by its name, or a user's own by the path of its YAML.

    Raises:
        InputError: if there is no such arm, or a file is wrong; names file, field and remedy.
    """
    path = Path(name_or_path)
    if str(name_or_path) in arm_names():
        path = HERE / str(name_or_path) / "arm.yaml"
    elif path.suffix not in (".yaml", ".yml"):
        raise InputError(
            f"unknown arm '{name_or_path}'; available: {', '.join(arm_names())}, "
            "or the path of an arm's .yaml file"
        )
    fields = _read_yaml(path)
    urdf = fields.get("urdf")
    if isinstance(urdf, str):
        fields["urdf"] = (path.parent / urdf).absolute()
    try:
        return Arm.model_validate(fields)
    except ValidationError as error:
        # Names in the files may hold line breaks; a message is one line.
        raise InputError(f"{path}: {' '.join(_first_problem(error).split())}") from error


def _read_yaml(path: Path) -> dict[str, object]:
    try:
        fields = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); give an arm's YAML"
        ) from error
    # PyYAML lets its constructors' own errors through, such as KeyError on `!!bool maybe`.
    except (
        yaml.YAMLError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:
        problem = " ".join(str(error).split())
        raise InputError(f"{path}: no valid YAML ({problem})") from error
    if not isinstance(fields, dict) or not all(isinstance(key, str) for key in fields):
        raise InputError(f"{path}: must hold 'field: value' lines, with the fields: {_known(Arm)}")
    return fields


def _first_problem(error: ValidationError) -> str:
    """One line: the field, what is wrong, what would be accepted."""
    problem = error.errors(include_url=False)[0]
    cause = problem.get("ctx", {}).get("error")
    if isinstance(cause, InputError):
        return str(cause)
    field = ".".join(str(part) for part in problem["loc"]) or "the file"
    if problem["type"] == "extra_forbidden":
        model = Gripper if problem["loc"][0] == "gripper" else Arm
        return f"{field}: unknown field; known: {_known(model)}"
    if problem["type"] == "missing":
        return f"{field}: missing"
    return f"{field}: {problem['msg']}; found {problem['input']!r:.80}"


def _known(model: type[BaseModel]) -> str:
    return ", ".join(model.model_fields)


def _check_lengths(model: BaseModel, fields: tuple[str, ...], n: int, prefix: str) -> None:
    for field in fields:
        found = len(getattr(model, field))
        if found != n:
            raise InputError(
                f"{prefix}{field}: holds {found} numbers; {prefix}joints names {n} joints"
            )

"""What the house needs to know about a URDF: its joints, its links and how they hang together.

MuJoCo, PyBullet and ROS read the file themselves; this reader serves the kinematics and checks a
user's file before an engine trips over it. Format: http://wiki.ros.org/urdf/XML (ROS, 2012).
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from daytwo.errors import InputError

Array = NDArray[np.float64]
MOVING = ("revolute", "continuous", "prismatic")
LARGEST = 1e6  # no length, angle, speed or torque of an arm comes near


@dataclass(frozen=True, eq=False)
class Joint:
    """One joint. A fixed one has limits 0, a continuous one infinite position limits."""

    name: str
    type: str  # one of MOVING, or "fixed"
    parent: str
    child: str
    T_parent_child: Array  # (4, 4) at joint position 0
    axis: Array  # (3,) unit vector in the child's frame
    lower: float  # [rad] or [m]
    upper: float
    velocity: float  # [rad/s] or [m/s]
    effort: float  # [N m] or [N]

    def motion(self, q: float) -> Array:
        """Transform (4, 4) that joint position `q` [rad or m] adds behind T_parent_child."""
        T = np.eye(4)
        if self.type == "prismatic":
            T[:3, 3] = q * self.axis
        elif self.type != "fixed":
            x, y, z = self.axis
            K = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
            T[:3, :3] += np.sin(q) * K + (1.0 - np.cos(q)) * K @ K  # Rodrigues' formula
        return T


@dataclass(frozen=True, eq=False)
class Urdf:
    """A checked kinematic tree."""

    path: Path
    links: tuple[str, ...]
    colliding: frozenset[str]  # links with collision geometry
    joints: tuple[Joint, ...]
    root: str

    @classmethod
    def load(cls, path: str | Path) -> Urdf:
        """Read and check a file.

        Raises:
            InputError: if it cannot be read, is no URDF, or its links do not form one tree.
        """
        path = Path(path)
        try:
            element = ET.fromstring(path.read_bytes())
        except (OSError, ValueError, LookupError) as error:  # LookupError: unknown encoding
            raise InputError(f"{path}: cannot be read ({error}); give a URDF file") from error
        except ET.ParseError as error:
            raise InputError(f"{path}: no well-formed XML ({error}); give a URDF file") from error
        if element.tag != "robot":
            raise InputError(f"{path}: its root element is <{element.tag}>; a URDF's is <robot>")
        links = [(attribute_of(e, "name", path), e) for e in element.iterfind("link")]
        joints = tuple(_joint(e, path) for e in element.iterfind("joint"))
        names = tuple(name for name, _ in links)
        return cls(
            path=path,
            links=names,
            colliding=frozenset(name for name, e in links if e.find("collision") is not None),
            joints=joints,
            root=_root(names, joints, path),
        )

    @cached_property
    def _by_name(self) -> dict[str, Joint]:
        return {joint.name: joint for joint in self.joints}

    @cached_property
    def _by_child(self) -> dict[str, Joint]:
        return {joint.child: joint for joint in self.joints}

    def joint(self, name: str) -> Joint:
        """The joint called `name`; InputError names those there are."""
        if name not in self._by_name:
            raise InputError(
                f"{self.path}: has no joint '{name}'; its joints: {', '.join(self._by_name)}"
            )
        return self._by_name[name]

    def chain(self, base: str, tip: str) -> tuple[Joint, ...]:
        """Joints from link `base` outwards to link `tip`.

        Raises:
            InputError: if one of the links is missing, or `tip` does not hang on `base`.
        """
        for link in (base, tip):
            if link not in self.links:
                raise InputError(
                    f"{self.path}: has no link '{link}'; its links: {', '.join(self.links)}"
                )
        joints: list[Joint] = []
        link = tip
        while link != base:
            if link == self.root:
                raise InputError(f"{self.path}: link '{tip}' does not hang on link '{base}'")
            joints.append(self._by_child[link])
            link = joints[-1].parent
        return tuple(reversed(joints))

    def pose(self, base: str, tip: str, q: Mapping[str, float]) -> Array:
        """T_base_tip (4, 4) at joint positions `q` [rad or m] by name, 0 where none is given."""
        T = np.eye(4)
        for joint in self.chain(base, tip):
            T = T @ joint.T_parent_child @ joint.motion(q.get(joint.name, 0.0))
        return T


def _root(links: tuple[str, ...], joints: tuple[Joint, ...], path: Path) -> str:
    """The one link without a parent, once links and joints are known to form a tree."""
    for kind, names in (("link", links), ("joint", [joint.name for joint in joints])):
        for name in names:
            if list(names).count(name) > 1:
                raise InputError(f"{path}: more than one {kind} is called '{name}'")
    for joint in joints:
        for link in (joint.parent, joint.child):
            if link not in links:
                raise InputError(f"{path}: joint '{joint.name}' names link '{link}', not in it")
    parent_of: dict[str, str] = {}
    for joint in joints:
        if joint.child in parent_of:
            raise InputError(f"{path}: link '{joint.child}' hangs on more than one joint")
        parent_of[joint.child] = joint.parent
    roots = [link for link in links if link not in parent_of]
    if len(roots) != 1:
        found = ", ".join(roots) or "none"
        raise InputError(f"{path}: one link must hang on no joint (the base); found: {found}")
    for start in links:  # with one root, a link that never reaches it is in a loop
        link, steps = start, 0
        while link in parent_of and steps <= len(links):
            link, steps = parent_of[link], steps + 1
        if link != roots[0]:
            raise InputError(f"{path}: link '{start}' is part of a loop; links must form a tree")
    return roots[0]


def _joint(element: ET.Element, path: Path) -> Joint:
    name = attribute_of(element, "name", path)
    where = f"{path}: joint '{name}'"
    kind = element.get("type")
    if kind not in (*MOVING, "fixed"):
        raise InputError(f"{where}: type '{kind}'; known: {', '.join((*MOVING, 'fixed'))}")
    parent, child = (
        attribute_of(element.find(end), "link", f"{where}: <{end}>") for end in ("parent", "child")
    )
    axis = numbers_of(element.find("axis"), "xyz", (1.0, 0.0, 0.0), where)
    limits = (0.0, 0.0, 0.0, 0.0)
    if kind != "fixed":
        if np.linalg.norm(axis) < 1e-6:
            raise InputError(f'{where}: axis xyz="0 0 0"; give a direction')
        axis = axis / np.linalg.norm(axis)
        limits = _limits(element.find("limit"), kind, where)
    T_parent_child = origin_of(element.find("origin"), where)
    return Joint(name, kind, parent, child, T_parent_child, axis, *limits)


def _limits(element: ET.Element | None, kind: str, where: str) -> tuple[float, float, float, float]:
    """lower, upper, velocity, effort."""
    if element is None:
        raise InputError(f"{where}: has no <limit lower upper velocity effort>")
    lower, upper = -np.inf, np.inf
    if kind != "continuous":
        lower, upper = (
            float(numbers_of(element, end, (0.0,), where)[0]) for end in ("lower", "upper")
        )
        if not lower < upper:
            raise InputError(f"{where}: limit lower={lower} is not below upper={upper}")
    velocity, effort = (
        float(numbers_of(element, key, (0.0,), where)[0]) for key in ("velocity", "effort")
    )
    for key, value in (("velocity", velocity), ("effort", effort)):
        if value <= 0:
            raise InputError(f"{where}: limit {key}={value}; must be above 0")
    return lower, upper, velocity, effort


def origin_of(element: ET.Element | None, where: str) -> Array:
    """Transform (4, 4) of an <origin>: fixed-axis roll, pitch, yaw."""
    T = np.eye(4)
    T[:3, 3] = numbers_of(element, "xyz", (0.0, 0.0, 0.0), where)
    (cr, cp, cy), (sr, sp, sy) = (
        f(numbers_of(element, "rpy", (0.0,) * 3, where)) for f in (np.cos, np.sin)
    )
    T[:3, :3] = [
        [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
        [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
        [-sp, cp * sr, cp * cr],
    ]
    return T


def attribute_of(element: ET.Element | None, key: str, where: str | Path) -> str:
    value = None if element is None else element.get(key)
    if not value:
        tag = "" if element is None else f"a <{element.tag}> "
        raise InputError(f"{where}: {tag}lacks the attribute '{key}'")
    return value


def numbers_of(
    element: ET.Element | None, key: str, default: tuple[float, ...], where: str
) -> Array:
    """As many numbers from an attribute as `default` has; `default` where it is absent."""
    text = None if element is None else element.get(key)
    if text is None or element is None:
        return np.array(default)
    try:
        numbers = np.array([float(word) for word in text.split()])
    except ValueError:
        numbers = np.array([np.nan])
    if numbers.shape != (len(default),) or not (np.abs(numbers) < LARGEST).all():
        raise InputError(
            f'{where}: <{element.tag} {key}="{text}">; give {len(default)} finite number(s), '
            f"each below {LARGEST:.0e}"
        )
    return numbers

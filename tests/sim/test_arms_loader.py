"""The loader: a user's own arm, one clear message for every mistake, and no other exception."""

from __future__ import annotations

import copy
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from daytwo.errors import InputError
from daytwo.sim.arms import Arm, load_arm
from daytwo.sim.arms.urdf import Urdf

# Two links and a jaw. At home the upper link lies level and the lower one hangs down.
URDF = """<?xml version="1.0"?>
<robot name="mine">
  <link name="base"/>
  <joint name="shoulder" type="revolute">
    <parent link="base"/><child link="upper"/>
    <origin xyz="0 0 0.3" rpy="0 0 0"/><axis xyz="0 1 0"/>
    <limit lower="-1.5" upper="1.5" velocity="2" effort="10"/>
  </joint>
  <link name="upper">
    <inertial>
      <mass value="0.5"/>
      <inertia ixx="1e-3" iyy="1e-3" izz="1e-3" ixy="0" ixz="0" iyz="0"/>
    </inertial>
  </link>
  <joint name="elbow" type="continuous">
    <parent link="upper"/><child link="lower"/>
    <origin xyz="0.2 0 0"/><axis xyz="0 2 0"/><limit velocity="2" effort="10"/>
  </joint>
  <link name="lower">
    <inertial>
      <mass value="0.5"/>
      <inertia ixx="1e-3" iyy="1e-3" izz="1e-3" ixy="0" ixz="0" iyz="0"/>
    </inertial>
    <collision><geometry><box size="0.1 0.1 0.1"/></geometry></collision>
  </link>
  <joint name="jaw" type="prismatic">
    <parent link="lower"/><child link="jaw_link"/>
    <origin xyz="0.2 0 0"/><axis xyz="0 1 0"/>
    <limit lower="0" upper="0.05" velocity="0.1" effort="20"/>
  </joint>
  <link name="jaw_link">
    <inertial>
      <mass value="0.1"/>
      <inertia ixx="1e-4" iyy="1e-4" izz="1e-4" ixy="0" ixz="0" iyz="0"/>
    </inertial>
    <collision><geometry><box size="0.01 0.01 0.02"/></geometry></collision>
  </link>
  <joint name="tool_joint" type="fixed">
    <parent link="lower"/><child link="tool"/><origin xyz="0.2 0 0" rpy="0 1.5707963 0"/>
  </joint>
  <link name="tool"/>
</robot>
"""
FIELDS: dict[str, Any] = {
    "name": "mine",
    "urdf": "mine.urdf",
    "base_link": "base",
    "joints": ["shoulder", "elbow"],
    "tool_frame": "tool",
    "home": [0.0, 1.5707963],
    "acceleration": [5.0, 5.0],
    "jerk": [100.0, 100.0],
    "kp": [100.0, 100.0],
    "kd": [10.0, 10.0],
    "armature": [0.01, 0.01],
    "workspace": [[0.1, 0.3], [-0.1, 0.1], [0.01, 0.3]],
    "speed": 0.3,
    "collision_links": ["lower", "jaw_link"],
    "orientation": "best_effort",
    "gripper": {
        "joints": ["jaw"],
        "open": [0.05],
        "closed": [0.0],
        "max_opening": 0.05,
        "force": 10.0,
        "kp": 100.0,
        "kd": 10.0,
        "armature": 0.01,
        "tips": ["jaw_link"],
    },
    "driver": {"name": "twin", "port": "/dev/ttyACM0", "baud": 1000000},
}


def write(folder: Path, fields: Any = FIELDS, urdf: str | bytes = URDF) -> Path:
    (folder / "mine.urdf").write_bytes(urdf if isinstance(urdf, bytes) else urdf.encode())
    path = folder / "arm.yaml"
    path.write_text(yaml.safe_dump(fields, allow_unicode=True), encoding="utf-8")
    return path


def changed(*keys: Any, to: Any) -> dict[str, Any]:
    """FIELDS with one value replaced, or taken out where `to` is the type Ellipsis."""
    fields = copy.deepcopy(FIELDS)
    place: Any = fields
    for key in keys[:-1]:
        place = place[key]
    if to is ...:
        del place[keys[-1]]
    else:
        place[keys[-1]] = to
    return fields


def test_a_users_own_arm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path)
    arm = load_arm(path)
    assert arm.name == "mine"
    assert arm.urdf == tmp_path / "mine.urdf"
    assert (arm.lower, arm.upper) == ((-1.5, -np.inf), (1.5, np.inf))
    assert (arm.velocity, arm.effort) == ((2.0, 2.0), (10.0, 10.0))
    T = arm.robot.pose("base", "tool", {"shoulder": 0.1, "elbow": 1.2, "jaw": 0.05})
    level, hanging = 0.2 * np.exp(-0.1j), 0.2 * np.exp(-1.3j)  # x + i z, drawn by hand
    np.testing.assert_allclose(T[0, 3] + 1j * T[2, 3], 0.3j + level + hanging)
    model = mujoco.MjSpec.from_file(str(arm.urdf)).compile()
    assert model.nq == 3
    monkeypatch.chdir(tmp_path)
    assert load_arm("arm.yaml") == load_arm(str(path)) == arm


def test_a_known_arm_may_be_named_by_its_path() -> None:
    panda = load_arm("panda")
    assert load_arm(panda.urdf.parent / "arm.yaml") == panda


def test_an_arm_cannot_be_changed() -> None:
    arm = load_arm("panda")
    with pytest.raises(ValueError, match="frozen"):
        arm.speed = 9.0  # type: ignore[misc]


YAML_MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "unknown field": (
        {**FIELDS, "homee": 1},
        r"arm\.yaml: homee: unknown field; known: name, urdf, .*driver",
    ),
    "unknown field of the gripper": (
        changed("gripper", "forse", to=1),
        r"gripper\.forse: unknown field; known: joints, open, .*tips",
    ),
    "limits repeated": ({**FIELDS, "lower": [0, 0]}, "lower: unknown field"),
    "missing field": (changed("kp", to=...), "arm.yaml: kp: missing"),
    "missing gripper field": (changed("gripper", "kp", to=...), r"gripper\.kp: missing"),
    "wrong type": (changed("speed", to="fast"), "speed: .*valid number.*'fast'"),
    "not a number": (changed("home", to=[0.0, float("nan")]), r"home\.1: .*finite.*nan"),
    "infinite": (changed("kd", to=[float("inf"), 1.0]), r"kd\.0: .*finite.*inf"),
    "not positive": (changed("kp", to=[1.0, 0.0]), r"kp\.1: .*greater than 0.*0\.0"),
    "too few": (changed("kd", to=[1.0]), "kd: holds 1 numbers; joints names 2 joints"),
    "too many fingers": (
        changed("gripper", "open", to=[0.01, 0.02]),
        r"gripper\.open: holds 2 numbers; gripper\.joints names 1 joint",
    ),
    "orientation": (changed("orientation", to="half"), "orientation: .*'full' or 'best_effort'"),
    "home outside": (
        changed("home", to=[1.6, 0.0]),
        r"home: 'shoulder' is at 1\.6, outside its limits \[-1\.5, 1\.5\] in mine\.urdf",
    ),
    "home not down": (changed("home", to=[0.0, 0.9]), "home: .*'tool' is 38.4 degrees from"),
    "home outside the box": (
        changed("workspace", 0, to=[0.25, 0.3]),
        r"home: the tool is at x = 0\.200 m, outside workspace \[0\.25, 0\.3\]",
    ),
    "box inside out": (changed("workspace", 1, to=[0.1, -0.1]), "workspace: y is"),
    "box below the table": (changed("workspace", 2, to=[-0.1, 0.3]), "below the table"),
    "gripper outside": (changed("gripper", "open", to=[0.06]), r"gripper\.open: 'jaw' is at 0\.06"),
    "gripper never opens": (changed("gripper", "open", to=[0.0]), "the same as when closed"),
    "tool frame": (
        changed("tool_frame", to="hand"),
        "tool_frame: 'hand' is no link of mine.urdf; there are: base, upper, lower, jaw_link, tool",
    ),
    "base link": (changed("base_link", to="floor"), "base_link: 'floor' is no link"),
    "base link above": (changed("base_link", to="jaw_link"), "does not hang on link 'jaw_link'"),
    "joint": (
        changed("joints", to=["shoulder", "elbows"]),
        "joints: 'elbows' is no joint of mine.urdf; there are: shoulder, elbow, jaw, tool_joint",
    ),
    "joint order": (changed("joints", to=["elbow", "shoulder"]), "in this order: shoulder, elbow"),
    "gripper joint": (changed("gripper", "joints", to=["claw"]), r"gripper\.joints: 'claw' is no"),
    "gripper moves the arm": (
        changed("gripper", "joints", to=["elbow"]),
        r"gripper\.joints: 'elbow' must be a joint that moves, and none of the arm's",
    ),
    "tips": (changed("gripper", "tips", to=["tool"]), r"gripper\.tips: 'tool' is no link"),
    "collision link": (
        changed("collision_links", to=["upper"]),
        "collision_links: 'upper' is no link with collision geometry .*: lower, jaw_link",
    ),
    "driver": (changed("driver", to={"port": "x"}), "driver: has no 'name'"),
    "no urdf": (changed("urdf", to="other.urdf"), "urdf: .*other.urdf: cannot be read"),
    "urdf is no name": (changed("urdf", to=5), "urdf: .*found 5"),
}


@pytest.mark.parametrize(("fields", "message"), YAML_MISTAKES.values(), ids=YAML_MISTAKES.keys())
def test_a_mistake_in_the_yaml_is_named(
    tmp_path: Path, fields: dict[str, Any], message: str
) -> None:
    path = write(tmp_path, fields)
    with pytest.raises(InputError, match=message) as caught:
        load_arm(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


URDF_MISTAKES: dict[str, tuple[str, str, str]] = {
    "no xml": ("</robot>", "", "no well-formed XML"),
    "root": ("robot", "model", "root element is <model>"),
    "joint type": ('type="prismatic"', 'type="floating"', "joint 'jaw': type 'floating'; known"),
    "no limit": ('<limit velocity="2" effort="10"/>', "", "joint 'elbow': has no <limit"),
    "limits crossed": ('lower="-1.5"', 'lower="3"', "lower=3.0 is not below upper=1.5"),
    "no effort": ('velocity="0.1" effort="20"', 'velocity="0.1"', "jaw': limit effort=0.0"),
    "not finite": ('xyz="0 0 0.3"', 'xyz="0 0 inf"', '<origin xyz="0 0 inf">; give 3 finite'),
    "absurd": ('xyz="0 0 0.3"', 'xyz="0 0 1e308"', "each below 1e+06"),
    "no number": ('xyz="0 0 0.3"', 'xyz="0 0 high"', '<origin xyz="0 0 high">; give 3 finite'),
    "axis": ('xyz="0 2 0"', 'xyz="0 0 0"', "joint 'elbow': axis"),
    "no child": ('<child link="upper"/>', "", "joint 'shoulder': <child>"),
    "stranger": ('<child link="tool"/>', '<child link="gone"/>', "'gone', not in it"),
    "two parents": ('<child link="tool"/>', '<child link="upper"/>', "more than one joint"),
    "loop": ('<parent link="base"/>', '<parent link="lower"/>', "loop"),
    "twins": ('<link name="tool"/>', '<link name="base"/>', "more than one link is called 'base'"),
    "no name": ('<link name="tool"/>', "<link/>", "a <link> lacks the attribute 'name'"),
    "a link too many": ("</robot>", '<link name="x"/></robot>', "found: base, x"),
    "prismatic arm": ('type="continuous"', 'type="prismatic"', "lower=0.0 is not below upper=0.0"),
}


@pytest.mark.parametrize(
    ("old", "new", "message"), URDF_MISTAKES.values(), ids=URDF_MISTAKES.keys()
)
def test_a_mistake_in_the_urdf_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in URDF
    path = write(tmp_path, urdf=URDF.replace(old, new))
    with pytest.raises(InputError, match="urdf: ") as caught:
        load_arm(path)
    assert message in str(caught.value)
    assert str(tmp_path / "mine.urdf") in str(caught.value)


def test_a_prismatic_arm_joint_is_refused(tmp_path: Path) -> None:
    urdf = URDF.replace('type="continuous"', 'type="prismatic"').replace(
        '<limit velocity="2" effort="10"/>', '<limit upper="2" velocity="2" effort="10"/>'
    )
    with pytest.raises(InputError, match="joints: 'elbow' is prismatic"):
        load_arm(write(tmp_path, urdf=urdf))


@pytest.mark.parametrize(
    "text",
    ["", "just words", "- a\n- b", "1: 2", "a: [", "\t", "!!bool maybe", "!!int ''", "a: \0"],
)
def test_a_file_that_is_no_arm(tmp_path: Path, text: str) -> None:
    path = tmp_path / "arm.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"arm\.yaml: (no valid YAML|must hold 'field: value')"):
        load_arm(path)


@pytest.mark.parametrize("name", ["", "panda/arm", "nowhere/arm.yaml", "a\0.yaml", "x" * 5000])
def test_an_arm_that_is_not_there(name: str) -> None:
    with pytest.raises(InputError, match=r"unknown arm|cannot be read|no valid YAML"):
        load_arm(name)


def test_a_folder_is_no_arm(tmp_path: Path) -> None:
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        load_arm(tmp_path / "folder.yaml")


def test_a_missing_link_or_joint_lists_those_there_are(tmp_path: Path) -> None:
    urdf = Urdf.load(write(tmp_path).with_name("mine.urdf"))
    with pytest.raises(InputError, match="no joint 'x'; its joints: shoulder, elbow, jaw"):
        urdf.joint("x")
    with pytest.raises(InputError, match="no link 'x'; its links: base, upper"):
        urdf.chain("base", "x")


# Properties: whatever is broken in a valid pair of files, the answer is an arm or an InputError.

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["shoulder", "elbow", "jaw", "tool", "base", "mine.urdf", ".", "/", "1e309"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Key paths of everything in nested dicts and lists."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, inner in items:
        found.append((*path, key))
        if isinstance(inner, dict | list):
            found += places(inner, (*path, key))
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("arm")


def arm_or_input_error(path: Path) -> None:
    problem = None
    try:
        check(load_arm(path))
    except InputError as error:
        problem = str(error)
    if problem is not None:
        assert str(path) in problem
        assert "\n" not in problem


def check(arm: Arm) -> None:
    """What every arm that loads can promise."""
    dof = len(arm.joints)
    for numbers in (arm.lower, arm.upper, arm.home, arm.velocity, arm.kp, arm.kd, arm.effort):
        assert len(numbers) == dof
    assert all(a <= q <= b for a, q, b in zip(arm.lower, arm.home, arm.upper, strict=True))
    assert np.isfinite([*arm.home, *arm.velocity, *arm.effort, *arm.kp, *arm.kd, arm.speed]).all()
    assert arm.urdf.is_absolute()


EXAMPLES = pytest.mark.parametrize("examples", [60, pytest.param(400, marks=pytest.mark.slow)])


def always(holds: Callable[..., None], examples: int, *strategies: st.SearchStrategy[Any]) -> None:
    settings(max_examples=examples, deadline=None)(given(*strategies)(holds))()


@EXAMPLES
def test_any_value_anywhere_in_the_yaml(folder: Path, examples: int) -> None:
    def holds(keys: tuple[Any, ...], value: Any) -> None:
        arm_or_input_error(write(folder, changed(*keys, to=value)))

    values = st.one_of(VALUES, st.just(...))
    always(holds, examples, st.sampled_from(places(FIELDS)), values)


@EXAMPLES
def test_any_edit_of_the_yaml_text(folder: Path, examples: int) -> None:
    path = write(folder)
    old = path.read_text()

    def holds(start: int, length: int, text: str) -> None:
        start %= len(old)
        new = old[:start] + text + old[start + length :]
        path.write_bytes(new.encode("utf-8", errors="surrogatepass"))
        arm_or_input_error(path)

    odd = st.sampled_from(["!!bool x", "!!int ''", "2001-99-99", "&a [*a]", "? "])
    texts = st.text(max_size=6) | odd
    always(holds, examples, st.integers(0, 2000), st.integers(0, 12), texts)


@EXAMPLES
def test_any_edit_of_the_urdf_text(folder: Path, examples: int) -> None:
    old = URDF.encode()

    def holds(start: int, length: int, data: bytes) -> None:
        start %= len(old)
        arm_or_input_error(write(folder, urdf=old[:start] + data + old[start + length :]))

    bits = st.binary(max_size=6) | st.just(b"1e308")
    always(holds, examples, st.integers(0, 5000), st.integers(0, 30), bits)


def _set(element: ET.Element, draw: Callable[..., Any]) -> None:
    if element.attrib:
        key = draw(st.sampled_from(sorted(element.attrib)))
        numbers = st.lists(st.floats(), max_size=4).map(lambda xs: " ".join(map(repr, xs)))
        names = st.sampled_from(["base", "upper", "lower", "tool", "fixed", "revolute", ""])
        element.set(key, draw(st.one_of(numbers, names)))


def _empty(element: ET.Element, draw: Callable[..., Any]) -> None:
    for child in list(element):
        element.remove(child)


def _double(element: ET.Element, draw: Callable[..., Any]) -> None:
    element.extend(copy.deepcopy(list(element)))


@EXAMPLES
def test_any_change_of_a_urdf_element(folder: Path, examples: int) -> None:
    def holds(data: st.DataObject) -> None:
        root = ET.fromstring(URDF)
        for _ in range(data.draw(st.integers(1, 3))):
            element = data.draw(st.sampled_from(list(root.iter())))
            data.draw(st.sampled_from([_set, _set, _empty, _double]))(element, data.draw)
        arm_or_input_error(write(folder, urdf=ET.tostring(root)))

    always(holds, examples, st.data())

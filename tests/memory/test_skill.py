"""A skill is checked on construction, and comes back from its parts as it was."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_skill import ABOUT, assert_same, belief, skill, skills

from daytwo.errors import InputError
from daytwo.memory.about import About
from daytwo.memory.skill import Belief, Point, Sitting, Skill, Trajectory, check_name
from daytwo.memory.skill_parts import from_parts, to_parts, without_arrays

WHEN = "2026-01-02T03:04:05+00:00"


@given(skills())
@settings(max_examples=50, deadline=None)
def test_parts_and_back(put: Skill) -> None:
    parts, meta = to_parts(put)
    found = from_parts(put.name, "0001", parts, json.loads(json.dumps(meta)))
    assert_same(found, put)
    assert found.label == f"{put.name}@0001"
    assert without_arrays(put.name, "0001", meta).belief == put.belief


def test_what_follows_from_the_curve() -> None:
    curve = tuple(Point(day, attempt, 1) for day, attempt in ((0, 5000), (2, 5001), (2, 5002)))
    made = skill(curve=curve)
    assert (made.attempts, made.days) == (5002, (0, 2))
    fresh = skill(curve=())
    assert (fresh.attempts, fresh.days) == (0, ())


@pytest.mark.parametrize("name", ["a", "Place_cube-2", "x" * 64, "0003", "-", "_"])
def test_names(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "x" * 65, "a b", "a/b", "..", "a.b", "a\n", "ä", None, 3])
def test_what_is_no_name(name: Any) -> None:
    with pytest.raises(InputError, match="letters, digits, - and _"):
        skill(name)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"task": ""}, "task is empty"),
        ({"task": "a\nb"}, "task is 'a.nb'; one line"),
        ({"examples": -1}, "examples is '-1'; a whole number from 0"),
        ({"examples": 1.5}, "examples"),
        ({"examples": True}, "examples"),
        ({"descriptor": {"lifted": 2}}, "descriptor.lifted is '2'"),
        ({"descriptor": {"lifted": True}}, "descriptor.lifted"),
        ({"descriptor": {"lifted": "x"}}, "descriptor.lifted"),
        ({"descriptor": {"": 1}}, "descriptor is empty"),
        ({"created": "yesterday"}, "created is 'yesterday'; like 2026"),
        ({"created": "2026-01-02T03:04:05"}, "created"),
        ({"weights": {"w": np.array([1.0, math.nan])}}, r"weights.w\[1\] is not finite"),
        ({"weights": {"w": np.array(["x"])}}, "weights.w holds"),
        ({"curve": (Point(1, 3, 1), Point(1, 2, 1))}, "counted upwards"),
        ({"about": About("panda", (("joints", 3), ("goal", 2)), ("x", "y"))}, "have 4 elements"),
        ({"about": About("panda", (("all", 4),), ("x",))}, "actions have 2 elements; .* 1"),
        ({"about": About("panda", (("all", 0),), ("x",))}, "about.observation is '0'"),
    ],
)
def test_what_does_not_fit_is_named(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        skill(**changes)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Point(-1, 1, 1), "curve.day"),
        (lambda: Point(1, 0, 1), "curve.attempt"),
        (lambda: Point(1, 1, 1.1), "curve.success is '1.1'; a finite number from 0 to 1"),
        (lambda: Point(1, 1, "1"), "curve.success"),  # type: ignore[arg-type]
        (lambda: Sitting(1, WHEN, "", 5, 4, 1.25, 0.0, 1.0), "exams.rate"),
        (lambda: Sitting(1, WHEN, "", 2, 4, 0.6, 0.0, 1.0), "2 of 4 is not a rate of 0.6"),
        (lambda: Sitting(1, WHEN, "", 2, 4, 0.5, 0.6, 1.0), "not a rate"),
        (lambda: Sitting(1, WHEN, "", 0, 0, 0.0, 0.0, 1.0), "exams.attempts"),
        (lambda: Belief(("m",), (math.inf,), (1.0,)), "belief.mean is 'inf'"),
        (lambda: Belief(("m",), (1.0,), (0.0,)), "belief.spread is '0.0'"),
        (lambda: Belief(("m",), (1.0, 2.0), (1.0,)), "belief.mean has 2 elements for 1"),
        (lambda: Belief(("m", "m"), (1.0, 2.0), (1.0, 1.0)), "a name twice"),
        (lambda: Trajectory(np.zeros((3, 4)), np.zeros((3, 2))), "3 actions, 3 observations"),
        (lambda: Trajectory(np.zeros((1, 4)), np.zeros((0, 2))), "0 actions"),
        (lambda: Trajectory(np.zeros((3, 4)), np.zeros((2, 2)), np.zeros((1, 2))), "1 commands"),
        (lambda: Trajectory(np.zeros(3), np.zeros((2, 2))), "1 dimensions, not 2"),
    ],
)
def test_what_does_not_fit_within_is_named(make: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        make()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_whatever_a_manifest_says_it_is_a_skill_or_refused(data: st.DataObject) -> None:
    parts, meta = to_parts(skill())
    key = data.draw(st.sampled_from(sorted(meta)))
    if data.draw(st.booleans()):
        meta[key] = data.draw(JSON)
    else:
        del meta[key]
    try:
        found = from_parts("place-cube", "0001", parts, meta)
    except InputError:
        return
    assert_same(from_parts("place-cube", "0001", *to_parts(found)), found)


def test_another_kind_and_a_newer_format_are_refused() -> None:
    parts, meta = to_parts(skill())
    with pytest.raises(InputError, match="not a skill"):
        from_parts("x", "", {}, {"algorithm": "Learner"})
    with pytest.raises(InputError, match="not a skill"):
        from_parts("x", "", {**parts, "critic": {}}, meta)
    with pytest.raises(InputError, match="format 2; this version of daytwo reads 1"):
        from_parts("x", "", parts, {**meta, "skill": 2})


def test_numbers_of_numpy_are_taken() -> None:
    made = skill(
        descriptor={"lifted": np.int8(-1)},
        examples=np.int64(3),
        belief=belief(*np.array([0.5, 0.25])),
        curve=(Point(np.int64(1), np.int64(2), np.bool_(True)),),  # type: ignore[arg-type]
    )
    assert json.dumps(to_parts(made)[1])
    assert made.about == ABOUT

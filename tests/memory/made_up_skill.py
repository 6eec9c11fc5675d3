"""Skills made up for tests of what keeps them."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from daytwo.memory.about import About
from daytwo.memory.skill import Belief, Point, Sitting, Skill, Trajectory
from daytwo.memory.skill_parts import to_parts

ABOUT = About("panda", (("joints", 3), ("goal", 1)), ("x", "y"))
NAMES = ("mass", "friction")


def skill(name: str = "place-cube", seed: int = 0, **changes: Any) -> Skill:
    """A skill of `ABOUT`'s arm; the same seed gives the same numbers."""
    rng = np.random.default_rng(seed)
    known: dict[str, Any] = {
        "task": "place",
        "about": ABOUT,
        "descriptor": {"object_at_goal": 1, "released": 1, "lifted": 0, "on_object": -1},
        "policy": "000007",
        "belief": belief(*rng.normal(size=2)),
        "trajectory": Trajectory(
            rng.normal(size=(6, 4)), rng.uniform(-1, 1, (5, 2)), rng.normal(size=(5, 8))
        ),
        "weights": {"mu.weight": rng.normal(size=(2, 4)).astype(np.float32)},
        "examples": 16,
        "curve": tuple(
            Point(day, attempt, float(attempt > 4))
            for attempt, day in enumerate((0, 1, 1, 2, 2), 2)
        ),
        "exams": (
            Sitting(1, "2026-01-02T03:04:05+00:00", "000003", 3, 4, 0.75, 0.3, 0.95),
            Sitting(2, "2026-01-03T03:04:05+00:00", "000007", 9, 10, 0.9, 0.6, 0.98),
        ),
        "software": "0.1.0",
        "created": "2026-01-03T03:04:05+00:00",
    }
    return Skill(name, **{**known, **changes})


def belief(*mean: float, spread: float = 0.5) -> Belief:
    return Belief(NAMES, tuple(mean), (spread,) * len(mean))


def assert_same(found: Skill, put: Skill, *but: str) -> None:
    """Fail unless two skills are the same to the bit, but for the fields named."""
    (parts, meta), (put_parts, put_meta) = to_parts(found), to_parts(put)
    np.testing.assert_equal(parts, put_parts)
    for key in put_meta.keys() - set(but):
        assert meta[key] == put_meta[key], key
    if "name" not in but:
        assert found.name == put.name


FLOATS = st.floats(-1e6, 1e6)
DESCRIPTORS = st.dictionaries(st.sampled_from("abcde"), st.sampled_from([-1, 0, 1]), max_size=5)
BELIEFS = st.builds(
    lambda names, numbers: Belief(
        tuple(names),
        tuple(mean for mean, _ in numbers[: len(names)]),
        tuple(spread for _, spread in numbers[: len(names)]),
    ),
    st.sampled_from([("mass",), ("mass", "friction"), ("friction", "mass"), ()]),
    st.lists(st.tuples(FLOATS, st.floats(1e-3, 1e3)), min_size=2, max_size=2),
)


@st.composite
def skills(draw: st.DrawFn, name: str = "") -> Skill:
    """Any skill of `ABOUT`'s arm."""
    attempts = sorted(draw(st.lists(st.integers(1, 9999), max_size=5)))
    tried = draw(st.integers(1, 50))
    won = draw(st.integers(0, tried))
    seed = draw(st.integers(0, 10**6))
    made = skill(seed=seed)
    return skill(
        name or draw(st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)),
        seed,
        task=draw(st.sampled_from(["place", "stäck 2", "{x}"])),
        descriptor=draw(DESCRIPTORS),
        policy=draw(st.sampled_from(["", "000007"])),
        belief=draw(st.none() | BELIEFS),
        trajectory=draw(st.sampled_from([None, made.trajectory])),
        weights=draw(st.sampled_from([{}, made.weights])),
        examples=draw(st.integers(0, 10**6)),
        curve=tuple(Point(draw(st.integers(0, 9)), n, draw(st.floats(0, 1))) for n in attempts),
        exams=(Sitting(1, made.created, "", won, tried, won / tried, 0.0, 1.0),)
        * draw(st.integers(0, 2)),
    )

"""Hidden conditions: how they are drawn, refused, and felt."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from daytwo.sim.arms import load_arm
from daytwo.sim.context import MAX_DELAY, NAMES, NOMINAL, PHYSICAL, Context, Ranges
from daytwo.sim.world import World

ARM = load_arm("panda")


def at(**values: float) -> Ranges:
    """Ranges that are points."""
    return Ranges(**{name: (value, value) for name, value in values.items()})


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=len(NAMES), max_size=len(NAMES)))
@settings(max_examples=50, deadline=None)
def test_what_is_drawn_lies_within_its_range(u: list[float]) -> None:
    ranges = Ranges(**PHYSICAL)
    values = ranges.draw(np.array([u])).values[0]
    low, high = ranges.bounds
    assert ((low <= values) & (values <= high)).all()
    assert values[NAMES.index("delay")] % 1 == 0


def test_every_delay_is_drawn_alike() -> None:
    u = np.random.default_rng(0).random((4000, len(NAMES)))
    delay = Ranges(delay=(0, MAX_DELAY)).draw(u).delay
    assert (np.bincount(delay.astype(int)) > 900).all()


def test_what_has_no_range_hides_nothing() -> None:
    drawn = Ranges(mass=(0.5, 2.0)).draw(np.full((3, len(NAMES)), 0.3))
    for name in set(NAMES) - {"mass"}:
        assert (getattr(drawn, name) == NOMINAL[name]).all()
    assert Ranges(mass=(0.5, 2.0)).hidden == ("mass",)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"friction": (-1.0, 1.0)}, r"friction: .* leaves its physical range \[0\.1, 3\]"),
        ({"payload": (0.0, 50.0)}, r"payload: .* leaves its physical range \[0, 2\]"),
        ({"delay": (0.0, 1.5)}, "whole control steps"),
        ({"mass": (2.0, 0.5)}, "must not exceed"),
        ({"mass": (float("nan"), 1.0)}, "finite"),
        ({"colour": (0.0, 1.0)}, "colour"),
    ],
)
def test_what_cannot_be_is_refused_by_name(given: dict, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Ranges(**given)


def moved_by(ranges: Ranges, steps: int = 8) -> np.ndarray:
    """Where the tool goes by the same actions, under one hidden condition (steps, 3)."""
    world = World(ARM, ["pick"], 1, threads=1, ranges=ranges)
    world.reset(0, 0, 0.5, 7)
    path = []
    for _ in range(steps):
        world.step(np.array([[1.0, 0.4, -0.5, 0.0, -1.0]]))
        path.append(world.state.p_ee[0].copy())
    return np.array(path)


def test_a_delay_moves_what_happens_by_whole_steps() -> None:
    plain, late = moved_by(at(friction=1.0)), moved_by(at(delay=2.0))
    still = late[1] - late[0]
    assert np.linalg.norm(still) < 1e-3, "nothing arrives in the first two steps"
    # The leash holds the command near the late tool, so only the first steps are the same.
    np.testing.assert_allclose(late[2:5], plain[:3], atol=2e-3)


@pytest.mark.parametrize(
    ("condition", "by"),
    [({"payload": 1.0}, 3e-4), ({"stiffness": 0.5}, 3e-4), ({"damping": 2.0}, 3e-4)],
)
def test_the_arm_feels_it(condition: dict, by: float) -> None:
    assert np.abs(moved_by(at(**condition)) - moved_by(at(friction=1.0))).max() > by


def test_a_payload_pulls_the_tool_down() -> None:
    world = World(ARM, ["reach"], 2, threads=1, ranges=Ranges(payload=(0.0, 1.0)))
    context = Context.nominal(2, payload=np.array([0.0, 1.0]))
    world.reset([0, 1], [0, 0], [0.5, 0.5], [3, 3], context)
    for _ in range(10):
        world.step(np.zeros((2, 5)))
    assert world.state.p_ee[1, 2] < world.state.p_ee[0, 2] - 5e-4


def test_a_weak_grip_squeezes_less() -> None:
    world = World(ARM, ["pick"], 2, threads=1, ranges=Ranges(grip=(0.1, 1.0)))
    world.reset([0, 1], [0, 0], [0.5, 0.5], [3, 3], Context.nominal(2, grip=np.array([0.1, 1.0])))
    engine = world.engine
    limits = engine.batch.bind("actuator_force")
    for _ in range(6):
        world.step(np.tile([0.0, 0.0, 0.0, 0.0, -1.0], (2, 1)))
    fingers = np.abs(limits[:, engine._finger_servo])
    assert fingers[0].max() <= 0.1 * ARM.gripper.force + 1e-6
    assert np.isfinite(fingers).all()


def test_where_the_centre_of_mass_is_stays_between_its_faces() -> None:
    world = World(ARM, ["pick"], 1, threads=1, ranges=at(com=0.5))
    world.reset(0, 0, 0.5, 3)
    body = world.engine.model.body("object0").id
    half = world.state.half[0, 0]
    np.testing.assert_allclose(world.engine._context.centre[0, body], (0.5 * half, 0, 0))
    settled = world.state.p_object[0, 0].copy()
    for _ in range(10):
        world.step(np.zeros((1, 5)))
    np.testing.assert_allclose(world.state.p_object[0, 0], settled, atol=2e-3)


def test_noise_is_seen_and_changes_no_future() -> None:
    def run(noise: float) -> tuple[np.ndarray, np.ndarray]:
        world = World(ARM, ["pick"], 1, threads=1, ranges=at(noise=noise))
        world.reset(0, 0, 0.5, 3)
        seen = [world.observe()[0, :40] for _ in range(2)]
        np.testing.assert_array_equal(*seen)
        for _ in range(5):
            world.step(np.full((1, 5), 0.3))
        return seen[0], world.state.p_object[0].copy()

    (quiet, truth), (noisy, same) = run(0.0), run(0.005)
    assert 1e-3 < np.abs(noisy - quiet).max() < 0.03
    np.testing.assert_array_equal(truth, same)

"""What is told beside what is true: offsets, what is taken off them, and noise."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daytwo.sim.context import Context
from daytwo.sim.state import State
from daytwo.sim.telling import Telling

N = 3
IDS = np.arange(N)


class Camera:
    """Of an engine, what telling needs."""

    def __init__(self) -> None:
        self.pose_offset = np.zeros((N, 3))


def told(seed: int, taught: bool = True, part: bool = False) -> tuple[Telling, State, State]:
    """Some telling of a random state, as it is told and as it is true."""
    rng = np.random.default_rng(seed)
    true = State.zeros(N)
    for field in fields(State):
        setattr(true, field.name, rng.uniform(-0.3, 0.3, getattr(true, field.name).shape))
    offsets = ("camera_x", "camera_y", "camera_z", "target_x", "target_y", "target_yaw")
    context = Context.nominal(N, **{name: rng.uniform(-0.01, 0.01, N) for name in offsets})
    telling = Telling(Camera(), N)  # type: ignore[arg-type]
    telling.hide_camera(IDS, context)
    telling.reset(IDS, context, np.full(N, taught), np.full(N, part), IDS)
    camera = np.stack([context.camera_x, context.camera_y, context.camera_z], axis=1)
    state = true.moved(camera).take(IDS)  # a copy
    telling.teach(IDS, state.p_goal, state.yaw_goal, state)
    telling.place(state)
    return telling, state, true


def same(a: State, b: State) -> None:
    for field in fields(State):
        found, expected = getattr(a, field.name), getattr(b, field.name)
        np.testing.assert_allclose(found, expected, atol=1e-12, err_msg=field.name)


@given(seed=st.integers(0, 2**32 - 1), corrections=st.integers(0, 3), part=st.booleans())
def test_the_truth_is_had_back_whatever_is_believed(
    seed: int, corrections: int, part: bool
) -> None:
    telling, state, true = told(seed, part=part)
    rng = np.random.default_rng(seed)
    for _ in range(corrections):
        telling.correct(IDS, rng.uniform(-0.02, 0.02, (N, 6)), state)
    same(telling.truth(state, slice(None)), true)
    rows = np.array([2, 0])
    same(telling.truth(state.take(rows), rows), true.take(rows))


@pytest.mark.parametrize("part", [False, True])
def test_who_believes_what_is_true_is_told_what_is_true(part: bool) -> None:
    telling, state, true = told(0, part=part)
    camera = telling._engine.pose_offset.copy()
    telling.correct(IDS, np.concatenate([camera, telling.target], axis=1), state)
    same(state, true)
    assert np.abs(telling.target).max() < 1e-12
    assert np.abs(telling._engine.pose_offset).max() < 1e-12


def test_a_goal_that_is_seen_was_not_taught() -> None:
    telling, state, true = told(1, taught=False)
    assert (telling.target == 0).all()
    np.testing.assert_allclose(
        state.p_goal - true.p_goal, state.p_object[:, 0] - true.p_object[:, 0], atol=1e-12
    )
    np.testing.assert_allclose(state.yaw_goal, true.yaw_goal)


def test_a_part_is_taught_with_its_goal_and_tells_nothing_of_how_far_that_is_off() -> None:
    telling, state, true = told(3, part=True)
    assert np.abs(telling.target).min() > 1e-4
    for told_at, at in (
        (state.p_object[:, 1], true.p_object[:, 1]),
        (state.p_fixture, true.p_fixture),
    ):
        np.testing.assert_allclose(state.p_goal - told_at, true.p_goal - at, atol=1e-12)
    turned = state.yaw_goal - state.yaw_object[:, 1]
    np.testing.assert_allclose(turned, true.yaw_goal - true.yaw_object[:, 1], atol=1e-12)
    seen = told(3, part=False)[1]
    np.testing.assert_allclose(state.p_object[:, 0], seen.p_object[:, 0])  # a loose one is seen


def test_a_reset_forgets_what_was_taken_off() -> None:
    telling, state, _ = told(2)
    telling.correct(IDS, np.full((N, 6), 0.01), state)
    telling.hide_camera(IDS[:1], Context.nominal(1))
    telling.reset(IDS[:1], Context.nominal(1), np.array([True]), np.array([False]), IDS[:1])
    assert (telling.correction[0] == 0).all()
    assert (telling.correction[1:] == 0.01).all()
    first = state.take(IDS[:1])
    same(telling.truth(first, IDS[:1]), first)


def test_noise_has_its_size_and_is_decided_by_seed_and_step() -> None:
    telling, state, _ = told(3)
    noise = np.array([0.0, 0.001, 0.002])
    many = [
        telling.noisy(state, np.full(N, k), noise).p_object - state.p_object for k in range(900)
    ]
    assert (np.array(many)[:, 0] == 0).all()
    assert np.array(many)[:, 1].std() == pytest.approx(0.001, rel=0.05)
    assert np.array(many)[:, 2].std() == pytest.approx(0.002, rel=0.05)
    again = telling.noisy(state, np.full(N, 7), noise)
    np.testing.assert_array_equal(again.p_object - state.p_object, many[7])
    assert telling.noisy(state, IDS, np.zeros(N)) is state

"""Beliefs: clouds of guesses at the hidden context."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daytwo.errors import InputError
from daytwo.sim.belief import GUESSES, NAMES, SPREAD, Belief


def test_nothing_is_believed_before_the_first_attempt() -> None:
    prior = Belief.prior()
    assert prior.guesses.shape == (GUESSES, len(NAMES))
    assert np.allclose(prior.mean, 0)
    assert np.allclose(prior.offset, 0)
    assert np.allclose(prior.spread, SPREAD, rtol=0.3)


def test_likely_guesses_stay_and_the_others_go() -> None:
    truth, rng = np.array([0.02, -0.01, 0.0]), np.random.default_rng(0)
    belief = Belief.prior()
    for _ in range(4):
        fit = -0.5 * (((belief.guesses - truth)[:, :2] / 0.01) ** 2).sum(axis=1)
        belief = belief.after(fit, rng)
    assert np.linalg.norm((belief.offset - truth)[:2]) < 0.004
    assert (belief.spread[:2] < 0.3 * SPREAD[:2]).all()


def test_a_hole_in_the_cloud_stays_one() -> None:
    """What a miss excludes is not believed again because the rest is wide."""
    belief, rng = Belief.prior(), np.random.default_rng(0)
    for _ in range(5):
        radius = np.linalg.norm(belief.guesses[:, :2], axis=1)
        belief = belief.after(np.where(radius < 0.02, -9.0, 0.0), rng)
    radius = np.linalg.norm(belief.guesses[:, :2], axis=1)
    assert (radius < 0.012).mean() < 0.02
    assert np.quantile(radius, 0.95) < 0.08, "nor does the cloud drift out of what was expected"


@given(st.integers(1, 60), st.integers(1, 60))
def test_a_belief_of_another_size_says_the_same(n: int, m: int) -> None:
    belief = Belief(np.arange(3.0 * n).reshape(n, 3))
    other = belief.of(m).guesses
    assert len(other) == m
    assert np.isin(other[:, 0], belief.guesses[:, 0]).all()
    times = np.unique(other[:, 0], return_counts=True)[1]
    assert times.max() <= -(-m // n)


def test_a_night_makes_it_less_sure_but_does_not_forget() -> None:
    known = Belief([0.02, -0.01, 0.0] + 0.1 * Belief.prior().guesses)
    morning = known.renewed(0.1, seed=1)
    assert morning.spread[0] > known.spread[0]
    assert np.linalg.norm((morning.offset - known.offset)[:2]) < 0.004
    assert np.array_equal(morning.guesses, known.renewed(0.1, seed=1).guesses)


def test_many_nights_blur_it_but_do_not_drag_it_off() -> None:
    known = Belief([0.03, -0.01, 0.0] + 0.1 * Belief.prior().guesses)
    for night in range(15):
        known = known.renewed(0.1, seed=night)
        assert np.linalg.norm((known.offset - [0.03, -0.01, 0.0])[:2]) < 0.004
    for night in range(15, 90):
        known = known.renewed(0.1, seed=night)
    assert np.linalg.norm(known.offset) < 0.01, "what was long ago is not acted on"


def test_what_older_versions_believed_beside_is_left_out() -> None:
    names = ("stiffness", "offset_z", "offset_x", "offset_y")
    belief = Belief.named(names, [[9.0, 0.3, 0.1, 0.2]])
    assert belief.guesses.tolist() == [[0.1, 0.2, 0.3]]
    with pytest.raises(InputError, match="offset_y is missing"):
        Belief.named(("offset_x", "offset_z"), [[0.1, 0.2]])


def test_bad_beliefs_are_refused_by_name() -> None:
    with pytest.raises(InputError, match="expected"):
        Belief(np.zeros((4, 2)))
    bad = np.zeros((4, len(NAMES)))
    bad[2, 1] = np.nan
    with pytest.raises(InputError, match="offset_y of guess 2"):
        Belief(bad)
